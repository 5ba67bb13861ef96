"""Errors of a hypothesis against a reference, counted by jiwer in words and in characters.

Counts add up, rates do not: the rate of a corpus is that of the sum of its utterances' counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import jiwer


@dataclass(frozen=True)
class ErrorCounts:
    """Counts of one alignment, or of many added up."""

    hits: int = 0
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0

    @property
    def reference_length(self) -> int:
        """Words or characters in the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        """Substitutions, insertions and deletions."""
        return self.substitutions + self.insertions + self.deletions

    @property
    def rate(self) -> float:
        """Errors by reference length, as a fraction (0.152); above 1 with many insertions.

        An empty reference counts as one long: its rate is the number of insertions.
        """
        return self.errors / max(1, self.reference_length)

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        """Counts of both together; `sum(counts, ErrorCounts())` is those of a corpus."""
        return ErrorCounts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
        )


def count_word_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Word errors; words stand between white space."""
    output = jiwer.process_words(_single_blanks(reference), _single_blanks(hypothesis))
    return ErrorCounts(output.hits, output.substitutions, output.insertions, output.deletions)


def count_character_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Character errors (Unicode code points); the single blank between two words is one too."""
    output = jiwer.process_characters(_single_blanks(reference), _single_blanks(hypothesis))
    return ErrorCounts(output.hits, output.substitutions, output.insertions, output.deletions)


def _single_blanks(text: str) -> str:
    return " ".join(text.split())  # jiwer splits words at blanks only, not at tabs
