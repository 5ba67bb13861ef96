"""Tables for the terminal that show where the errors of a report are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spt_whisper.evaluation.rates import RATES
from spt_whisper.evaluation.report import Report
from spt_whisper.evaluation.system_score import SystemScore
from spt_whisper.printable import cell
from spt_whisper.text.error_rates import ErrorCounts

if TYPE_CHECKING:  # the terminal's library, loaded only where a table is made
    from rich.table import Table

_LISTED = ("duration", "language", "switching")  # groupings; speakers are many: in report.json


def detail_tables(report: Report) -> list[Table]:
    """Errors by language and at switches, then by group of utterances, where there are several."""
    from rich.table import Table

    tables = []
    for title, first, rows in (
        ("errors by language", "said", _switching_rows(report)),
        ("errors by group of utterances", "group", _group_rows(report)),
    ):
        table = Table(title=title)
        for heading in ("system", first):
            table.add_column(cell(heading))
        for heading in ("number", "errors %"):
            table.add_column(cell(heading), justify="right")
        for row in rows:
            table.add_row(*map(cell, row))
        if rows:
            tables.append(table)
    return tables


TableRow = tuple[str, str, str, str]


def _switching_rows(report: Report) -> list[TableRow]:
    if not any(len(system.switching.by_language) > 1 for system in report.systems):
        return []
    return [row for system in report.systems for row in _language_rows(system)]


def _language_rows(system: SystemScore) -> list[TableRow]:
    switching = system.switching
    counts = dict(switching.by_language)
    if switching.switches:
        counts[f"at {switching.switches} switches"] = switching.at_switches
    return [
        *(_count_row(system, name, own) for name, own in counts.items()),
        *(
            (system.name, f"{row.spoken}, heard as {row.recognized}", str(row.units), "")
            for row in switching.confusions
        ),
    ]


def _count_row(system: SystemScore, name: str, counts: ErrorCounts) -> TableRow:
    told = (
        f"{100 * counts.rate:.1f}" if counts.reference_length else f"{counts.insertions} inserted"
    )
    return (system.name, name, str(counts.reference_length), told)


def _group_rows(report: Report) -> list[TableRow]:
    return [
        (
            system.name,
            f"{group.by}: {group.group}",
            str(group.utterances),
            f"{100 * getattr(group.rates, system.main_rate):.1f} {RATES[system.main_rate].title}",
        )
        for system in report.systems
        for group in system.breakdown
        if group.by in _LISTED
    ]
