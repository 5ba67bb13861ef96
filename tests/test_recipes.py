"""Every recipe parses and trains, on the tiny model and a few utterances of the corpus it is made for."""

from __future__ import annotations

from pathlib import Path

import pytest

from esperanto.corpus import CorpusConfig, make_corpus
from spt_whisper.cli import main
from spt_whisper.prompts.files import Prompt
from tests.tiny_corpus import write_model

RECIPES = Path(__file__).resolve().parent.parent / "recipes"


def fit(recipe: str, corpus: Path, home: Path) -> Prompt:
    write_model(home / "model")
    status = main(
        ["fit", str(RECIPES / recipe), "--corpus.root", str(corpus), "--model", str(home / "model"),
         "--output", str(home / "run"), "--corpus.limit", "8", "--trainer.max_epochs", "1",
         "--trainer.enable_progress_bar", "false"]
    )  # fmt: skip
    assert status == 0
    return Prompt.from_pretrained(home / "run" / "prompt")


def test_quickstart(tmp_path: Path) -> None:
    make_corpus(tmp_path / "corpus", CorpusConfig(train=8, dev=2, test=2))
    prompt = fit("quickstart.yaml", tmp_path / "corpus", tmp_path)
    assert prompt.card.languages == ("eo",)
    assert prompt.card.language_tokens == ("it",)


def test_kichwa(shared_data: Path, tmp_path: Path) -> None:
    prompt = fit("kichwa.yaml", shared_data / "tiny" / "killkan_qug", tmp_path)
    assert prompt.card.languages == ("qug",)
    assert prompt.card.window_seconds == 10
    assert prompt.card.training["utterances"] == 8


def test_every_recipe_is_listed_and_tested() -> None:
    listed = (RECIPES / "README.md").read_text()
    tested = Path(__file__).read_text()
    for recipe in RECIPES.glob("*.yaml"):
        assert f"[{recipe.name}]({recipe.name})" in listed
        assert f'fit("{recipe.name}"' in tested


@pytest.mark.parametrize("recipe", sorted(path.name for path in RECIPES.glob("*.yaml")))
def test_a_key_that_does_not_exist_is_refused(
    recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["fit", str(RECIPES / recipe), "--prompt.size", "3"])
    assert stop.value.code == 2
    assert "prompt.size" in capsys.readouterr().err
