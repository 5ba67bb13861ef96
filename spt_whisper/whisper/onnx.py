"""A Whisper as two graphs of onnxruntime, with or without a prompt in them: a folder that `spt-whisper export` wrote.

encoder.onnx, decoder.onnx   the graphs, and their weights in files beside them (see `export/graphs.py`)
onnx.json                    what the graphs are: `OnnxSettings`
tokenizer.json, ...          the tokenizer
"""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spt_whisper.atomic import write_text
from spt_whisper.errors import InputError
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.folders import FORMAT_VERSION
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.prompts.strict_json import read_strict
from spt_whisper.whisper.tokenizer import load_tokens
from spt_whisper.whisper.tokens import Tokens
from spt_whisper.whisper.vocabulary import Vocabulary

ENCODER, DECODER, SETTINGS = "encoder.onnx", "decoder.onnx", "onnx.json"


@dataclass(frozen=True)
class OnnxSettings:
    """What two graphs are."""

    base: str  # name of the Whisper
    fingerprint: str  # SHA-256 of that Whisper's and of its prompt's
    shape: ModelShape
    mels: int
    prompted: bool  # whether a prompt is in the graphs, so that bare Whisper cannot be heard
    soft_language: bool  # whether the prompt has language tokens of its own
    vocabulary: int  # V
    suppressed: tuple[int, ...]
    suppressed_first: tuple[int, ...]
    card: PromptCard | None  # what prompt or model were made for
    format_version: int = FORMAT_VERSION


def cache_names(layers: int) -> list[str]:
    """Returns the names of the cached keys and values, in the order of the graphs."""
    return [
        f"{kind}_{part}_{layer}"
        for layer in range(layers)
        for kind in ("self", "cross")
        for part in ("key", "value")
    ]


def write_settings(folder: Path, settings: OnnxSettings) -> None:
    """Writes what the graphs of a folder are."""
    write_text(folder / SETTINGS, json.dumps(asdict(settings), ensure_ascii=False, indent=2) + "\n")


def read_settings(folder: Path) -> OnnxSettings:
    """Returns what the graphs of a folder are.

    Raises:
        InputError: the file is missing or damaged, or of another version.
    """
    return read_strict(folder / SETTINGS, OnnxSettings, FORMAT_VERSION)


class OnnxWhisper:
    """A loaded Whisper of onnxruntime, on the CPU."""

    quantized = False

    def __init__(self, folder: Path, settings: OnnxSettings, tokens: Tokens) -> None:
        """Loads the graphs.

        Raises:
            InputError: onnxruntime is not installed, or a graph is missing or damaged.
        """
        self.settings, self.tokens = settings, tokens
        self.name = self.source = str(folder)
        self.encoder = _session(folder / ENCODER)
        self.decoder = _session(folder / DECODER)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> OnnxWhisper:
        """Loads a folder.

        Raises:
            InputError: a file is missing or damaged, or of another version.
        """
        return cls(Path(folder), read_settings(Path(folder)), load_tokens(folder))

    @property
    def card(self) -> PromptCard | None:
        """What its prompt, or the adapted model, was made for."""
        return self.settings.card

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the base's fingerprint and of the prompt in it."""
        return self.settings.fingerprint

    @property
    def shape(self) -> ModelShape:
        """The sizes of the Whisper."""
        return self.settings.shape

    @property
    def vocabulary(self) -> Vocabulary:
        """What it may write."""
        own = self.settings
        return Vocabulary(self.tokens, own.vocabulary, own.suppressed, own.suppressed_first)


def is_onnx(folder: str | Path) -> bool:
    """Returns whether a name is that of a folder with exported graphs."""
    return (Path(folder) / SETTINGS).is_file()


def _session(path: Path) -> Any:
    """An onnxruntime session, with as many threads as PyTorch uses."""
    import torch

    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise InputError(
            f"model {path.parent}: onnxruntime is not installed; pip install '.[export]' in the clone"
        ) from error
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a missing file, protobuf and graph errors share no base class
        message = " ".join(str(error).split())
        raise InputError(
            f"{path}: cannot be loaded ({type(error).__name__}: {message}); export the model again"
        ) from error
