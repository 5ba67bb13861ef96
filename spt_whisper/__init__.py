"""SPT-Whisper: teach frozen Whisper new languages with soft prompts.

The public names load on first use, since torch and transformers take seconds to import.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0.dev0"

_PUBLIC = {
    "AugmentConfig": "spt_whisper.training.recipe",
    "Bank": "spt_whisper.prompts.bank",
    "CorpusConfig": "spt_whisper.corpora",
    "DataConfig": "spt_whisper.training.recipe",
    "DecodingOptions": "spt_whisper.whisper.options",
    "ErrorCounts": "spt_whisper.text.error_rates",
    "EvaluateConfig": "spt_whisper.evaluation.settings",
    "Expansion": "spt_whisper.training.expansion",
    "ExpansionConfig": "spt_whisper.training.expansion_settings",
    "FitResult": "spt_whisper.training.run",
    "FrozenWhisper": "spt_whisper.whisper.loading",
    "InputError": "spt_whisper.errors",
    "LanguageAwareConfig": "spt_whisper.prompts.config",
    "LoraConfig": "spt_whisper.training.recipe",
    "OptimizerConfig": "spt_whisper.training.recipe",
    "Prompt": "spt_whisper.prompts.files",
    "PromptConfig": "spt_whisper.prompts.config",
    "Recipe": "spt_whisper.training.recipe",
    "Report": "spt_whisper.evaluation.report",
    "Request": "spt_whisper.transcription.request",
    "Segment": "spt_whisper.transcription.transcript",
    "TextProcessing": "spt_whisper.text.normalization",
    "Transcript": "spt_whisper.transcription.transcript",
    "Utterance": "spt_whisper.corpora.utterance",
    "VoiceActivityOptions": "spt_whisper.transcription.voice_activity",
    "Whisper": "spt_whisper.transcription.transcriber",
    "add_language": "spt_whisper.training.expansion",
    "evaluate": "spt_whisper.evaluation.evaluate",
    "fit": "spt_whisper.training.run",
    "get_normalizer": "spt_whisper.text.normalization",
    "prompted": "spt_whisper.whisper.injection",
    "read_split": "spt_whisper.corpora",
    "word_error_rate": "spt_whisper.text.error_rates",
}

__all__ = [
    "AugmentConfig",
    "Bank",
    "CorpusConfig",
    "DataConfig",
    "DecodingOptions",
    "ErrorCounts",
    "EvaluateConfig",
    "Expansion",
    "ExpansionConfig",
    "FitResult",
    "FrozenWhisper",
    "InputError",
    "LanguageAwareConfig",
    "LoraConfig",
    "OptimizerConfig",
    "Prompt",
    "PromptConfig",
    "Recipe",
    "Report",
    "Request",
    "Segment",
    "TextProcessing",
    "Transcript",
    "Utterance",
    "VoiceActivityOptions",
    "Whisper",
    "__version__",
    "add_language",
    "evaluate",
    "fit",
    "get_normalizer",
    "prompted",
    "read_split",
    "word_error_rate",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
