"""How sure an error rate is: percentile bootstrap over the speakers or utterances of a corpus.

Bisani and Ney, Bootstrap estimates for confidence intervals in ASR performance evaluation (2004).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from spt_whisper.evaluation.utterance_score import UnitErrors, UtteranceScore
from spt_whisper.text.error_rates import ErrorCounts

if TYPE_CHECKING:  # numpy and scipy are loaded only where something is drawn
    import numpy as np

CONFIDENCE = 0.95
FEWEST_SPEAKERS = 5  # fewer than these are resampled by utterance: a handful spans no population
_BATCH = 100  # resamples at a time, which bounds memory on large corpora

Interval = tuple[float, float]
IntervalUnit = Literal["speaker", "utterance"]

REMARKS: dict[IntervalUnit, str] = {
    "speaker": "resampled by speaker",
    "utterance": "resampled by utterance, as if each had its own speaker; too narrow if speakers repeat",
}
"""What a reader of an interval has to know, by what was drawn."""


def drawn_units(scores: Sequence[UtteranceScore]) -> tuple[IntervalUnit, list[UnitErrors]]:
    """What the bootstrap draws, and the errors of each unit.

    Speakers, where every utterance has one and there are at least five; otherwise utterances.
    """
    by_speaker: dict[str | None, UnitErrors] = {}
    for score in scores:
        by_speaker[score.speaker] = by_speaker.get(score.speaker, UnitErrors()) + score.errors
    if None not in by_speaker and len(by_speaker) >= FEWEST_SPEAKERS:
        return "speaker", list(by_speaker.values())
    return "utterance", [score.errors for score in scores]


def rate_interval(counts: Sequence[ErrorCounts], resamples: int, seed: int) -> Interval:
    """95 % interval of the rate of all `counts` together, each of them drawn as a whole.

    A single count gives an interval without width: every draw is that count again.
    """
    if len(counts) == 1:
        return (counts[0].rate, counts[0].rate)
    interval, _ = _draw(_rate, _columns(counts), resamples, seed)
    return interval


def rate_difference(
    first: Sequence[ErrorCounts], second: Sequence[ErrorCounts], resamples: int, seed: int
) -> tuple[Interval, float]:
    """95 % interval of the second rate minus the first, and the probability of improvement.

    Both have the counts of the same units in the same order, and a draw takes a unit from both.
    The probability is the share of draws in which the second rate is the lower one; a draw in
    which they are equal counts half.
    """
    if len(first) == 1:
        difference = second[0].rate - first[0].rate
        return (difference, difference), (1.0, 0.5, 0.0)[(difference > 0) - (difference < 0) + 1]

    def difference_of(
        errors: np.ndarray,
        lengths: np.ndarray,
        second_errors: np.ndarray,
        second_lengths: np.ndarray,
        axis: int,
    ) -> np.ndarray:
        return _rate(second_errors, second_lengths, axis) - _rate(errors, lengths, axis)

    columns = (*_columns(first), *_columns(second))
    interval, drawn = _draw(difference_of, columns, resamples, seed)
    return interval, float((drawn < 0).mean() + (drawn == 0).mean() / 2)


def relative_change(
    first: Sequence[ErrorCounts], second: Sequence[ErrorCounts], resamples: int, seed: int
) -> tuple[float, Interval]:
    """How many errors the second makes by those of the first, minus 1, and its 95 % interval; -0.05: 5 % fewer.

    Both have the counts of the same units in the same order, and a draw takes a unit from both. A first one without errors
    counts as one with a single error.
    """
    (errors, _), (second_errors, _) = _columns(first), _columns(second)
    change = float(_change(errors, second_errors, axis=0))
    if len(first) == 1:
        return change, (change, change)
    interval, _ = _draw(_change, (errors, second_errors), resamples, seed)
    return change, interval


def _change(errors: np.ndarray, second_errors: np.ndarray, axis: int) -> np.ndarray:
    return second_errors.sum(axis=axis) / errors.sum(axis=axis).clip(min=1) - 1


def _columns(counts: Sequence[ErrorCounts]) -> tuple[np.ndarray, np.ndarray]:
    """Errors and reference lengths, (units,) each."""
    import numpy as np

    errors = np.array([count.errors for count in counts])
    return errors, np.array([count.reference_length for count in counts])


def _rate(errors: np.ndarray, lengths: np.ndarray, axis: int) -> np.ndarray:
    return errors.sum(axis=axis) / lengths.sum(axis=axis).clip(min=1)


def _draw(
    statistic: Callable[..., Any], columns: tuple[np.ndarray, ...], resamples: int, seed: int
) -> tuple[Interval, np.ndarray]:
    """The interval of `statistic`, and its value in every draw."""
    import numpy as np
    from scipy.stats import bootstrap

    result = bootstrap(
        columns,
        statistic,
        paired=True,  # all that is known of a unit stays together
        vectorized=True,
        n_resamples=resamples,
        batch=_BATCH,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return (float(low), float(high)), result.bootstrap_distribution
