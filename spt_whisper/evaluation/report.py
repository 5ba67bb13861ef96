"""The report of a corpus: systems side by side, on disk as two files, each whole or not at all.

report.json               {"format_version": 1, "corpus", "normalizer", "settings", "systems",
                          "comparisons"}: the fields of `SystemScore` but its details, and of
                          `PairedComparison`; rates are fractions (0.152), counts
                          {"hits", "substitutions", "insertions", "deletions"}
report.utterances.jsonl   one line an utterance and system: {"system"} and the fields of
                          `UtteranceScore`
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from spt_whisper.atomic import write_text
from spt_whisper.errors import InputError
from spt_whisper.evaluation.paired import PairedComparison
from spt_whisper.evaluation.system_score import SystemScore, check_unique
from spt_whisper.evaluation.utterance_score import UtteranceScore

FORMAT_VERSION = 1
REPORT_FILE = "report.json"
USUAL_PART = "test"  # whose report needs no name
_NO_NAME = re.compile(r"[^\w+-]+")  # what a split's name may have, and a file's had better not
_RUN_FOLDERS = ("prompt", "bank", "model")  # what `fit` makes in its output

Kind = TypeVar("Kind")


def report_of(folder: Path, part: str = USUAL_PART) -> Path:
    """Returns where the report of a prompt, bank or model stands: in its run's folder, else beside it under its name.

    Args:
        folder: such as `runs/kichwa/prompt` (`runs/kichwa/report.json`) or `prompts/kichwa` (`prompts/kichwa.report.json`),
            which may have neighbors.
        part: of the corpus that is scored; another than test is in the name (`runs/kichwa/dev.report.json`).
    """
    whole = folder.resolve()
    name = report_name(part)
    return whole.parent / (name if whole.name in _RUN_FOLDERS else f"{whole.name}.{name}")


def report_name(part: str) -> str:
    """Returns the name of the report of a part of a corpus: `report.json`, and of another part than test `dev.report.json`.

    A part without a letter (`.`, a Kaldi folder itself) is not in the name.
    """
    named = _NO_NAME.sub("-", part).strip("-")
    return REPORT_FILE if part == USUAL_PART or not named else f"{named}.{REPORT_FILE}"


@dataclass(frozen=True)
class Report:
    """Systems side by side on one corpus, scored through one normalizer."""

    corpus: str
    normalizer: str
    systems: list[SystemScore]
    settings: dict[str, Any] = field(default_factory=dict)  # how it came about, as JSON values
    comparisons: tuple[PairedComparison, ...] = ()

    def write(self, path: str | Path) -> None:
        """Writes the report to `path`, and its utterances beside it."""
        path = Path(path)
        check_unique(f"{path}: system", (system.name for system in self.systems))
        lines = [_to_json(row) for system in self.systems for row in _utterance_rows(system)]
        write_text(_utterances_path(path), "".join(f"{line}\n" for line in lines))
        rows = {
            "systems": [_system_row(system) for system in self.systems],
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
        }
        fields = {"format_version": FORMAT_VERSION, **vars(self), **rows}
        write_text(path, _to_json(fields, indent=2) + "\n")

    @staticmethod
    def read(path: str | Path) -> Report:
        """Reads what `write` wrote; without the file of utterances, `details` are empty.

        Raises:
            InputError: a file is missing, no report, or of another version.
        """
        path = Path(path)
        try:
            fields = json.loads(_read_text(path))
            if not isinstance(fields, dict) or fields.pop("format_version", 0) != FORMAT_VERSION:
                wanted = f"no report of format version {FORMAT_VERSION}"
                raise InputError(f"{path}: {wanted}; give a report.json of `evaluate`")
            details = _read_details(_utterances_path(path))
            for row in fields["systems"]:
                row["details"] = details.get(row["name"], ())
            return _restored(Report, fields)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            problem = " ".join(str(error).split())
            raise InputError(f"{path}: broken report ({problem}); write it again") from error


def _utterances_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.utterances.jsonl")


def _to_json(value: object, indent: int | None = None) -> str:
    # str: paths in the settings
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, default=str)


def _system_row(system: SystemScore) -> dict[str, Any]:
    row = asdict(system)
    del row["details"]
    return row


def _utterance_rows(system: SystemScore) -> Iterator[dict[str, Any]]:
    for score in system.details:
        yield {"id": score.id, "system": system.name, **asdict(score)}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a report.json") from error


def _read_details(path: Path) -> dict[str, list[UtteranceScore]]:
    """Utterances by system name; none where the report travels without them."""
    details: dict[str, list[UtteranceScore]] = {}
    if not path.exists():
        return details
    for line in _read_text(path).split("\n"):
        if line:
            row = json.loads(line)
            details.setdefault(row.pop("system"), []).append(_restored(UtteranceScore, row))
    return details


def _restored(kind: type[Kind], fields: dict[str, Any]) -> Kind:
    """A dataclass again from the values of its JSON, checked against its annotations."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind).validate_python(fields)
