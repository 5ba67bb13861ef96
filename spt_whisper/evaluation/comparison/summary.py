"""The runs of one recipe under several seeds, as one row of a comparison."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spt_whisper.evaluation.bootstrap import Interval, rate_interval, relative_change
from spt_whisper.evaluation.comparison.machine import Machine
from spt_whisper.evaluation.comparison.run_store import Counts, StoredRun
from spt_whisper.evaluation.rates import RATES
from spt_whisper.text.error_rates import ErrorCounts
from spt_whisper.text.units import RateName
from spt_whisper.training.run_numbers import RunNumbers

_RESAMPLES, _SEED = 1000, 0  # of the bootstrap


@dataclass(frozen=True)
class SeedRates:
    """One error rate under several seeds, in fractions."""

    rates: tuple[float, ...]  # one a seed
    interval: Interval
    """95 % bootstrap interval of the mean: test units drawn, each with its errors of all seeds. It tells how sure
    the mean is of other test speech, not of other seeds."""

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.rates)

    @property
    def deviation(self) -> float | None:
        """Standard deviation over the seeds; none for a single seed."""
        return statistics.stdev(self.rates) if len(self.rates) > 1 else None


@dataclass(frozen=True)
class Change:
    """How many more errors a recipe makes than the first one, in the unit of the main rate, as a fraction of that one's;
    -0.1: 10 % fewer."""

    relative: float
    interval: Interval  # 95 %, of a paired bootstrap over the test units


@dataclass(frozen=True)
class RecipeSummary:
    """One recipe: error rates over its seeds, and what it took."""

    name: str
    seeds: tuple[int, ...]  # those that are finished
    main_rate: RateName
    rates: dict[RateName, SeedRates]  # all of them
    change: Change | None  # none for the first recipe, and on other test speech than its
    last_loss: float | None  # mean over seeds; as the three below none where nothing is fitted
    seconds_per_utterance: float | None  # of training, mean over seeds
    peak_memory_gigabytes: float | None  # highest
    trained_parameters: int
    stored_parameters: int
    file_size: int  # bytes
    normalizer: str
    utterances: int  # scored
    machines: tuple[Machine, ...]


def summarize(
    name: str, runs: Sequence[StoredRun], first: Sequence[StoredRun] = ()
) -> RecipeSummary:
    """Puts the finished runs of one recipe, at least one, into a row.

    Args:
        name: the recipe's.
        runs: its runs, one a seed.
        first: those of the recipe to compare with; none for that recipe itself.
    """
    fits = [run.numbers for run in runs if run.numbers]
    losses = [fit.last_loss for fit in fits if fit.last_loss is not None]
    scores = [run.scores for run in runs]
    main_rate = scores[0].main_rate
    return RecipeSummary(
        name=name,
        seeds=tuple(run.seed for run in runs),
        main_rate=main_rate,
        rates={rate: _seed_rates(_counts(runs, rate)) for rate in RATES},
        change=_change(_counts(first, main_rate), _counts(runs, main_rate)) if first else None,
        last_loss=statistics.fmean(losses) if losses else None,
        seconds_per_utterance=statistics.fmean(map(_seconds_per_utterance, fits)) if fits else None,
        peak_memory_gigabytes=max((fit.peak_memory_gigabytes for fit in fits), default=None),
        trained_parameters=max((fit.trained_parameters for fit in fits), default=0),
        stored_parameters=max((fit.stored_parameters for fit in fits), default=0),
        file_size=max(run.file_size for run in runs),
        normalizer=scores[0].normalizer,
        utterances=scores[0].utterances,
        machines=tuple(dict.fromkeys(run.machine for run in runs)),
    )


def _counts(runs: Iterable[StoredRun], rate: RateName) -> list[list[Counts]]:
    """The errors of a rate, of each seed and unit."""
    return [[getattr(unit, RATES[rate].unit) for unit in run.scores.units] for run in runs]


def _seed_rates(seeds: Sequence[Sequence[Counts]]) -> SeedRates:
    rates = (sum((ErrorCounts(*unit) for unit in seed), ErrorCounts()).rate for seed in seeds)
    return SeedRates(tuple(rates), _pooled_interval(seeds))


def _pooled(seeds: Iterable[Iterable[Counts]]) -> list[ErrorCounts]:
    """The counts of each unit, all seeds together."""
    counts = ((ErrorCounts(*one) for one in seed) for seed in seeds)
    return [sum(unit, ErrorCounts()) for unit in zip(*counts, strict=True)]


def _pooled_interval(seeds: Iterable[Iterable[Counts]]) -> Interval:
    """95 % interval over units, each with its counts of all seeds together."""
    return rate_interval(_pooled(seeds), _RESAMPLES, _SEED)


def _change(first: list[list[Counts]], second: list[list[Counts]]) -> Change | None:
    """Each is counted as often as the other has seeds, so that both are of as many units."""
    before, after = _pooled(first * len(second)), _pooled(second * len(first))
    if [unit.reference_length for unit in before] != [unit.reference_length for unit in after]:
        return None
    return Change(*relative_change(before, after, _RESAMPLES, _SEED))


def _seconds_per_utterance(fit: RunNumbers) -> float:
    return fit.seconds / max(1, fit.utterances * fit.epochs)
