"""Settings of an export: one declaration for flags, help and code. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FormatName = Literal["transformers", "ctranslate2", "onnx"]
ExportPrecision = Literal["float32", "float16", "int8"]


@dataclass(frozen=True)
class ExportConfig:
    """What is exported, as what, and where it goes."""

    source: str
    """Folder or hub id of a prompt, folder of a bank or of an adapted model (lora, full), or a Whisper such as base."""
    format: FormatName
    """transformers: a checkpoint for `WhisperForConditionalGeneration`; ctranslate2: a folder for faster-whisper; onnx: two
    graphs for onnxruntime, which `transcribe --model` runs."""
    output: str
    """Folder for the exported model; an earlier export there is replaced."""
    precision: ExportPrecision = "float32"
    """Numbers of the weights; transformers takes float32 and float16, onnx float32."""
    model: str | None = None
    """Whisper that a prompt is put into; by default the prompt's base."""
    language: str | None = None
    """Language of a bank."""
    language_tokens: list[str] | None = None
    """Whisper codes whose tokens a soft language token is written over (transformers, ctranslate2); by default those that
    stood for the language in training."""
