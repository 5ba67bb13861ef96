"""Reports on disk: files that read back, and broken ones that are refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from spt_whisper.errors import InputError
from spt_whisper.evaluation.paired import compare_with_first
from spt_whisper.evaluation.report import Report
from spt_whisper.evaluation.system_score import score_system
from spt_whisper.text.normalization import get_normalizer
from tests.evaluation.said import Said, corpus

BASIC = get_normalizer("basic")


def report() -> Report:
    said, recognized = corpus(12, 6)
    said[0] = dataclasses.replace(said[0], text="我 a", languages=("zh", "en"), duration=1.5)
    systems = [
        score_system("zero-shot", said, recognized, BASIC, 50),
        score_system("kichwa", said, [each.text for each in said], BASIC, 50),
    ]
    settings = {"beams": 1, "language": "es"}
    return Report("Kichwa, test", "basic", systems, settings, compare_with_first(systems, 50))


def test_a_report_reads_back(tmp_path: Path) -> None:
    written = report()
    written.write(tmp_path / "new" / "report.json")
    assert Report.read(tmp_path / "new" / "report.json") == written
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"report.json", "report.utterances.jsonl"}


def test_the_files_of_a_report(tmp_path: Path) -> None:
    said = [Said("1", "Ñuka, wasi!", "s1")]
    score = score_system("base", said, ["Ñuka"], BASIC)
    settings = {"prompt": Path("prompts/kichwa")}
    Report("c", "basic", [score], settings).write(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == {
        "format_version": 1,
        "corpus": "c",
        "normalizer": "basic",
        "systems": [
            {
                "name": "base",
                "wer": 0.5,
                "cer": 5 / 9,
                "wer_interval": [0.5, 0.5],
                "cer_interval": [5 / 9, 5 / 9],
                "substitutions": 0,
                "insertions": 0,
                "deletions": 1,
                "utterances": 1,
                "interval_unit": "utterance",
                "mixed_error_rate": 0.5,
                "mixed_error_rate_interval": [0.5, 0.5],
                "main_rate": "wer",
                "errors": {
                    "words": {"hits": 1, "substitutions": 0, "insertions": 0, "deletions": 1},
                    "characters": {"hits": 4, "substitutions": 0, "insertions": 0, "deletions": 5},
                    "mixed": {"hits": 1, "substitutions": 0, "insertions": 0, "deletions": 1},
                },
                "steps": ["nfkc", "lowercase", "remove_punctuation", "collapse_whitespace"],
                "raw": {"wer": 1.0, "cer": 7 / 11, "mixed_error_rate": 1.0},
                "switching": {
                    "by_language": {
                        "Latin": {"hits": 1, "substitutions": 0, "insertions": 0, "deletions": 1}
                    },
                    "switches": 0,
                    "at_switches": {
                        "hits": 0,
                        "substitutions": 0,
                        "insertions": 0,
                        "deletions": 0,
                    },
                    "confusions": [],
                    "tagged_utterances": 0,
                },
                "hallucination": {
                    "utterances": 0,
                    "signs": {"repeats": 0, "too_fast": 0, "too_long": 0},
                },
                "breakdown": [],
            }
        ],
        "settings": {"prompt": "prompts/kichwa"},
        "comparisons": [],
    }
    text = (tmp_path / "r.utterances.jsonl").read_text(encoding="utf-8")
    assert "Ñuka" in text
    assert json.loads(text) == {
        "id": "1",
        "system": "base",
        "reference": "Ñuka, wasi!",
        "hypothesis": "Ñuka",
        "words": {"hits": 1, "substitutions": 0, "insertions": 0, "deletions": 1},
        "characters": {"hits": 4, "substitutions": 0, "insertions": 0, "deletions": 5},
        "mixed": {"hits": 1, "substitutions": 0, "insertions": 0, "deletions": 1},
        "normalized_reference": "ñuka wasi",
        "normalized_hypothesis": "ñuka",
        "speaker": "s1",
        "languages": [],
        "duration": None,
        "switched": False,
        "hallucination": [],
    }


def test_a_report_without_its_utterances_still_reads(tmp_path: Path) -> None:
    written = report()
    written.write(tmp_path / "report.json")
    (tmp_path / "report.utterances.jsonl").unlink()
    bare = [dataclasses.replace(system, details=()) for system in written.systems]
    assert Report.read(tmp_path / "report.json") == dataclasses.replace(written, systems=bare)


def test_two_systems_of_one_name_are_refused(tmp_path: Path) -> None:
    score = score_system("base", *corpus(2), BASIC)
    with pytest.raises(InputError, match="system 'base' is there more than once"):
        Report("c", "basic", [score, score]).write(tmp_path / "report.json")
    assert not list(tmp_path.iterdir())


def good_fields() -> dict[str, Any]:
    return {
        "format_version": 1, "corpus": "c", "normalizer": "raw", "settings": {}, "systems": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{", "broken report"),
        ("[]", "no report of format version 1"),
        (json.dumps({**good_fields(), "format_version": 2}), "no report of format version 1"),
        (json.dumps({"format_version": 1}), "broken report .*systems"),
        (json.dumps({**good_fields(), "systems": [{"name": "x"}]}), "broken report .*wer_interval"),
        (json.dumps({**good_fields(), "systems": 3}), "broken report"),
    ],
)
def test_broken_reports_are_refused(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=rf"report\.json: {message}"):
        Report.read(path)
