"""A report as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spt_whisper.evaluation.report import Interval, Report

if TYPE_CHECKING:  # the terminal's library, loaded only where a table is made
    from rich.table import Table


def report_table(report: Report) -> Table:
    """One row a system: error rates in per cent with 95 % intervals, word errors, utterances."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"{report.corpus} (text: {report.normalizer})"))
    table.add_column("system")
    for heading in ("WER %", "CER %", "sub / ins / del", "utterances"):
        table.add_column(heading, justify="right")
    for system in report.systems:
        table.add_row(
            Text(system.name),  # not a string, in which rich would read [...] as a style
            Text(_rate(system.wer, system.wer_interval)),
            Text(_rate(system.cer, system.cer_interval)),
            f"{system.substitutions} / {system.insertions} / {system.deletions}",
            str(system.utterances),
        )
    return table


def _rate(rate: float, interval: Interval) -> str:
    low, high = interval
    return f"{100 * rate:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
