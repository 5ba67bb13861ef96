"""Runs of one recipe as a row: means, spread, and an interval that pools the seeds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spt_whisper.evaluation.bootstrap import rate_interval
from spt_whisper.evaluation.comparison.run_store import StoredRun
from spt_whisper.evaluation.comparison.summary import summarize
from spt_whisper.text.error_rates import ErrorCounts
from tests.evaluation.comparison.compared_runs import stored_run


def test_rates_are_means_over_seeds_with_their_spread() -> None:
    row = summarize(
        "slots", [stored_run("slots", seed, wrong) for seed, wrong in enumerate((2, 4, 9))]
    )
    assert row.seeds == (0, 1, 2)
    assert row.rates["wer"].rates == (0.02, 0.04, 0.09)
    assert row.rates["wer"].mean == pytest.approx(0.05)
    assert row.rates["wer"].deviation == pytest.approx(
        0.0360555
    )  # sqrt((0.03^2 + 0.01^2 + 0.04^2) / 2)
    assert row.rates["cer"].mean == pytest.approx(0.01)


def test_the_interval_draws_an_utterance_with_its_errors_of_all_seeds() -> None:
    row = summarize("slots", [stored_run("slots", 0, 2), stored_run("slots", 1, 8)])
    pooled = [ErrorCounts(10, 10), *[ErrorCounts(20)] * 9]  # 2 + 8 of 20 words wrong in the first
    assert row.rates["wer"].interval == rate_interval(pooled, 1000, 0)
    assert row.rates["wer"].interval[0] <= row.rates["wer"].mean <= row.rates["wer"].interval[1]


def test_costs_are_means_and_peaks() -> None:
    row = summarize("slots", [stored_run("slots", 0, 2), stored_run("slots", 1, 4)])
    assert row.last_loss == pytest.approx(0.55)
    assert row.seconds_per_utterance == pytest.approx(0.5)  # 20 s, 8 utterances, 5 epochs
    assert row.peak_memory_gigabytes == 2.5
    assert (row.trained_parameters, row.stored_parameters, row.file_size) == (1200, 600, 2_500_000)
    assert [str(machine) for machine in row.machines] == ["Test CPU, 2 cores, torch 2.11.0, no GPU"]


def test_what_is_not_fitted_has_no_costs_and_one_seed_no_deviation() -> None:
    row = summarize("zero_shot", [stored_run("zero_shot", 0, 5, fitted=False)])
    assert row.last_loss is row.seconds_per_utterance is row.peak_memory_gigabytes is None
    assert (row.trained_parameters, row.stored_parameters, row.file_size) == (0, 0, 0)
    assert row.rates["wer"].deviation is None


def test_the_change_is_of_errors_whatever_the_number_of_seeds() -> None:
    first = [stored_run("lora", 0, 4), stored_run("lora", 1, 8)]  # 6 errors, the mean
    row = summarize("slots", [stored_run("slots", 0, 3)], first)
    assert row.change is not None
    assert row.change.relative == pytest.approx(-0.5)
    assert row.change.interval[0] <= -0.5 <= row.change.interval[1]
    assert summarize("lora", first).change is None


def test_the_change_is_of_the_rate_that_says_most() -> None:
    def chinese(name: str, wrong: int) -> StoredRun:
        run = stored_run(name, 0, wrong)
        # one long word an utterance, as without blanks: every one is wrong
        units = tuple(replace(unit, words=(0, 1, 0, 0)) for unit in run.scores.units)
        return replace(run, scores=replace(run.scores, units=units, main_rate="cer"))

    row = summarize("slots", [chinese("slots", 2)], [chinese("lora", 8)])
    assert row.rates["wer"].mean == 1.0
    assert row.rates["cer"].mean == pytest.approx(2 / 500)
    assert row.change is not None
    assert row.change.relative == pytest.approx(-0.75)


def test_other_test_speech_is_not_compared() -> None:
    run = stored_run("lora", 0, 4)
    shorter = replace(run, scores=replace(run.scores, units=run.scores.units[:9]))
    assert summarize("slots", [stored_run("slots", 0, 3)], [shorter]).change is None
