"""Scores and reports: corpus-level rates, honest intervals, files that read back."""

from __future__ import annotations

import dataclasses
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest

from spt_whisper.errors import InputError
from spt_whisper.evaluation.bootstrap import rate_interval
from spt_whisper.evaluation.report import Report, SystemScore, UtteranceScore, score_system
from spt_whisper.text.error_rates import ErrorCounts
from spt_whisper.text.normalization import get_normalizer

BASIC = get_normalizer("basic")


@dataclass
class Said:
    id: str
    text: str
    speaker: str | None = None


def corpus(number: int, speakers: int = 0) -> tuple[list[Said], list[str]]:
    """Utterances of one to nine words, a third of them wrong."""
    dice = random.Random(0)
    said, recognized = [], []
    for n in range(number):
        words = [dice.choice("abcdefgh") for _ in range(dice.randint(1, 9))]
        said.append(Said(str(n), " ".join(words), f"s{n % speakers}" if speakers else None))
        recognized.append(" ".join("x" if dice.random() < 1 / 3 else word for word in words))
    return said, recognized


def test_rates_are_of_the_corpus_and_not_means() -> None:
    said = [Said("1", "A."), Said("2", "Ñuka, wasi kan!")]
    score = score_system("zero-shot", said, ["b", "ñuka wasi"], BASIC)
    assert (score.wer, score.cer) == (2 / 4, 5 / 14)  # means: (1 + 1/3) / 2, (1 + 4/13) / 2
    assert (score.substitutions, score.insertions, score.deletions) == (1, 0, 1)
    assert (score.name, score.utterances, score.interval_unit) == ("zero-shot", 2, "utterance")
    assert score.details[1] == UtteranceScore(
        id="2",
        reference="Ñuka, wasi kan!",
        hypothesis="ñuka wasi",
        words=ErrorCounts(hits=2, deletions=1),
        characters=ErrorCounts(hits=9, deletions=4),
        normalized_reference="ñuka wasi kan",
        normalized_hypothesis="ñuka wasi",
    )


def test_rates_agree_with_jiwer() -> None:
    said, recognized = corpus(60)
    score = score_system("x", said, recognized, BASIC, resamples=10)
    texts = [each.text for each in said]
    assert score.wer == pytest.approx(jiwer.wer(texts, recognized))
    assert score.cer == pytest.approx(jiwer.cer(texts, recognized))


def test_interval_agrees_with_a_bootstrap_written_out() -> None:
    said, recognized = corpus(80)
    score = score_system("x", said, recognized, BASIC, resamples=4000)
    dice = np.random.default_rng(1)
    rates = []
    for _ in range(4000):
        drawn = [score.details[n].words for n in dice.integers(80, size=80)]
        rates.append(sum(drawn, ErrorCounts()).rate)
    low, high = np.percentile(rates, [2.5, 97.5])
    assert score.wer_interval == pytest.approx((low, high), abs=0.012)
    assert score.wer_interval[0] < score.wer < score.wer_interval[1]
    assert score.cer_interval[0] < score.cer < score.cer_interval[1]


def test_intervals_are_seeded() -> None:
    said, recognized = corpus(40)
    first, again, other = (score_system("x", said, recognized, BASIC, seed=n) for n in (0, 0, 1))
    assert first == again
    assert first.wer_interval != other.wer_interval


@pytest.mark.parametrize(
    ("speakers", "unit"), [(0, "utterance"), (4, "utterance"), (5, "speaker"), (9, "speaker")]
)
def test_speakers_are_drawn_where_there_are_enough(speakers: int, unit: str) -> None:
    score = score_system("x", *corpus(45, speakers), BASIC, resamples=50)
    assert score.interval_unit == unit


def test_one_utterance_without_a_speaker_means_utterances_are_drawn() -> None:
    said, recognized = corpus(45, 9)
    said[7].speaker = None
    assert score_system("x", said, recognized, BASIC).interval_unit == "utterance"


def test_speakers_who_differ_widen_the_interval() -> None:
    """Drawn as if independent, utterances of a few speakers look more certain than they are."""
    said = [Said(str(n), "a b c d", f"s{n % 6}") for n in range(120)]
    recognized = ["a b c d" if n % 6 < 3 else "x x x x" for n in range(120)]
    by_speaker = score_system("x", said, recognized, BASIC)
    alone = score_system("x", [Said(each.id, each.text) for each in said], recognized, BASIC)
    width = [high - low for low, high in (by_speaker.wer_interval, alone.wer_interval)]
    assert by_speaker.wer == alone.wer == 0.5
    assert width[0] > 3 * width[1]


@pytest.mark.parametrize(
    ("said", "recognized", "wer", "interval"),
    [
        ([Said("1", "a b")], ["a c"], 0.5, (0.5, 0.5)),
        ([Said("1", "")], ["a c"], 2.0, (2.0, 2.0)),
        ([Said("1", "a"), Said("2", "b")], ["a", "b"], 0.0, (0.0, 0.0)),
        ([Said("1", ""), Said("2", "…")], ["", "!"], 0.0, (0.0, 0.0)),
        ([Said("1", "a"), Said("2", "b")], ["", ""], 1.0, (1.0, 1.0)),
    ],
)
@pytest.mark.filterwarnings("error")
def test_degenerate_corpora(
    said: list[Said], recognized: list[str], wer: float, interval: tuple[float, float]
) -> None:
    score = score_system("x", said, recognized, BASIC)
    assert (score.wer, score.wer_interval) == (wer, interval)


def test_an_interval_has_plain_numbers() -> None:
    low, high = rate_interval([ErrorCounts(hits=1), ErrorCounts(deletions=1)], 20, 0)
    assert (type(low), type(high)) == (float, float)


@pytest.mark.parametrize(
    ("said", "recognized", "message"),
    [
        ([], [], "system 'x': no utterances to score"),
        ([Said("1", "a")], [], "system 'x': 0 hypotheses for 1 references"),
        ([Said("1", "a")], ["a", "b"], "system 'x': 2 hypotheses for 1 references"),
        ([Said("1", "a"), Said("1", "b")], ["a", "b"], "utterance id '1' is there more than once"),
    ],
)
def test_what_does_not_pair_is_refused(
    said: list[Said], recognized: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score_system("x", said, recognized, BASIC)


def report() -> Report:
    systems = [score_system(name, *corpus(12, 6), BASIC, 50) for name in ("zero-shot", "kichwa")]
    return Report("Kichwa, test", "basic", systems, {"beams": 1, "language": "es"})


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
            }
        ],
        "settings": {"prompt": "prompts/kichwa"},
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
        "speaker": "s1",
        "normalized_reference": "ñuka wasi",
        "normalized_hypothesis": "ñuka",
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


def test_a_score_is_made_of_plain_values() -> None:
    score = score_system("x", *corpus(9), BASIC)
    assert {type(value) for value in (score.wer, score.cer, *score.wer_interval)} == {float}
    assert isinstance(score, SystemScore)
