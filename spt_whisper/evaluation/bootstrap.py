"""How sure an error rate is: percentile bootstrap over the speakers or utterances of a corpus."""

from __future__ import annotations

from collections.abc import Sequence

from spt_whisper.text.error_rates import ErrorCounts

CONFIDENCE = 0.95
_BATCH = 100  # resamples at a time, which bounds memory on large corpora


def rate_interval(counts: Sequence[ErrorCounts], resamples: int, seed: int) -> tuple[float, float]:
    """95 % interval of the rate of all `counts` together, each of them drawn as a whole.

    A single count gives an interval without width: every draw is that count again.
    """
    import numpy as np
    from scipy.stats import bootstrap

    if len(counts) == 1:
        return (counts[0].rate, counts[0].rate)
    errors = np.array([count.errors for count in counts])  # (units,)
    lengths = np.array([count.reference_length for count in counts])  # (units,)

    def rate(drawn_errors: np.ndarray, drawn_lengths: np.ndarray, axis: int) -> np.ndarray:
        return drawn_errors.sum(axis=axis) / np.maximum(1, drawn_lengths.sum(axis=axis))

    drawn = bootstrap(
        (errors, lengths),
        rate,
        paired=True,  # errors and words of a unit stay together
        vectorized=True,
        n_resamples=resamples,
        batch=_BATCH,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = drawn.confidence_interval
    return (float(low), float(high))
