"""`spt-whisper compare` as a user calls it: recipes over a base, flags over all, one table and one picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from spt_whisper.cli.compare import main
from tests.tiny_corpus import write_corpus, write_model

BASE = """
corpus: {root: nowhere, limit: 4}
languages: [es]
window_seconds: 2
prompt: {side: decoder, length: 4}
trainer: {max_epochs: 3, precision: 32-true, enable_progress_bar: false}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_model(tmp_path / "model")
    write_corpus(tmp_path / "corpus")
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "short.yaml").write_text("prompt: {length: 2}\ntrainer: {max_epochs: 1}\n")
    (tmp_path / "wild.yaml").write_text("optimizer: {learning_rate: 1.0e+30}\n")
    return tmp_path


@pytest.mark.slow
def test_recipes_are_laid_over_the_base_and_a_failing_one_is_status_1(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status = main(
        [str(home / "short.yaml"), str(home / "wild.yaml"), "--base", str(home / "base.yaml"),
         "--corpus.root", str(home / "corpus"), "--model", str(home / "model"), "--seeds=1",
         "--output", str(home / "runs"), "--store", str(home / "store"), "--scoring.normalizer", "raw"]
    )  # fmt: skip
    printed = capfd.readouterr()
    assert status == 1
    (run,) = (home / "store").glob("short-0-*.json")
    stored = run.read_text()
    # from the recipe, from the base, and from both in `trainer`
    assert '"length": 2' in stored
    assert '"side": "decoder"' in stored
    assert '"trainer": {"max_epochs": 1, "precision": "32-true"}' in stored
    assert '"normalizer": "raw"' in stored
    assert '"utterances": 4, "trained_parameters"' in stored
    assert (home / "store" / "compare.png").read_bytes().startswith(b"\x89PNG")
    table = (home / "store" / "table.md").read_text()
    assert "| short | 1 |" in table
    assert "- Not finished: wild seed 0." in table
    assert "short" in printed.out
    lines = [line for line in printed.err.splitlines() if line.startswith("spt-whisper")]
    assert len(lines) == 1
    assert lines[0].startswith("spt-whisper compare: wild seed 0 failed: training: the loss became")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "recipes"),
        (["--base", "base.yaml", "short.yaml", "--store", "s"], "found short.yaml after a flag"),
        (["--seeds", "1", "--store", "s", "short.yaml"], "found short.yaml after a flag"),
        (["short.yaml", "--seeds", "none"], "seeds"),
        (["short.yaml", "--base", "nowhere.yaml"], "nowhere.yaml"),
        (["nowhere.yaml", "--base", "base.yaml"], "nowhere.yaml"),
        (["short.yaml", "--base", "base.yaml", "--prompt.size", "3"], "prompt"),
        (["short.yaml", "wrong.yaml", "--base", "base.yaml"], "compare wrong.yaml: "),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    home: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(home)
    Path("wrong.yaml").write_text("prompt: {lenth: 3}\n")
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("spt-whisper compare")
    assert error.count("\n") == 1
    assert message in error
    assert not (home / "runs").exists()
