"""How to decode: the options that every engine understands. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.errors import InputError

OWN_SUPPRESSED = -1  # in `suppress_tokens`: the list that comes with the model


@dataclass(frozen=True)
class DecodingOptions:
    """How to search for the text of a window; `transcribe` has the defaults of openai-whisper, scoring tries once per window."""

    beam_size: int = 1
    """Beams at temperature 0; 1 is greedy search."""
    length_penalty: float | None = None
    """Exponent of Google's length norm ((5 + length) / 6) by which beams are ranked; by default their mean is taken."""
    temperatures: list[float] = field(default_factory=lambda: [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    """A window whose text fails the two thresholds below is decoded again at the next of these; above 0 tokens are drawn.
    Where all fail, the most probable text stays. One temperature means no second try."""
    best_of: int = 1
    """Samples of which the most probable is taken, at temperatures above 0."""
    compression_ratio_threshold: float | None = 2.4
    """Maximum zlib compression ratio of a text (one byte per character in any script). Repetitive text exceeds it; text that was
    stopped in a loop counts as repetitive. Null: no threshold."""
    log_probability_threshold: float | None = -1.0
    """Minimum mean log-probability of a text's tokens. Null: no threshold."""
    no_speech_threshold: float | None = 0.6
    """A window has no text where Whisper's no-speech probability is above this and the mean log-probability is below its
    threshold. Null: never."""
    timestamps: bool = False
    """Whether the model writes the times of segments."""
    word_timestamps: bool = False
    """Whether each word gets its times, from the cross-attention."""
    max_initial_timestamp: float = 1.0
    """Latest time, in seconds, at which the first segment of a window may start."""
    text_prompt: str | None = None
    """Text given to Whisper as preceding context; its beginning is cut where it is too long."""
    hotwords: str | None = None
    """Names and terms that are likely; given to Whisper in front of the text prompt, which is cut first."""
    suppress_tokens: list[int] = field(default_factory=lambda: [OWN_SUPPRESSED])
    """Tokens that are never written; -1 stands for the model's own list of symbols."""
    suppress_blank: bool = True
    """Forbid empty texts."""
    tokens_per_second: float = 50.0
    """Budget: a row stops after this many tokens for each second of its audio, and `extra_tokens` more. Scripts that Whisper
    hardly saw in training, such as Tibetan, take three tokens a character."""
    extra_tokens: int = 20
    """The part of the budget that does not depend on the audio's length."""
    seed: int = 0
    """Seed of the draws at temperatures above 0. The texts that were tried before take part in it, so that a window's draws are its
    own, in any batch; where the first temperature is above 0, all windows have the same draws there."""

    def __post_init__(self) -> None:
        for name, most in (("beam_size", 32), ("best_of", 32)):
            if not 1 <= getattr(self, name) <= most:
                raise InputError(
                    f"decoding.{name}: found {getattr(self, name)}, wanted 1 to {most}"
                )
        if not self.temperatures or not all(0 <= t <= 2 for t in self.temperatures):
            raise InputError(
                f"decoding.temperatures: found {self.temperatures}, wanted one or more from 0 to 2"
            )
        if self.tokens_per_second <= 0 or self.extra_tokens < 0:
            raise InputError("decoding.tokens_per_second and extra_tokens: wanted numbers above 0")
        if not 0 <= self.max_initial_timestamp <= WINDOW_SECONDS:
            raise InputError(
                f"decoding.max_initial_timestamp: found {self.max_initial_timestamp:g}, wanted 0 to {WINDOW_SECONDS} s"
            )
        if any(token < OWN_SUPPRESSED for token in self.suppress_tokens):
            raise InputError(
                f"decoding.suppress_tokens: found {self.suppress_tokens}, wanted token numbers, or -1 for Whisper's list"
            )
        if self.seed < 0:
            raise InputError(f"decoding.seed: found {self.seed}, wanted 0 or more")

    @property
    def previous_text(self) -> str:
        """What Whisper is given as preceding context: hotwords, then the text prompt."""
        return " ".join(text for text in (self.hotwords, self.text_prompt) if text)

    def budget(self, seconds: float) -> int:
        """Returns how many tokens a row of so many seconds may have, at least one."""
        return max(1, int(seconds * self.tokens_per_second) + self.extra_tokens)


def single_pass(**settings: Any) -> DecodingOptions:
    """Returns options without retries or the no-speech rule, as is usual in papers: a window keeps its first text.

    Args:
        settings: other options.
    """
    return DecodingOptions(temperatures=[0.0], no_speech_threshold=None, **settings)
