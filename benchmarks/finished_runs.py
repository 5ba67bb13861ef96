"""What tables of real speech are made of: commands of this checkout, and what was trained and scored, one JSON a run."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from spt_whisper.atomic import write_text
from spt_whisper.evaluation.comparison.run_store import RunScores, run_scores
from spt_whisper.evaluation.report import Report
from spt_whisper.text.error_rates import ErrorCounts
from spt_whisper.training.run_numbers import RunNumbers

ROOT = Path(__file__).resolve().parent.parent
Settings = dict[str, Any]  # of a benchmark, as JSON values
# of docs/results.md
NO_DROPOUT = ("--optimizer.slot_dropout", "0")  # as the runs in docs/results were trained
FULL = ("--config", str(ROOT / "recipes" / "kichwa" / "full.yaml"))
BEST_LORA = ("--method", "lora", "--lora.targets", "feed_forward", "--lora.rank", "10")


@dataclass(frozen=True)
class FinishedRun:
    """Something trained and scored on one test part."""

    row: str
    speech: str  # what is trained on and scored: a language, or minutes of one
    settings: Settings  # what else decides the figures
    training: RunNumbers
    hours: float  # of training speech
    scores: RunScores
    tokens: tuple[str, ...] = ()  # Whisper language tokens that stand for the language
    shared: RunNumbers | None = None  # training of the bank that it was added to
    digests: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the numbers of every prompt that could be used after the training, the newest last."""

    @property
    def words(self) -> list[ErrorCounts]:
        """Word errors of each unit that a bootstrap draws: a speaker, or an utterance where speakers are not known."""
        return [ErrorCounts(*unit.words) for unit in self.scores.units]


def spt_whisper(*arguments: str) -> None:
    """Runs a command of this checkout, and stops where it fails."""
    print("$ spt-whisper", *arguments, flush=True)
    done = subprocess.run([sys.executable, "-m", "spt_whisper", *arguments], cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"spt-whisper {arguments[0]} failed, see above")


def folder_name(settings: Settings) -> str:
    """Returns a folder's name for what was trained with these settings, and nothing else."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def score(kind: str, folder: Path, report: Path, *corpus: str) -> RunScores:
    """Scores a prompt, bank or model greedily on a test part, by `spt-whisper evaluate`."""
    return _evaluated(report, *corpus, "--zero_shot", "false", f"--{kind}", str(folder))


def score_bare(model: str, report: Path, *flags: str) -> RunScores:
    """Scores bare Whisper, asked in the way that is best on dev; flags are those of the corpus and of the ways."""
    return _evaluated(report, *flags, "--model", model)


def _evaluated(report: Path, *flags: str) -> RunScores:
    spt_whisper("evaluate", *flags, "--output", str(report))
    found = Report.read(report)
    return run_scores(found.systems[0], found.normalizer)


def once(path: Path, settings: Settings, make: Callable[[], FinishedRun]) -> FinishedRun:
    """Returns the run that the file holds; where there is no file, makes the run and writes it."""
    if not path.is_file():
        run = make()
        write_text(path, json.dumps(asdict(run), indent=1, ensure_ascii=False) + "\n")
        return run
    run = read_run(path)
    changed = sorted(key for key in settings if run.settings.get(key) != settings[key])
    if changed:
        raise SystemExit(
            f"{path}: made with other settings of {', '.join(changed)}; name another --results, or remove it"
        )
    return run


def read_run(path: Path) -> FinishedRun:
    """Reads what `once` wrote."""
    try:
        return TypeAdapter(FinishedRun).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise SystemExit(
            f"{path}: broken run ({name}: {first['msg']}); remove it to make it again"
        ) from error


def print_markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table."""
    for line in (heading, ["---"] * len(heading), *rows):
        print(f"| {' | '.join(line)} |")


def percent(rate: float, interval: tuple[float, float], form: str = ".1f") -> str:
    """Returns a fraction with its interval in percent: `55.2 (51.5 to 59.0)`."""
    low, high = interval
    return f"{100 * rate:{form}} ({100 * low:{form}} to {100 * high:{form}})"
