"""Runs that are killed at random moments end with the undisturbed run's prompt, to the bit."""

from __future__ import annotations

import sys
from pathlib import Path

import kill_and_resume as tool
import pytest
from kill_and_resume import kill_and_resume

from spt_whisper.errors import InputError
from tests.tiny_corpus import write_corpus, write_model


@pytest.mark.slow
def test_two_random_kills_leave_no_trace(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    write_corpus(tmp_path / "corpus")
    fit = [
        "--corpus.root", str(tmp_path / "corpus"), "--model", str(tmp_path / "model"), "--languages", "[es]",
        "--window_seconds", "2", "--prompt.length", "4", "--data.batch_size", "1", "--data.timestamps_share", "0.5",
        "--trainer.precision", "32-true", "--trainer.max_epochs", "15", "--trainer.enable_progress_bar", "false",
        "--checkpoint_minutes", "0",
    ]  # fmt: skip
    kills = kill_and_resume(fit, tmp_path / "runs", kills=2, seed=4)
    assert all(kill.same for kill in kills), kills
    assert not all(kill.ended for kill in kills), kills


def test_a_folder_of_other_things_is_refused_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    note = tmp_path / "precious" / "note.txt"
    note.parent.mkdir()
    note.write_text("kept")
    monkeypatch.setattr(sys, "argv", ["tool", "--output", str(note.parent), "--nonsense", "1"])
    assert tool.main() == 2
    assert capsys.readouterr().err.splitlines() == [
        f"kill_and_resume: {note.parent}: holds files that are not of this tool; name another folder"
    ]
    assert note.read_text() == "kept"


def test_runs_of_an_earlier_call_are_removed_and_nothing_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "killed0", "notes"):
        (tmp_path / name).mkdir()
    started: list[list[str]] = []

    def refuse(fit: list[str], output: Path) -> None:
        started.append([path.name for path in tmp_path.iterdir()])
        raise InputError("enough")

    monkeypatch.setattr(tool, "_start", refuse)
    with pytest.raises(InputError, match="enough"):
        kill_and_resume([], tmp_path, kills=1)
    assert started == [["notes"]]
