"""What an engine is: rows of audio with a prompt each go in, hypotheses come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from spt_whisper.prompts.files import Prompt
from spt_whisper.whisper.decoding import Hypothesis
from spt_whisper.whisper.options import DecodingOptions


@dataclass(frozen=True)
class Row:
    """One window of audio and what is to be used on it."""

    waveform: Tensor  # 16 kHz mono, (samples,)
    prompt: Prompt | None = None
    # Whisper codes; None: the prompt's, else what Whisper hears
    languages: tuple[str, ...] | None = None


@dataclass(frozen=True)
class RowResult:
    """What an engine found in a row."""

    hypothesis: Hypothesis
    languages: tuple[str, ...]  # Whisper codes that were used


class Engine(Protocol):
    """Runs forward passes for one base model."""

    def decode_batch(
        self, rows: Sequence[Row], window_seconds: float, options: DecodingOptions
    ) -> list[RowResult]:
        """Decodes rows that share a window; each row has its own prompt and languages."""
        ...
