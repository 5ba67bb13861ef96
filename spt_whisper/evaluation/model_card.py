"""The model card of a prompt or a bank that is to be published, with the scores of a report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from spt_whisper.errors import InputError
from spt_whisper.evaluation.bootstrap import REMARKS
from spt_whisper.evaluation.learned import digests_of
from spt_whisper.evaluation.rates import RATES
from spt_whisper.evaluation.report import REPORT_FILE, Report
from spt_whisper.evaluation.system_score import SystemScore
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.readme import Publication, Score, render_bank_readme, render_readme


def model_card(
    subject: Prompt | Bank, name: str, license: str | None = None, report: str | None = None
) -> str:
    """Returns the README.md with which a prompt or a bank is published.

    Args:
        subject: what is published.
        name: hub id under which it will be found.
        license: as the hub names it; None: not stated.
        report: a report.json of it, or the folder in which that lies.

    Raises:
        InputError: there is no such report, it is broken, or it is of something else.
    """
    learned = "prompt" if isinstance(subject, Prompt) else "bank"
    scores = _read_scores(Path(report), learned, digests_of(subject)) if report else []
    publication = Publication(name, license, scores, learned)
    if isinstance(subject, Prompt):
        return render_readme(subject.config, subject.card, publication)
    cards = {language: subject.card(language) for language in subject.languages}
    return render_bank_readme(cards, publication)


def _read_scores(path: Path, learned: str, digests: Mapping[str, str]) -> list[Score]:
    """The rates that a report's own table shows, of each of its systems; a bank may have grown since."""
    path = path / REPORT_FILE if path.is_dir() else path
    report = Report.read(path)
    names = [system.name for system in report.systems]
    if learned not in names:
        raise InputError(
            f"{path}: scores {', '.join(names) or 'nothing'}; wanted a report of `evaluate --{learned}`"
        )
    scored = report.settings.get("digests") or {"prompt": "not told"}
    if not scored.items() <= digests.items():
        raise InputError(
            f"{path}: is of another {learned} than this one; score this one with `evaluate --{learned}`"
        )
    return [score for system in report.systems for score in _scores(report, system)]


def _scores(report: Report, system: SystemScore) -> list[Score]:
    text = f"normalizer {report.normalizer}; intervals of 95 %: {REMARKS[system.interval_unit]}"
    scores = []
    for rate in RATES[system.main_rate].shown:
        low, high = getattr(system, f"{rate}_interval")
        value, low, high = (round(100 * each, 1) for each in (getattr(system, rate), low, high))
        scores.append(
            Score(
                report.corpus,
                system.name,
                RATES[rate].title,
                value,
                low,
                high,
                system.utterances,
                text,
            )
        )
    return scores
