"""The cheapest path, against one found cell by cell."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from spt_whisper.whisper.time_warping import first_frames


def cheapest(cost: np.ndarray) -> float:
    """The cost of the cheapest path, worked out one cell after the other."""
    best = np.full((cost.shape[0] + 1, cost.shape[1] + 1), np.inf)
    best[0, 0] = 0
    for token, frame in itertools.product(range(cost.shape[0]), range(cost.shape[1])):
        before = min(best[token, frame], best[token, frame + 1], best[token + 1, frame])
        best[token + 1, frame + 1] = cost[token, frame] + before
    return float(best[-1, -1])


def cost_of(entered: np.ndarray, cost: np.ndarray) -> float:
    """The cost of the path that enters the tokens there, each after or in the last frame of the one before."""
    total = cost[-1, entered[-1] :].sum()
    for token, (first, after) in enumerate(itertools.pairwise(entered)):
        here = cost[token, first : after + 1]
        total += here.sum() if after == first else min(here.sum(), here[:-1].sum())
    return float(total)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (3, 3), (5, 40), (40, 5), (12, 200)])
def test_the_path_is_the_cheapest(shape: tuple[int, int]) -> None:
    cost = np.random.default_rng(sum(shape)).normal(size=shape)
    entered = first_frames(cost)
    assert entered[0] == 0
    assert (np.diff(entered) >= 0).all()
    assert cost_of(entered, cost) == pytest.approx(cheapest(cost))


def test_a_clear_diagonal() -> None:
    cost = np.ones((3, 9))
    cost[0, :2] = cost[1, 2:7] = cost[2, 7:] = -1
    assert first_frames(cost).tolist() == [0, 2, 7]
