"""The table of language expansion: error rates pooled over the languages, each row against one of them, and what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from finished_runs import FinishedRun, percent, print_markdown

from spt_whisper.evaluation.bootstrap import rate_interval, relative_change
from spt_whisper.text.error_rates import ErrorCounts

RESAMPLES, SEED = 10_000, 0  # of the bootstrap


@dataclass(frozen=True)
class Cost:
    """What a row trains and stores: for a language of its own, and, with a bank, once for all of its languages."""

    own: int
    shared: int
    seconds: float  # of training a language, the mean
    shared_seconds: float  # of training a bank, the mean


def cost(runs: Sequence[FinishedRun]) -> Cost:
    """Returns what a row took."""
    numbers, banks = runs[0].training, {run.shared for run in runs if run.shared}
    return Cost(
        numbers.trained_parameters,
        numbers.stored_parameters - numbers.trained_parameters if banks else 0,
        fmean(run.training.seconds for run in runs),
        fmean(bank.seconds for bank in banks) if banks else 0.0,
    )


def pooled(runs: Sequence[FinishedRun]) -> list[ErrorCounts]:
    """Returns the word errors of every unit of every run."""
    return [unit for run in runs for unit in run.words]


def table_row(runs: Sequence[FinishedRun], baseline: Sequence[FinishedRun]) -> list[str]:
    """Returns the cells of a row; the baseline's runs are of the same languages in the same order."""
    words, before, took = pooled(runs), pooled(baseline), cost(runs)
    if [unit.reference_length for unit in words] != [unit.reference_length for unit in before]:
        raise SystemExit(f"{runs[0].row}: was scored on other utterances than {baseline[0].row}")
    rate = sum(words, ErrorCounts()).rate
    change, interval = relative_change(before, words, RESAMPLES, SEED)
    return [
        runs[0].row,
        percent(rate, rate_interval(words, RESAMPLES, SEED)),
        "" if runs == baseline else percent(change, interval, "+.1f"),
        *(f"{100 * run.scores.wer:.1f}" for run in runs),
        f"{took.own:,}",
        f"{took.shared:,}",
        f"{took.seconds:.0f}",
        f"{took.shared_seconds:.0f}",
    ]


def print_table(runs: Sequence[FinishedRun], baseline: str) -> None:
    """Prints the rows on the languages that all of them have, the rest left out, as Markdown."""
    rows = {run.row: {r.speech: r for r in runs if r.row == run.row} for run in runs}
    languages = [
        speech for speech in rows.get(baseline, {}) if all(speech in own for own in rows.values())
    ]
    if not languages:
        print(f"no table yet: wanted {baseline} and the other rows on the same languages")
        return
    compared = [rows[baseline][language] for language in languages]
    clips = sum(run.scores.utterances for run in compared)
    decisive = {key: value for run in runs for key, value in run.settings.items()}
    settings = ", ".join(
        f"{key.replace('_', ' ')} {'default' if value is None else value}"
        for key, value in decisive.items()
    )
    print(f"\n{clips} clips of {len(languages)} languages; {settings}\n")
    heading = [
        "system", "WER % (95 %)", f"change to {baseline}, % (95 %)", *languages, "parameters of a language",
        "parameters they share", "s to train a language", "s to train a bank",
    ]  # fmt: skip
    print_markdown(
        heading, [table_row([own[each] for each in languages], compared) for own in rows.values()]
    )
