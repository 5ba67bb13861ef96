"""What a search finds in one window."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

# budget: of tokens, by the length of the audio; positions: the decoder's, where they are fewer than the budget
StopReason = Literal["end", "loop", "budget", "positions", "no_speech"]

_BYTE = 256


@dataclass(frozen=True)
class Candidate:
    """One text of a search, as tokens."""

    tokens: tuple[int, ...]  # after the first tokens, without the end of text
    log_probability: float  # sum over the tokens, and the end where it was written
    stopped_by: StopReason

    @property
    def mean_log_probability(self) -> float:
        """Per token, the end counted."""
        return self.log_probability / (len(self.tokens) + 1)


@dataclass(frozen=True)
class Hypothesis:
    """The text of one window, and how sure of it the model was."""

    tokens: tuple[int, ...]  # after the first tokens, without the end of text
    text: str
    stopped_by: StopReason
    mean_log_probability: float = 0.0
    no_speech_probability: float = 0.0
    temperature: float = 0.0

    @property
    def compression_ratio(self) -> float:
        """Size of the text before and after zlib, a byte a character; 0 for an empty text.

        Not of its UTF-8: there each letter of Georgian, Tamil or Burmese opens with the same one or two of three bytes, so that
        plain text in these scripts has the ratio of a loop in English.
        """
        numbers = {character: number for number, character in enumerate(dict.fromkeys(self.text))}
        if len(numbers) > _BYTE:  # thousands of characters, each of which says much: Chinese
            data = self.text.encode("utf-16-le")
        else:
            data = bytes(numbers[character] for character in self.text)
        return len(data) / len(zlib.compress(data)) if data else 0.0
