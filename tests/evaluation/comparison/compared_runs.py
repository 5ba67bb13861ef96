"""Finished runs without training, for what sums up, stores and draws them."""

from __future__ import annotations

from spt_whisper.evaluation.comparison.machine import Machine
from spt_whisper.evaluation.comparison.run_store import RunScores, StoredRun, UnitCounts
from spt_whisper.training.run_numbers import RunNumbers


def stored_run(name: str, seed: int, wrong: int, fitted: bool = True) -> StoredRun:
    """Ten utterances of ten words and fifty letters; `wrong` words of the first are substituted."""
    first = (10 - wrong, wrong, 0, 0)
    units = [UnitCounts(first, (50 - wrong, wrong, 0, 0), first)]
    units += [UnitCounts((10, 0, 0, 0), (50, 0, 0, 0), (10, 0, 0, 0))] * 9
    scores = RunScores(
        "basic", wrong / 100, wrong / 500, (0.0, 0.1), (0.0, 0.02), wrong, 0, 0, 10, "utterance",
        tuple(units), "wer",
    )  # fmt: skip
    numbers = RunNumbers(20.0, 5, 0.5 + 0.1 * seed, 1.5 + seed, 8, 1200, 600) if fitted else None
    return StoredRun(
        key=f"{seed}" * 64, name=name, seed=seed, recipe={"prompt": {"length": 4}, "limit": None},
        machine=Machine("Test CPU", 2, "2.11.0", None), scores=scores, numbers=numbers,
        file_size=2_500_000 if fitted else 0, timestamp="2026-11-21T08:00:00+00:00",
    )  # fmt: skip
