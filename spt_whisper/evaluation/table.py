"""A report as a table for the terminal; `detail_tables.py` shows where the errors are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spt_whisper.evaluation.bootstrap import REMARKS, Interval
from spt_whisper.evaluation.paired import PairedComparison
from spt_whisper.evaluation.rates import RATES
from spt_whisper.evaluation.report import Report
from spt_whisper.evaluation.system_score import SystemScore
from spt_whisper.printable import cell, printable
from spt_whisper.text.units import RateName

if TYPE_CHECKING:  # the terminal's library, loaded only where a table is made
    from rich.table import Table


def report_table(report: Report) -> Table:
    """One row a system: error rates in percent with 95 % intervals, the main one first, then raw.

    Below it: what was done to the text, what the intervals are of, each system against the first.
    """
    from rich.table import Table
    from rich.text import Text

    rates = RATES[report.systems[0].main_rate if report.systems else "wer"].shown
    table = Table(title=cell(f"{report.corpus} (text: {report.normalizer})"))
    table.add_column(cell("system"))
    counts = ("sub / ins / del", "hallucinated", "utterances")
    for heading in (*(f"{RATES[rate].title} %" for rate in rates), "raw %", *counts):
        table.add_column(cell(heading), justify="right")
    for system in report.systems:
        errors = getattr(system.errors, RATES[rates[0]].unit)
        table.add_row(
            cell(system.name),
            *(cell(_rate(system, rate)) for rate in rates),
            cell(f"{100 * getattr(system.raw, rates[0]):.1f}" if system.raw else "-"),
            cell(f"{errors.substitutions} / {errors.insertions} / {errors.deletions}"),
            cell(system.hallucination.utterances),
            cell(system.utterances),
        )
    table.caption = Text("\n".join(map(printable, _remarks(report))))
    table.caption_justify = "left"
    return table


def _rate(system: SystemScore, rate: RateName) -> str:
    low, high = _per_cent(getattr(system, f"{rate}_interval"))
    return f"{100 * getattr(system, rate):.1f} [{low}, {high}]"


def _per_cent(interval: Interval) -> tuple[str, str]:
    low, high = interval
    return f"{100 * low:.1f}", f"{100 * high:.1f}"


def _remarks(report: Report) -> list[str]:
    steps = dict.fromkeys(system.steps for system in report.systems if system.steps)
    units = dict.fromkeys(system.interval_unit for system in report.systems)
    return [
        *(f"text: {', '.join(each)}" for each in steps),
        *(f"95 % intervals: {REMARKS[unit]}" for unit in units),
        *(_comparison(each) for each in report.comparisons),
    ]


def _comparison(comparison: PairedComparison) -> str:
    low, high = _per_cent(comparison.interval)
    return (
        f"{comparison.second} against {comparison.first}: {RATES[comparison.rate].title} "
        f"{100 * comparison.difference:+.1f} points [{low}, {high}], "
        f"better with probability {comparison.probability:.3f}"
    )
