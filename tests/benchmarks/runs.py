"""Finished runs made up: a language, and the word errors of some speakers."""

from __future__ import annotations

from collections.abc import Sequence

from finished_runs import FinishedRun

from spt_whisper.evaluation.comparison.run_store import RunScores, UnitCounts
from spt_whisper.text.error_rates import ErrorCounts
from spt_whisper.training.run_numbers import RunNumbers


def finished(row: str, speech: str, wrong: Sequence[int], **more: object) -> FinishedRun:
    """A run in which each speaker said ten words, and so many of them were taken for others."""
    counts = ((10 - n, n, 0, 0) for n in wrong)
    units = tuple(UnitCounts(each, each, each) for each in counts)
    rate = sum((ErrorCounts(*unit.words) for unit in units), ErrorCounts()).rate
    scores = RunScores(
        "basic", rate, rate, (rate, rate), (rate, rate), sum(wrong), 0, 0, len(wrong), "speaker", units,
        "wer",
    )  # fmt: skip
    training = RunNumbers(10.0, 2, 0.5, 1.0, 60, 100, 1000)
    return FinishedRun(row, speech, {"seed": 0}, training, 0.1, scores, **more)  # type: ignore[arg-type]
