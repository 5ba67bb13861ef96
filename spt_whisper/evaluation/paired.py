"""Whether one system is better than another: a paired bootstrap over the same utterances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spt_whisper.errors import InputError
from spt_whisper.evaluation.bootstrap import Interval, IntervalUnit, drawn_units, rate_difference
from spt_whisper.evaluation.rates import RATES
from spt_whisper.evaluation.system_score import SystemScore
from spt_whisper.text.units import RateName


@dataclass(frozen=True)
class PairedComparison:
    """One system against another on the same utterances."""

    first: str
    second: str
    rate: RateName  # which one is compared
    difference: float  # the second's rate minus the first's: below 0 where the second is better
    interval: Interval  # 95 %, of the difference
    probability: float  # that the second is better, over such corpora
    interval_unit: IntervalUnit  # what the bootstrap drew


def compare_with_first(
    systems: Sequence[SystemScore], resamples: int = 1000, seed: int = 0
) -> tuple[PairedComparison, ...]:
    """Every other system against the first.

    Raises:
        InputError: two systems were not scored on the same utterances.
    """
    return tuple(compare_pair(systems[0], other, resamples, seed) for other in systems[1:])


def compare_pair(
    first: SystemScore, second: SystemScore, resamples: int = 1000, seed: int = 0
) -> PairedComparison:
    """The two by the first one's main rate.

    Raises:
        InputError: they were not scored on the same utterances.
    """
    ids = [[score.id for score in system.details] for system in (first, second)]
    if not ids[0] or ids[0] != ids[1]:
        raise InputError(
            f"systems {first.name!r} and {second.name!r}: {len(ids[0])} and {len(ids[1])} "
            "utterances, not the same ones; score both on one corpus, in one order"
        )
    field = RATES[first.main_rate].unit
    unit, before = drawn_units(first.details)
    _, after = drawn_units(second.details)
    interval, probability = rate_difference(
        [getattr(errors, field) for errors in before],
        [getattr(errors, field) for errors in after],
        resamples,
        seed,
    )
    difference = getattr(second, first.main_rate) - getattr(first, first.main_rate)
    return PairedComparison(
        first.name, second.name, first.main_rate, difference, interval, probability, unit
    )
