"""Dynamic time warping: the cheapest way through tokens and frames that goes back in neither."""

from __future__ import annotations

import numpy as np


def first_frames(cost: np.ndarray) -> np.ndarray:
    """Finds the cheapest path from the first token and frame to the last of both.

    A step goes to the next frame, to the next token, or to the next of both. To enter a token at frame k and leave it
    at frame j costs `into[k] + total[j + 1] - total[k]`, so the best k for every j is a running minimum: a token takes
    a few array operations, not a loop over frames.

    Args:
        cost: of each token at each frame, (T, F).

    Returns:
        The frame at which the path enters each token, (T,), from 0 up.
    """
    tokens, frames = cost.shape
    total = np.pad(cost.cumsum(axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    entering = np.empty((tokens, frames))  # [t, k]: into[k] - total[k]
    reached = np.full((tokens + 1, frames + 1), np.inf)  # [t + 1, f + 1]: token t at frame f
    reached[0, 0] = 0.0
    for token in range(tokens):
        into = np.minimum(reached[token, :-1], reached[token, 1:])
        entering[token] = into - total[token, :-1]
        reached[token + 1, 1:] = np.minimum.accumulate(entering[token]) + total[token, 1:]
    entered = np.zeros(tokens, dtype=int)
    frame = frames - 1
    for token in reversed(range(tokens)):
        frame = entered[token] = int(entering[token, : frame + 1].argmin())
        frame -= int(reached[token, frame] <= reached[token, frame + 1])
    return entered
