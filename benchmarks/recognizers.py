"""The engines that are compared: each is loaded by one function, and then turns waveforms into texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from spt_whisper.cache import cache_folder
from spt_whisper.errors import InputError

if TYPE_CHECKING:  # loaded only where it is measured
    from faster_whisper import WhisperModel

    from spt_whisper import Prompt, Whisper

Recognizer = Callable[[Sequence[np.ndarray]], list[str]]  # waveforms (samples,), 16 kHz -> texts


@dataclass(frozen=True)
class Setup:
    """What every engine is told."""

    model: str  # short name or folder
    checkpoint: str  # file: the same weights as openai-whisper has them
    language: str  # Whisper code
    precision: str  # float32, bfloat16, float16 or int8
    device: str
    threads: int
    batch_size: int  # windows decoded together, where the engine can
    prompt: str | None = None  # folder of the prompt that ours and the exports carry
    exports: str = ""  # folder with the exports, one a format


def load_ours(setup: Setup) -> Recognizer:
    """SPT-Whisper, with the prompt if there is one."""
    from spt_whisper import Prompt, Whisper

    whisper = Whisper.from_pretrained(setup.model, setup.device, getattr(torch, setup.precision))
    return _ours(whisper, setup, Prompt.from_pretrained(setup.prompt) if setup.prompt else None)


def load_exported_onnx(setup: Setup) -> Recognizer:
    """SPT-Whisper over exported graphs."""
    from spt_whisper import Whisper

    return _ours(Whisper.from_pretrained(Path(setup.exports) / "onnx"), setup, None)


def _ours(whisper: Whisper, setup: Setup, prompt: Prompt | None) -> Recognizer:
    """In windows of 30 s, as the other engines, whatever window the prompt was trained in."""
    settings = {"language": setup.language, "batch_size": setup.batch_size, "window_seconds": 30.0}

    def recognize(waveforms: Sequence[np.ndarray]) -> list[str]:
        audio = [torch.from_numpy(waveform) for waveform in waveforms]
        found = whisper.transcribe(audio, prompt=prompt, **settings)
        return [transcript.text for transcript in found]

    return recognize


def load_openai(setup: Setup) -> Recognizer:
    """openai-whisper, from our weights; greedy is its default."""
    import whisper as openai_whisper

    model = openai_whisper.load_model(setup.checkpoint, device=setup.device)
    half = setup.precision == "float16"  # its only other precision

    def recognize(waveforms: Sequence[np.ndarray]) -> list[str]:
        torch.manual_seed(0)  # of its second tries
        found = (
            model.transcribe(waveform, language=setup.language, fp16=half) for waveform in waveforms
        )
        return [result["text"] for result in found]

    return recognize


def load_pipeline(setup: Setup) -> Recognizer:
    """transformers' pipeline, in chunks of 30 s."""
    from transformers import pipeline

    from spt_whisper.whisper.loading import find_model

    recognizer = pipeline(
        "automatic-speech-recognition", model=str(find_model(setup.model)), device=setup.device,
        dtype=getattr(torch, setup.precision), chunk_length_s=30, batch_size=setup.batch_size,
    )  # fmt: skip
    how = {"language": setup.language, "task": "transcribe", "num_beams": 1}

    def recognize(waveforms: Sequence[np.ndarray]) -> list[str]:
        audio = [{"raw": waveform, "sampling_rate": 16_000} for waveform in waveforms]
        return [found["text"] for found in recognizer(audio, generate_kwargs=how)]

    return recognize


def load_faster(setup: Setup) -> Recognizer:
    """faster-whisper, one window after the other."""
    return _faster(setup, ctranslate2_folder(setup.model))


def load_exported_faster(setup: Setup) -> Recognizer:
    """faster-whisper over the exported model."""
    return _faster(setup, Path(setup.exports) / "ctranslate2")


def _faster(setup: Setup, folder: Path) -> Recognizer:
    model = _faster_model(setup, folder)

    def recognize(waveforms: Sequence[np.ndarray]) -> list[str]:
        found = (
            model.transcribe(waveform, language=setup.language, beam_size=1)
            for waveform in waveforms
        )
        return ["".join(segment.text for segment in segments) for segments, _ in found]

    return recognize


def load_faster_batched(setup: Setup) -> Recognizer:
    """faster-whisper, windows of one recording in batches."""
    from faster_whisper import BatchedInferencePipeline

    model = BatchedInferencePipeline(_faster_model(setup, ctranslate2_folder(setup.model)))

    def recognize(waveforms: Sequence[np.ndarray]) -> list[str]:
        found = (
            model.transcribe(
                waveform, language=setup.language, beam_size=1, batch_size=setup.batch_size
            )
            for waveform in waveforms
        )
        return ["".join(segment.text for segment in segments) for segments, _ in found]

    return recognize


def _faster_model(setup: Setup, folder: Path) -> WhisperModel:
    from faster_whisper import WhisperModel

    return WhisperModel(
        str(folder), device=setup.device, compute_type=setup.precision,
        cpu_threads=setup.threads,
    )  # fmt: skip


def ctranslate2_folder(model: str) -> Path:
    """Returns the folder of a model's weights as CTranslate2 has them.

    Raises:
        InputError: there is none.
    """
    folder = Path(model) if Path(model).is_dir() else cache_folder() / f"whisper-{model}-ct2"
    if not (folder / "model.bin").is_file():
        raise InputError(
            f"{folder}: no model.bin in it, wanted a CTranslate2 folder; "
            "`python tools/fetch_weights.py --keep-ctranslate2` brings that of base"
        )
    return folder


LOADERS: dict[str, Callable[[Setup], Recognizer]] = {
    "ours": load_ours,
    "openai-whisper": load_openai,
    "transformers": load_pipeline,
    "faster-whisper": load_faster,
    "faster-whisper-batched": load_faster_batched,
    "exported-faster-whisper": load_exported_faster,
    "exported-onnx": load_exported_onnx,
}
