"""Where two transcripts differ, word by word (in scripts without blanks: character by character)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spt_whisper.text.error_rates import aligned
from spt_whisper.text.normalization import get_normalizer
from spt_whisper.text.units import mixed_units

_COMPARED = get_normalizer("basic")  # case and punctuation do not count, as in scores


@dataclass(frozen=True)
class Stretch:
    """A unit of a text, or the blanks between two."""

    text: str
    differs: bool


@dataclass(frozen=True)
class Marked:
    """The texts of one transcript's segments, cut into units."""

    segments: tuple[tuple[Stretch, ...], ...]  # joined, the stretches of a segment are its text
    units: int  # words or characters in all, as scores count them: `well-known` has two, punctuation none
    different: int  # of these, what the other transcript does not have at its place


def differences(first: Sequence[str], second: Sequence[str]) -> tuple[Marked, Marked]:
    """Aligns two transcripts with the fewest errors, across the borders of segments.

    Args:
        first: the texts of one transcript's segments.
        second: those of the other's.
    """
    one, other = (
        [unit for text in texts for _, compared in _units(text) for unit in compared]
        for texts in (first, second)
    )
    same = [
        (place, there)
        for place, there in aligned(one, other)
        if place is not None and there is not None and one[place] == other[there]
    ]
    shared_one, shared_other = ({pair[side] for pair in same} for side in (0, 1))
    return _marked(first, len(one), shared_one), _marked(second, len(other), shared_other)


def _marked(texts: Sequence[str], units: int, shared: set[int]) -> Marked:
    """Cuts `texts`; `shared` holds the places of compared units that both transcripts have."""
    place = 0
    segments = []
    for text in texts:
        stretches = []
        for written, compared in _units(text):
            places = range(place, place + len(compared))
            place = places.stop
            stretches.append(Stretch(written, not shared.issuperset(places)))
        segments.append(tuple(stretches))
    return Marked(tuple(segments), units, units - len(shared))


def _units(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yields units of `text` and the blanks between them, as written and the units as which they are compared."""
    end = 0
    for unit in mixed_units(text):
        begin = text.index(unit, end)
        if text[end:begin]:
            yield text[end:begin], []
        end = begin + len(unit)
        yield unit, mixed_units(_COMPARED(unit))
    if text[end:]:
        yield text[end:], []
