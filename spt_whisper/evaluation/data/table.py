"""A corpus check as tables for the terminal, readable at 100 columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from spt_whisper.errors import first_of
from spt_whisper.evaluation.data.check import LENGTH_BINS, CorpusCheck, PartSummary
from spt_whisper.evaluation.data.findings import Finding, Level
from spt_whisper.printable import cell

_STYLES: dict[Level, str] = {"error": "bold red", "warning": "yellow"}
_BAR = 24  # characters of the longest bar
_LANGUAGES = 4  # named in one row


def check_tables(check: CorpusCheck) -> Iterator[RenderableType]:
    """Yields sizes, lengths, expensive characters and findings, then the verdict."""
    yield _sizes(check)
    yield _lengths(check)
    if check.characters:
        yield _characters(check)
    if check.findings:
        yield _findings(check)
    yield _verdict(check)


def _sizes(check: CorpusCheck) -> Table:
    table = Table(title=cell(f"{check.corpus} (tokens: {check.model})"), title_justify="left")
    table.add_column("part")
    for heading in ("utterances", "hours", "speakers", "tokens / s"):
        table.add_column(cell(heading), justify="right")
    table.add_column("languages")
    for part in check.parts:
        row = (
            part.name,
            f"{part.utterances:,}",
            f"{part.seconds / 3600:,.3f}",
            "not known" if part.speakers is None else f"{part.speakers:,}",
            f"{part.tokens / part.seconds:.1f}" if part.seconds else "",
            _languages(part),
        )
        table.add_row(*map(cell, row))
    return table


def _languages(part: PartSummary) -> str:
    return first_of([f"{code} {count:,}" for code, count in part.languages.items()], _LANGUAGES)


def _lengths(check: CorpusCheck) -> Table:
    table = Table(title="utterances by length", title_justify="left")
    table.add_column("seconds", justify="right")
    for part in check.parts:
        table.add_column(cell(part.name), justify="right")
    table.add_column("all")
    totals = [sum(counts) for counts in zip(*(part.lengths for part in check.parts), strict=True)]
    used = [index for index, total in enumerate(totals) if total] or [0]
    for index in range(used[0], used[-1] + 1):
        last = index == len(LENGTH_BINS) - 1
        upper = "and more" if last else f"- {LENGTH_BINS[index + 1]}"
        bar = "█" * round(_BAR * totals[index] / max(*totals, 1))
        counts = (f"{part.lengths[index]:,}" for part in check.parts)
        table.add_row(*map(cell, (f"{LENGTH_BINS[index]} {upper}", *counts, bar)))
    return table


def _characters(check: CorpusCheck) -> Table:
    table = Table(title="characters of more than one token", title_justify="left")
    table.add_column("character")
    table.add_column("tokens each", justify="right")
    table.add_column("times", justify="right")
    for cost in check.characters:
        name = unicodedata.name(cost.character, f"U+{ord(cost.character):04X}")
        # a mark alone would be drawn over its neighbor: a dotted circle carries it
        carried = "\u25cc" if unicodedata.combining(cost.character) else ""
        label = f"{carried}{cost.character}  {name.lower()}"
        table.add_row(*map(cell, (label, cost.tokens, f"{cost.count:,}")))
    return table


def _findings(check: CorpusCheck) -> Table:
    table = Table(title="findings", title_justify="left")
    for heading in ("level", "part", "what"):
        table.add_column(heading)
    table.add_column("how many", justify="right")
    table.add_column("which")
    for finding in check.findings:
        level = cell(finding.level, _STYLES[finding.level])
        count = f"{finding.count:,}" if finding.count else ""
        table.add_row(level, *map(cell, (finding.part, finding.what, count)), _which(finding))
    return table


def _which(finding: Finding) -> Text:
    more = finding.count - len(finding.examples)
    names = " ".join(finding.examples) + (f" and {more:,} more" if more > 0 else "")
    return Text("\n").join(cell(line) for line in (names, finding.reason) if line)


def _verdict(check: CorpusCheck) -> Text:
    if check.fit_to_train:
        return cell("fit to train on", "bold green")
    errors = [finding for finding in check.findings if finding.level == "error"]
    reasons = "; ".join(f"{finding.part}: {finding.what}" for finding in errors)
    return cell(f"unfit to train on: {reasons}", _STYLES["error"])
