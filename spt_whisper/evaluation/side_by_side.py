"""Error rates of parts of a corpus, all systems side by side: by group of utterances, by language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spt_whisper.evaluation.breakdown import GROUPINGS
from spt_whisper.evaluation.report import Report
from spt_whisper.evaluation.system_score import SystemScore
from spt_whisper.text.error_rates import ErrorCounts

MOST_ROWS = 20  # of one table; speakers may be thousands


@dataclass(frozen=True)
class Cell:
    """One part of the corpus and one system."""

    number: int  # utterances, or units of the reference
    rate: float  # a fraction


@dataclass(frozen=True)
class PartRow:
    """One part of the corpus; a system that has nothing of it has None."""

    part: str
    number: int
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class PartsTable:
    """One way to take a corpus apart."""

    title: str
    counted: str  # what `number` counts
    rows: tuple[PartRow, ...]  # at most MOST_ROWS
    left_out: int  # rows behind those


def parts_tables(report: Report) -> list[PartsTable]:
    """Tables by every grouping that splits the corpus, and by language where several were said."""
    grouped = [
        (f"by {by}", "utterances", [_groups(by, system) for system in report.systems])
        for by in GROUPINGS
    ]
    several = any(len(system.switching.by_language) > 1 for system in report.systems)
    languages = [_languages(system) if several else {} for system in report.systems]
    spoken = ("by language said, and at switches", "units", languages)
    return [_table(*given) for given in (*grouped, spoken) if any(given[2])]


def _groups(by: str, system: SystemScore) -> dict[str, Cell]:
    return {
        score.group: Cell(score.utterances, getattr(score.rates, system.main_rate))
        for score in system.breakdown
        if score.by == by
    }


def _languages(system: SystemScore) -> dict[str, Cell]:
    switching = system.switching
    counts = {**switching.by_language, f"at {switching.switches} switches": switching.at_switches}
    # of what nobody said there is no rate
    return {name: _cell(own) for name, own in counts.items() if own.reference_length}


def _cell(counts: ErrorCounts) -> Cell:
    return Cell(counts.reference_length, counts.rate)


def _table(title: str, counted: str, columns: Sequence[dict[str, Cell]]) -> PartsTable:
    rows = tuple(_rows(columns))
    return PartsTable(title, counted, rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS))


def _rows(columns: Sequence[dict[str, Cell]]) -> Iterator[PartRow]:
    for part in dict.fromkeys(part for column in columns for part in column):
        cells = tuple(column.get(part) for column in columns)
        yield PartRow(part, max(cell.number for cell in cells if cell), cells)
