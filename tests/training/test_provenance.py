"""What a run was made with stands in its prompt.json."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from spt_whisper import __version__
from spt_whisper.cli import main
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.corpora.fingerprint import fingerprint_splits
from spt_whisper.prompts.files import Prompt
from spt_whisper.training.provenance import git_state
from spt_whisper.training.recipe import DataConfig, Recipe
from spt_whisper.training.run import fit
from tests.tiny_corpus import write_home


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_home(tmp_path_factory.mktemp("trained"))
    recipe = Recipe(
        CorpusConfig(str(folder / "corpus")), model=str(folder / "model"), output=str(folder / "run"),
        window_seconds=2.0, languages=["es"], data=DataConfig(batch_size=3),
        trainer={"max_epochs": 1, "enable_progress_bar": False, "precision": "32-true"},
    )  # fmt: skip
    fit(recipe)
    return folder


def test_a_prompt_says_what_it_was_made_with(trained: Path) -> None:
    card = Prompt.from_pretrained(trained / "run" / "prompt").card
    assert card.provenance is not None
    versions = card.provenance.versions
    assert sorted(versions) == ["lightning", "python", "spt-whisper", "torch", "transformers"]
    assert (versions["torch"], versions["spt-whisper"]) == (version("torch"), __version__)
    corpus = CorpusConfig(str(trained / "corpus"))
    splits = {"train": read_split(corpus, "train"), "dev": read_split(corpus, "dev")}
    assert card.provenance.data == fingerprint_splits(splits)
    assert card.recipe["seed"] == 0
    splits["train"][0] = replace(splits["train"][0], text="other")
    assert card.provenance.data != fingerprint_splits(splits)


def test_prompt_show_prints_it(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompt", "show", str(trained / "run" / "prompt")]) == 0
    shown = capsys.readouterr().out
    assert "made with" in shown
    assert version("torch") in shown


def test_the_state_of_the_code_is_its_commit_and_whether_it_was_changed(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    file = tmp_path / "code.py"
    file.write_text("1")
    assert git_state(file) is None
    git("init", "--quiet")
    assert git_state(file) is None, "a file that git ignores, as one in .venv"
    git("add", "code.py")
    git("commit", "--quiet", "-m", "code")
    commit = git("rev-parse", "HEAD")
    assert git_state(file) == commit
    file.write_text("2")
    assert git_state(file) == f"{commit}-dirty"
