"""SPT-Whisper: teach frozen Whisper new languages with soft prompts.

The public names load on first use, since torch and transformers take seconds to import.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Bank": "spt_whisper.prompts.bank",
    "DecodingOptions": "spt_whisper.whisper.options",
    "FrozenWhisper": "spt_whisper.whisper.loading",
    "InputError": "spt_whisper.errors",
    "Prompt": "spt_whisper.prompts.files",
    "PromptConfig": "spt_whisper.prompts.config",
    "Request": "spt_whisper.transcription.request",
    "Segment": "spt_whisper.transcription.transcript",
    "Transcript": "spt_whisper.transcription.transcript",
    "VoiceActivityOptions": "spt_whisper.transcription.voice_activity",
    "Whisper": "spt_whisper.transcription.transcriber",
    "prompted": "spt_whisper.whisper.injection",
}

__all__ = [
    "Bank",
    "DecodingOptions",
    "FrozenWhisper",
    "InputError",
    "Prompt",
    "PromptConfig",
    "Request",
    "Segment",
    "Transcript",
    "VoiceActivityOptions",
    "Whisper",
    "__version__",
    "prompted",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
