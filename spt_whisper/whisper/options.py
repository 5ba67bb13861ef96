"""How to decode: the options that every engine understands. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from spt_whisper.errors import InputError


@dataclass(frozen=True)
class DecodingOptions:
    """How to search for the text of a window."""

    beam_size: int = 1
    """Beams; 1 is greedy search."""
    timestamps: bool = False
    """Whether the model writes the times of segments."""
    text_prompt: str | None = None
    """Text that is told to Whisper as what was said before."""
    tokens_per_second: float = 30.0
    """Budget: a row stops after this many tokens for each second of its audio, and `extra_tokens` more."""
    extra_tokens: int = 20
    """The part of the budget that does not depend on the audio's length."""

    def __post_init__(self) -> None:
        if not 1 <= self.beam_size <= 32:
            raise InputError(f"decoding.beam_size: found {self.beam_size}, wanted 1 to 32")
        if self.tokens_per_second <= 0 or self.extra_tokens < 0:
            raise InputError("decoding.tokens_per_second and extra_tokens: wanted numbers above 0")

    def budget(self, seconds: float) -> int:
        """Returns how many tokens a row of so many seconds may have."""
        return int(seconds * self.tokens_per_second) + self.extra_tokens
