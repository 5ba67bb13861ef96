"""One utterance scored: what was said and recognized, and its errors. Sums give a corpus's rates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from spt_whisper.text.error_rates import (
    ErrorCounts,
    count_character_errors,
    count_mixed_errors,
    count_word_errors,
)


class Reference(Protocol):
    """What scoring asks of an utterance."""

    @property
    def id(self) -> str:
        """Its name, unique in the corpus."""

    @property
    def text(self) -> str:
        """What was said."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The corpus's codes; () where it has none."""

    @property
    def duration(self) -> float | None:
        """Seconds, where known."""

    @property
    def speaker(self) -> str | None:
        """Who said it, where that is known."""

    @property
    def word_languages(self) -> tuple[str, ...] | None:
        """One code a word, where the corpus has them."""


@dataclass(frozen=True)
class UnitErrors:
    """Errors of the same texts in the three units."""

    words: ErrorCounts = ErrorCounts()
    characters: ErrorCounts = ErrorCounts()
    mixed: ErrorCounts = ErrorCounts()

    def __add__(self, other: UnitErrors) -> UnitErrors:
        """Errors of both together."""
        return UnitErrors(
            self.words + other.words,
            self.characters + other.characters,
            self.mixed + other.mixed,
        )

    @property
    def rates(self) -> Rates:
        """Errors by reference length, in each unit."""
        return Rates(self.words.rate, self.characters.rate, self.mixed.rate)


@dataclass(frozen=True)
class Rates:
    """Error rates of the same texts, as fractions."""

    wer: float
    cer: float
    mixed_error_rate: float


@dataclass(frozen=True)
class UtteranceScore:
    """One utterance as one system recognized it."""

    id: str
    reference: str  # as written in the corpus
    hypothesis: str  # as the system wrote it
    words: ErrorCounts
    characters: ErrorCounts
    mixed: ErrorCounts
    normalized_reference: str  # what the errors were counted on
    normalized_hypothesis: str
    speaker: str | None = None
    languages: tuple[str, ...] = ()
    duration: float | None = None  # seconds
    switched: bool = False  # whether more than one language was said
    hallucination: tuple[str, ...] = ()  # the signs of it, see `text/hallucination.py`

    @property
    def errors(self) -> UnitErrors:
        """Errors in the three units."""
        return UnitErrors(self.words, self.characters, self.mixed)


def count_errors(reference: str, hypothesis: str) -> UnitErrors:
    """Errors of two normalized texts in the three units."""
    return UnitErrors(
        count_word_errors(reference, hypothesis),
        count_character_errors(reference, hypothesis),
        count_mixed_errors(reference, hypothesis),
    )


def total_errors(scores: Iterable[UtteranceScore]) -> UnitErrors:
    """Errors of all `scores` together."""
    return sum((score.errors for score in scores), UnitErrors())
