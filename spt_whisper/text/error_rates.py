"""Errors of a hypothesis against a reference: in words, in characters, and in both mixed.

jiwer aligns. Counts add up, rates do not: the rate of a corpus is that of the sum of its
utterances' counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import jiwer

from spt_whisper.errors import InputError
from spt_whisper.text.normalization import TextProcessing, get_normalizer
from spt_whisper.text.units import characters, mixed_units, words

_SEPARATOR = "\x1f"  # Unicode's unit separator: white space to Python, so it is inside no unit
_SPLIT = jiwer.ReduceToListOfListOfWords(_SEPARATOR)


@dataclass(frozen=True)
class ErrorCounts:
    """Counts of one alignment, or of many added up."""

    hits: int = 0
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0

    @property
    def reference_length(self) -> int:
        """Units (words or characters) in the reference."""
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


def word_error_rate(
    references: str | Sequence[str], hypotheses: str | Sequence[str], normalizer: str = "basic"
) -> ErrorCounts:
    """Counts the word errors of texts as `evaluate` does; `.rate` of what it returns is the word error rate.

    Args:
        references: what was said: a text, or several, whose errors are added up.
        hypotheses: what was recognized, one for each reference.
        normalizer: what is done to both before: raw, basic, english, code_switching, or steps with commas between.

    Raises:
        InputError: another number of hypotheses, something that is no text, or an unknown normalizer.
    """
    said, heard = _texts("references", references), _texts("hypotheses", hypotheses)
    if len(said) != len(heard):
        raise InputError(
            f"hypotheses: found {len(heard)} for {len(said)} references, wanted one for each"
        )
    normalize, composed = get_normalizer(normalizer), TextProcessing()
    pairs = (
        [normalize(composed.apply(text)) for text in pair] for pair in zip(said, heard, strict=True)
    )
    return sum((count_word_errors(*pair) for pair in pairs), ErrorCounts())


def _texts(name: str, given: str | Sequence[str]) -> list[str]:
    if isinstance(given, Mapping | Set) or hasattr(given, "columns"):  # they iterate over keys
        raise InputError(
            f"{name}: found {type(given).__name__}, wanted its texts in order, such as list(it.values()) or a column"
        )
    several = isinstance(given, Iterable) and not isinstance(given, str)
    texts: list[Any] = list(given) if several else [given]
    for text in texts:
        if not isinstance(text, str):
            raise InputError(
                f"{name}: found {type(text).__name__}, wanted texts, such as `transcript.text`"
            )
    return texts


def count_word_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Word errors; words stand between white space."""
    return _count(words(reference), words(hypothesis))


def count_character_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Character errors, see `units.characters` for the blanks that count."""
    return _count(characters(reference), characters(hypothesis))


def count_mixed_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Errors in characters of the scripts without blanks and in words of all others.

    Their rate is the mixed error rate of code-switching. jiwer's `mer` is the match error rate,
    which is something else.
    """
    return _count(mixed_units(reference), mixed_units(hypothesis))


def aligned(
    reference: Sequence[str], hypothesis: Sequence[str]
) -> Iterator[tuple[int | None, int | None]]:
    """Positions of the units that an alignment with the fewest errors puts side by side.

    None stands in the hypothesis for a deletion, in the reference for an insertion.
    """
    for chunk in _align(reference, hypothesis).alignments[0]:
        spoken = range(chunk.ref_start_idx, chunk.ref_end_idx)
        recognized = range(chunk.hyp_start_idx, chunk.hyp_end_idx)
        match chunk.type:
            case "delete":
                yield from ((position, None) for position in spoken)
            case "insert":
                yield from ((None, position) for position in recognized)
            case _:
                yield from zip(spoken, recognized, strict=True)


def _count(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCounts:
    output = _align(reference, hypothesis)
    return ErrorCounts(output.hits, output.substitutions, output.insertions, output.deletions)


def _align(reference: Sequence[str], hypothesis: Sequence[str]) -> jiwer.WordOutput:
    return jiwer.process_words(
        _SEPARATOR.join(reference), _SEPARATOR.join(hypothesis), _SPLIT, _SPLIT
    )
