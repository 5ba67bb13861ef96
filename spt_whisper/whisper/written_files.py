"""The files that folders of models consist of, as they are written here: what else lies there is somebody's own."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from spt_whisper.atomic import check_nothing_lost
from spt_whisper.whisper.adapted import ADAPTER_CONFIG, ADAPTER_WEIGHTS, CARD_FILE

_CHECKPOINT = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
)
_TOKENIZER = (
    "added_tokens.json",
    "merges.txt",
    "normalizer.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
)
_ADAPTER = (ADAPTER_CONFIG, ADAPTER_WEIGHTS)
_OTHER_ENGINES = (
    "model.bin",
    "preprocessor_config.json",
    "vocabulary.json",
    "vocabulary.txt",
    "onnx.json",
    "*coder.onnx",
    "*coder.onnx.data",
)
MODEL_FILES = (*_CHECKPOINT, *_TOKENIZER, *_ADAPTER, CARD_FILE)
EXPORT_FILES = (*_CHECKPOINT, *_TOKENIZER, *_OTHER_ENGINES, CARD_FILE, "README.md", "export.json")


def check_others(folder: Path, kind: str, patterns: tuple[str, ...]) -> None:
    """Refuses to replace a folder of a model in which there is more than what is written here.

    Args:
        folder: what would be replaced; it may be missing.
        kind: what it should be.
        patterns: names of what is written there.

    Raises:
        InputError: names the others.
    """
    if folder.exists():
        check_nothing_lost(
            folder,
            kind,
            (
                path
                for path in folder.iterdir()
                if path.is_dir() or not any(fnmatchcase(path.name, own) for own in patterns)
            ),
        )
