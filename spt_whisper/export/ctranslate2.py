"""The format ctranslate2: the checkpoint of `transformers.py` through CTranslate2's own converter, for faster-whisper."""

from __future__ import annotations

import importlib
import tempfile
from dataclasses import replace
from pathlib import Path

from spt_whisper.errors import InputError
from spt_whisper.export.settings import ExportConfig
from spt_whisper.export.source import ExportSource
from spt_whisper.export.transformers import asked_codes, write_checkpoint
from spt_whisper.whisper.adapted import CARD_FILE

_COPIED = ("tokenizer.json", "preprocessor_config.json")


def write_ctranslate2(source: ExportSource, config: ExportConfig, folder: Path) -> None:
    """Writes model.bin, config, vocabulary, tokenizer, feature extractor and card into a folder.

    Raises:
        InputError: CTranslate2 is not installed, or as `write_checkpoint`.
    """
    try:
        converters = importlib.import_module("ctranslate2.converters")
    except ImportError as error:
        raise InputError(
            "format ctranslate2: the package is not installed; pip install '.[export]' in the clone"
        ) from error
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        write_checkpoint(source, replace(config, precision="float32"), Path(temporary))
        card = Path(temporary) / CARD_FILE
        copied = [*_COPIED, *([card.name] if card.is_file() else [])]
        converter = converters.TransformersConverter(temporary, copy_files=copied)
        converter.convert(str(folder), quantization=config.precision, force=True)


def usage(source: ExportSource, config: ExportConfig) -> str:
    """Returns Python that runs the exported model."""
    codes = asked_codes(source, config)
    count = source.decoder_positions
    how = ["audio", *([f'language="{codes[0]}"'] if codes else [])]
    lines = ""
    if len(codes) > 1:
        lines += (
            f"# faster-whisper takes one language token, and this model was taught with {len(codes)} ({', '.join(codes)}): "
            "expect worse texts,\n# or export it to the format transformers, which is asked with all of them\n"
        )
    if count:  # as hotwords, which stand in front of every window
        lines += f'prompt = "".join(f"<|prompt{{n}}|>" for n in range({count}))\n'
        how += ["hotwords=prompt"]
    # the model's list in place of faster-whisper's own; no text before a window, as in training
    how += ["suppress_tokens=never", "condition_on_previous_text=False"]
    return (
        "import json\n\nimport numpy as np\nfrom faster_whisper import WhisperModel, decode_audio\n\n"
        'model = WhisperModel("THIS FOLDER", compute_type="default")  # the export\'s own, where the device has it\n'
        'never = json.load(open("THIS FOLDER/config.json"))["suppress_ids"] or []\n'
        f"{lines}"
        'audio = decode_audio("speech.wav")\n'
        "audio = np.pad(audio, (0, max(0, 480_000 - len(audio))))  # to 30 s of silence, as Whisper was trained\n"
        f"segments, _ = model.transcribe({', '.join(how)})\n"
        'print("".join(segment.text for segment in segments))\n'
    )
