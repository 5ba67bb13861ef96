"""Signs that a hypothesis was not heard but made up: it repeats, it is too fast, it is too long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spt_whisper.text.units import count_spoken_words, mixed_units

LONGEST_CYCLE = 8  # units of a repeated piece: words here, tokens in `whisper/decoding/guards.py`
CYCLE_REPEATS = 6  # in a row
WORDS_PER_SECOND = 6.0  # nobody speaks faster for long
LENGTH_RATIO = 2  # units of the hypothesis by units of the reference


@dataclass(frozen=True)
class Recognized:
    """A normalized hypothesis, with the normalized reference, and the audio's seconds if known."""

    reference: str
    hypothesis: str
    duration: float | None


def repeats(recognized: Recognized) -> bool:
    """One to eight units (words; characters of scripts without blanks) stand six times in a row."""
    units = mixed_units(recognized.hypothesis)
    return any(_has_cycle(units, length) for length in range(1, LONGEST_CYCLE + 1))


def too_fast(recognized: Recognized) -> bool:
    """More than six words a second; never where the duration is not known."""
    if recognized.duration is None:
        return False
    return count_spoken_words(recognized.hypothesis) > WORDS_PER_SECOND * recognized.duration


def too_long(recognized: Recognized) -> bool:
    """More than twice the units of the reference."""
    spoken, written = mixed_units(recognized.reference), mixed_units(recognized.hypothesis)
    return len(written) > LENGTH_RATIO * len(spoken)


SIGNS: dict[str, Callable[[Recognized], bool]] = {
    "repeats": repeats,
    "too_fast": too_fast,
    "too_long": too_long,
}


def hallucination_signs(recognized: Recognized) -> tuple[str, ...]:
    """Names of the signs that `recognized` shows."""
    return tuple(name for name, shows in SIGNS.items() if shows(recognized))


def _has_cycle(units: list[str], length: int) -> bool:
    wanted = length * (CYCLE_REPEATS - 1)  # so many units in a row equal that `length` later
    run = 0
    for unit, later in zip(units, units[length:], strict=False):
        run = run + 1 if unit == later else 0
        if run == wanted:
            return True
    return False
