"""A report as one HTML file that needs nothing else: figures, tables, the worst utterances, audio."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import spt_whisper
from spt_whisper.atomic import write_text
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.evaluation.bootstrap import REMARKS
from spt_whisper.evaluation.players import audio_addresses
from spt_whisper.evaluation.rates import RATES
from spt_whisper.evaluation.report import Report
from spt_whisper.evaluation.side_by_side import PartsTable, parts_tables
from spt_whisper.evaluation.system_score import SystemScore
from spt_whisper.evaluation.worst import WorstUtterance, best_system, worst_utterances
from spt_whisper.text.error_rates import ErrorCounts
from spt_whisper.text.units import RateName


def write_html(report: Report, path: str | Path, utterances: Iterable[Utterance] = ()) -> None:
    """Writes `report` as a page at `path`, whole or not at all.

    The page loads nothing and runs no script. Its length is bounded whatever the corpus: long
    texts are cut, and what a table or an alignment leaves out is counted.

    Args:
        report: what to show.
        path: the file to write.
        utterances: where the audio is, by id; the worst ones that are among them get a player.

    Raises:
        InputError: the audio of one of them is missing or cannot be read.
    """
    from spt_whisper.templates import page_templates

    templates = page_templates(
        "spt_whisper.evaluation", per_cent=_per_cent, language_tag=_language_tag
    )
    page = _Page(report, tuple(utterances), datetime.now(UTC))
    write_text(path, templates.get_template("report.html").render(page=page))


@dataclass(frozen=True)
class _Page:
    """What the template shows, each part worked out when the template comes to it."""

    report: Report
    utterances: tuple[Utterance, ...]
    written: datetime
    version: str = spt_whisper.__version__

    @property
    def rates(self) -> tuple[RateName, ...]:
        """Rates of the table of systems, the main one first."""
        return RATES[self.report.systems[0].main_rate if self.report.systems else "wer"].shown

    @property
    def rate_titles(self) -> dict[RateName, str]:
        """What the rates are called."""
        return {name: rate.title for name, rate in RATES.items()}

    @property
    def best(self) -> SystemScore | None:
        """The system with the lowest rate."""
        return best_system(self.report.systems)

    @property
    def furthest(self) -> float:
        """The rate at the right end of the picture, as a fraction."""
        ends = (max(system.rate, system.interval[1]) for system in self.report.systems)
        return max(ends, default=0.0) or 1.0

    def errors(self, system: SystemScore) -> ErrorCounts:
        """Counts behind the main rate."""
        return getattr(system.errors, RATES[self.rates[0]].unit)

    @property
    def normalizations(self) -> list[tuple[str, ...]]:
        """Steps that ran over the texts: one row, unless systems were scored differently."""
        return list(dict.fromkeys(system.steps for system in self.report.systems if system.steps))

    @property
    def interval_remarks(self) -> list[str]:
        """What a reader of the intervals has to know."""
        units = dict.fromkeys(system.interval_unit for system in self.report.systems)
        return [REMARKS[unit] for unit in units]

    @property
    def parts(self) -> list[PartsTable]:
        """Where the errors are."""
        return parts_tables(self.report)

    @property
    def settings(self) -> list[tuple[str, str]]:
        """Names with dots, and values."""
        return list(_flat(self.report.settings))

    @cached_property
    def worst(self) -> list[WorstUtterance]:
        """The utterances with the most errors."""
        return worst_utterances(self.report.systems)

    @cached_property
    def players(self) -> dict[str, str]:
        """Addresses of audio by the id of a worst utterance, worst first."""
        by_id = {utterance.id: utterance for utterance in self.utterances}
        ids = [worst.reference.id for worst in self.worst]
        return audio_addresses(by_id[each] for each in ids if each in by_id)


def _flat(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", "none" if value is None else str(value)


def _per_cent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _language_tag(codes: tuple[str, ...]) -> str:
    """Value of HTML's `lang` for a corpus's codes; "" means unknown."""
    return codes[0].replace("_", "-") if codes else ""
