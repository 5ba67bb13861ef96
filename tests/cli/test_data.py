"""`spt-whisper data` as a user calls it: what it prints, writes and refuses, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spt_whisper.cli import data
from spt_whisper.corpora import read_manifest
from spt_whisper.errors import InputError
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_tokenizer


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A tokenizer and a corpus."""
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    write_corpus(tmp_path / "corpus")
    return tmp_path


def test_check_prints_tables_and_writes_json(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = data.main([
        "check", str(home / "corpus"), "--model", str(home / "model"), "--dev", "null",
        "--window_seconds", "0.9", "--output", str(home / "check.json"),
    ])  # fmt: skip
    assert status == 0
    printed = capsys.readouterr().out
    assert "utterances by length" in printed
    assert "longer than 0.9 s" in printed
    assert "fit to train on" in printed
    written = json.loads((home / "check.json").read_text("utf-8"))
    assert [part["name"] for part in written["parts"]] == ["train", "test"]
    assert written["fit_to_train"] is True


def test_check_ends_with_1_and_the_reasons(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "corpus" / "audio" / "train1.wav").unlink()
    assert data.main(["check", str(home / "corpus"), "--model", str(home / "model")]) == 1
    printed = capsys.readouterr().out
    assert "unfit to train on: train: audio missing or unreadable" in " ".join(printed.split())


def test_prepare_writes_a_manifest(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = home / "new" / "test.jsonl"
    call = ["prepare", str(home / "corpus"), "--split", "test", "--output", str(out), "--audio"]
    assert data.main([*call, "opus"]) == 0
    assert "3 utterances; audio: 3 converted" in capsys.readouterr().out
    assert data.main([*call, "opus"]) == 0
    assert "0 converted, 3 kept" in capsys.readouterr().out
    assert [row.id for row in read_manifest(out)] == ["test0", "test1", "test2"]


def test_prepare_ends_with_1_where_some_failed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = home / "corpus" / "train.jsonl"
    manifest.write_text(manifest.read_text().replace('"train1"', r'"train1\u009b"'))
    (home / "corpus" / "audio" / "train1.wav").unlink()
    assert data.main(["prepare", str(home / "corpus"), "--output", str(home / "m.jsonl")]) == 1
    captured = capsys.readouterr()
    assert "1 failed and left out" in captured.out
    assert r"left out train1\x9b" in captured.err  # which would steer the terminal


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "ACTION"),
        (["chek"], "invalid choice: 'chek'"),
        (["check"], "spt-whisper data check: the following arguments are required"),
        (["check", "x", "--modle", "base"], "modle"),
        (
            ["prepare", "x"],
            "spt-whisper data prepare: the following arguments are required: output",
        ),
        (["prepare", "x", "--output", "m.jsonl", "--audio", "mp3"], "mp3"),
    ],
)
def test_a_wrong_call_is_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        data.main(arguments)
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed


def test_a_missing_corpus_is_a_users_mistake(home: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        data.main(["check", str(home / "nowhere"), "--model", str(home / "model")])
