"""A comparison as a table: for the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.atomic import write_text
from spt_whisper.evaluation.comparison.summary import Change, RecipeSummary
from spt_whisper.evaluation.rates import RATES
from spt_whisper.printable import cell
from spt_whisper.text.units import RateName

if TYPE_CHECKING:  # the terminal's library, loaded only where a table is made
    from rich.table import Table

CellText = Callable[[RecipeSummary], str]

_COSTS: dict[str, CellText] = {
    "last loss": lambda row: _optional(row.last_loss, ".4f"),
    "trained": lambda row: f"{row.trained_parameters:,}",
    "stored": lambda row: f"{row.stored_parameters:,}",
    "file MB": lambda row: f"{row.file_size / 1e6:.2f}",
    "s / utterance": lambda row: _optional(row.seconds_per_utterance, ".3f"),
    "peak GiB": lambda row: _optional(row.peak_memory_gigabytes, ".2f"),
}


def columns(rows: Sequence[RecipeSummary]) -> dict[str, CellText]:
    """The table's columns by heading: the rates are those that say most about the first row's test part."""
    shown: dict[str, CellText] = {
        "recipe": lambda row: row.name,
        "seeds": lambda row: str(len(row.seeds)),
    }
    main, *others = RATES[rows[0].main_rate].shown
    shown |= {
        f"{RATES[main].title} % [95 %]": partial(_rate, main),
        "change % [95 %]": lambda row: _changed(row.change),
        f"{RATES[main].title} spread (sd)": partial(_spread, main),
    }
    for rate in others:
        shown[f"{RATES[rate].title} % [95 %]"] = partial(_rate, rate)
        shown[f"{RATES[rate].title} spread (sd)"] = partial(_spread, rate)
    return shown | _COSTS


def comparison_table(rows: Sequence[RecipeSummary]) -> Table:
    """One row a recipe, in the given order."""
    from rich.table import Table

    table, shown = Table(), columns(rows)
    for heading in shown:
        table.add_column(cell(heading), justify="left" if heading == "recipe" else "right")
    for row in rows:
        table.add_row(*(cell(text(row)) for text in shown.values()))
    return table


def write_markdown(rows: Sequence[RecipeSummary], failed: Sequence[str], path: Path) -> None:
    """Writes the table with what its numbers mean and what is missing, whole or not at all.

    Args:
        rows: the recipes.
        failed: the runs that are not in the table, by name.
        path: the Markdown file.
    """
    shown = columns(rows)
    cells: list[list[str]] = [list(shown), ["---"] * len(shown)]
    cells += [[text(row).replace("|", r"\|") for text in shown.values()] for row in rows]
    table = "".join(f"| {' | '.join(line)} |\n" for line in cells)
    write_text(path, table + "\n" + "".join(f"- {note}\n" for note in _notes(rows, failed)))


def _notes(rows: Sequence[RecipeSummary], failed: Sequence[str]) -> list[str]:
    scored = dict.fromkeys(
        f"{row.utterances} utterances, normalizer {row.normalizer}" for row in rows
    )
    machines = dict.fromkeys(str(machine) for row in rows for machine in row.machines)
    return [
        "Rates are means over the seeds. The 95 % interval is a bootstrap over the test speech, all seeds together; "
        "the spread is lowest to highest seed, with the standard deviation.",
        f"Change is that of the errors behind the {RATES[rows[0].main_rate].name.lower()} against the first row, in percent of "
        "its errors: a paired bootstrap over the test speech; below 0 is better.",
        f"Scored on {'; '.join(scored)}.",
        "Seconds are those of training, for each utterance and epoch; peak memory is that of training.",
        f"Made on {'; '.join(machines)}.",
        *(f"Not finished: {name}." for name in failed),
    ]


def _rate(name: RateName, row: RecipeSummary) -> str:
    rates = row.rates[name]
    low, high = rates.interval
    return f"{100 * rates.mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _changed(change: Change | None) -> str:
    if change is None:
        return "-"
    low, high = change.interval
    return f"{100 * change.relative:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _spread(name: RateName, row: RecipeSummary) -> str:
    rates = row.rates[name]
    if rates.deviation is None:
        return "-"
    return (
        f"{100 * min(rates.rates):.1f}-{100 * max(rates.rates):.1f} ({100 * rates.deviation:.1f})"
    )


def _optional(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
