"""What an engine is: rows of audio with a prompt each go in, hypotheses come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.prompts.files import Prompt
from spt_whisper.whisper.decoding import Hypothesis
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.words import AlignedWord


@dataclass(frozen=True)
class Row:
    """One window of audio and what is to be used on it."""

    waveform: Tensor  # 16 kHz mono, (samples,)
    prompt: Prompt | None = None
    # Whisper codes; None: the prompt's, else what Whisper hears
    languages: tuple[str, ...] | None = None
    heard: Heard | None = None  # in the same window, where somebody has listened already
    speech_until: float | None = None  # seconds; None: to its end

    @property
    def seconds(self) -> float:
        """How long the audio is."""
        return self.waveform.shape[0] / SAMPLE_RATE

    @property
    def speech_seconds(self) -> float:
        """Where its last speech ends, as far as that is known."""
        return self.seconds if self.speech_until is None else self.speech_until


@dataclass(frozen=True)
class Heard:
    """How a window sounds to bare Whisper."""

    log_posterior: Tensor  # log-probability of each of Whisper's languages, in the order of its tokens, (languages,)
    state: Tensor  # mean encoder state over the frames that hold audio, (D,)
    states: Tensor  # all encoder states of the window, (S, D)
    language: str  # code of the most probable language


@dataclass(frozen=True)
class RowResult:
    """What an engine found in a row."""

    hypothesis: Hypothesis
    languages: tuple[str, ...]  # Whisper codes that were used
    words: tuple[AlignedWord, ...] = ()  # in the window's seconds, where options ask for them


class Engine(Protocol):
    """Runs forward passes for one base model."""

    def listen(self, rows: Sequence[Row], window_seconds: float) -> list[Heard]:
        """Hears how rows sound to bare Whisper, whatever their prompts."""
        ...

    def decode_batch(
        self, rows: Sequence[Row], window_seconds: float, options: DecodingOptions
    ) -> list[RowResult]:
        """Decodes rows that share a window; each row has its own prompt and languages."""
        ...
