"""Recipes side by side on the tiny model: what is fitted, what is not fitted again, what fails alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from spt_whisper.corpora import CorpusConfig
from spt_whisper.errors import InputError
from spt_whisper.evaluation.comparison.compare import NamedRecipe, RecipeComparison, compare
from spt_whisper.evaluation.comparison.settings import CompareConfig, Scoring
from spt_whisper.evaluation.comparison.summary import RecipeSummary
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.training.recipe import DataConfig, Recipe
from tests.tiny_corpus import write_corpus, write_model

pytestmark = pytest.mark.slow  # each run is a fresh process, which imports torch


def recipes(home: Path) -> list[NamedRecipe]:
    """Two kinds of prompt."""
    slots = Recipe(
        corpus=CorpusConfig(str(home / "corpus")),
        model=str(home / "model"),
        output=str(home / "runs"),
        languages=["es"],
        window_seconds=2,
        prompt=PromptConfig(side="decoder", length=4),
        data=DataConfig(batch_size=2),
        trainer={"max_epochs": 1, "precision": "32-true", "enable_progress_bar": False},
    )
    deep = replace(slots, prompt=PromptConfig(side="decoder", site="attention", length=4))
    return [NamedRecipe("slots", slots), NamedRecipe("deep", deep)]


def config(home: Path, **changes: object) -> CompareConfig:
    return replace(CompareConfig(str(home / "store"), seeds=2), **changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RecipeComparison]:
    """Two recipes with two seeds each; the fitted folders are gone."""
    home = tmp_path_factory.mktemp("home")
    write_model(home / "model")
    write_corpus(home / "corpus")
    comparison = compare(recipes(home), config(home))
    shutil.rmtree(home / "runs")
    return home, comparison


@pytest.fixture
def home(finished: tuple[Path, RecipeComparison], tmp_path: Path) -> Path:
    """A copy on another machine: same model, corpus and store in another folder."""
    return Path(shutil.copytree(finished[0], tmp_path / "elsewhere"))


def test_each_recipe_is_fitted_with_each_seed_and_kept(
    finished: tuple[Path, RecipeComparison],
) -> None:
    home, comparison = finished
    assert [(row.name, row.seeds) for row in comparison.rows] == [
        ("slots", (0, 1)),
        ("deep", (0, 1)),
    ]
    files = sorted((home / "store").iterdir())
    assert [path.name.rsplit("-", 1)[0] for path in files] == [
        "deep-0", "deep-1", "slots-0", "slots-1",
    ]  # fmt: skip
    stored = [json.loads(path.read_text()) for path in files]
    assert [run["numbers"]["utterances"] for run in stored] == [6] * 4
    assert [run["numbers"]["trained_parameters"] for run in stored] == [256, 256, 520, 520]
    assert [len(run["scores"]["units"]) for run in stored] == [3] * 4
    assert all(run["numbers"]["peak_memory_gigabytes"] > 0 for run in stored)
    assert all(run["file_size"] > 0 for run in stored)
    assert stored[0]["numbers"]["last_loss"] != stored[1]["numbers"]["last_loss"]  # another seed
    assert not any(
        str(home) in path.read_text() for path in files
    )  # nothing of this machine's paths


def unchanged(comparison: RecipeComparison) -> list[RecipeSummary]:
    """The rows without their change against the first one, which is another in another order."""
    return [replace(row, change=None) for row in comparison.rows]


def test_a_later_call_elsewhere_fits_nothing_again(
    home: Path, finished: tuple[Path, RecipeComparison]
) -> None:
    slots, deep = recipes(home)
    again = compare([deep, slots], config(home))
    assert unchanged(again) == unchanged(finished[1])[::-1]
    assert again.failures == []
    assert not (home / "runs").exists()


def test_other_data_are_fitted_and_kept_beside(home: Path) -> None:
    manifest = home / "corpus" / "train.jsonl"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("wasi", "wayra"), encoding="utf-8")
    comparison = compare(recipes(home)[:1], config(home, seeds=1))
    assert [(row.name, row.seeds) for row in comparison.rows] == [("slots", (0,))]
    assert len(list((home / "runs").iterdir())) == 1
    assert len(list((home / "store").glob("*.json"))) == 5


def test_banks_models_and_bare_whisper_are_scored_and_bare_whisper_once(home: Path) -> None:
    slots = recipes(home)[0].recipe
    methods = {
        "bank": "language_prompts", "model": "lora", "bare": "zero_shot", "both": "full_with_prompts",
    }  # fmt: skip
    named = [NamedRecipe(name, replace(slots, method=method)) for name, method in methods.items()]
    bank, model, bare, both = compare(named, config(home, seeds=1)).rows
    assert 0 < bank.stored_parameters < model.stored_parameters < both.stored_parameters
    assert (bare.seeds, bare.stored_parameters, bare.file_size, bare.last_loss) == (
        (0,),
        0,
        0,
        None,
    )
    again = compare(named[2:3], config(home, seeds=3))  # no seed changes what is not fitted
    assert unchanged(again) == [replace(bare, change=None)]


def test_fit_again_replaces_what_is_stored_and_goes_on_where_it_was_killed(home: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in (home / "store").iterdir()}
    compare(recipes(home)[:1], config(home, seeds=1, fit_again=True))
    after = {path.name: path.stat().st_mtime_ns for path in (home / "store").iterdir()}
    assert before.keys() == after.keys()
    changed = [name for name in before if before[name] != after[name]]
    assert [name.rsplit("-", 1)[0] for name in changed] == ["slots-0"]
    (stored,) = (home / "store").glob("slots-0-*.json")
    loss = json.loads(stored.read_text())["numbers"]["last_loss"]
    (checkpoint,) = home.rglob("last.ckpt")
    shutil.rmtree(
        checkpoint.parents[1] / "prompt"
    )  # as if killed before it was written: it goes on
    compare(recipes(home)[:1], config(home, seeds=1, fit_again=True))
    assert json.loads(stored.read_text())["numbers"]["last_loss"] == loss  # nothing left to learn


def test_a_fit_whose_scoring_was_cut_off_is_only_scored(home: Path) -> None:
    compare(recipes(home)[:1], config(home, seeds=1, fit_again=True))
    (stored,) = (home / "store").glob("slots-0-*.json")
    before = json.loads(stored.read_text())
    (prompt,) = (home / "runs").glob("slots-0-*/prompt/prompt.safetensors")
    written = prompt.stat().st_mtime_ns
    stored.unlink()
    compare(recipes(home)[:1], config(home, seeds=1))
    after = json.loads(stored.read_text())
    assert prompt.stat().st_mtime_ns == written
    for part in ("numbers", "scores", "file_size"):
        assert after[part] == before[part]


def test_a_store_that_cannot_be_written_is_told_before_anything_is_fitted(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        compare(recipes(home), config(home, store=str(home / "file")))
    assert not (home / "runs").exists()


def test_a_broken_run_is_refused_by_name_before_anything_is_fitted(home: Path) -> None:
    slots, deep = recipes(home)
    broken = next((home / "store").glob("slots-1-*.json"))
    broken.write_text("{")
    with pytest.raises(InputError, match=f"{broken}: is not JSON .*delete it to fit again"):
        compare([deep, slots], config(home, seeds=2, scoring=Scoring()))
    assert not (home / "runs").exists()


def test_a_recipe_without_its_corpus_fails_alone(home: Path) -> None:
    slots = recipes(home)[0]
    lost = replace(slots.recipe, corpus=CorpusConfig(str(home / "nowhere")))
    comparison = compare([NamedRecipe("lost", lost), slots], config(home))
    assert [row.name for row in comparison.rows] == ["slots"]
    assert [failure.name for failure in comparison.failures] == ["lost"]
    assert "no such corpus" in comparison.failures[0].reason


def test_names_and_seeds_are_checked(home: Path) -> None:
    slots = recipes(home)[0]
    with pytest.raises(InputError, match="recipe 'slots' appears twice"):
        compare([slots, slots], config(home))
    with pytest.raises(InputError, match=r"recipe name '\.\./up'"):
        NamedRecipe("../up", slots.recipe)
    with pytest.raises(InputError, match="seeds: found 0"):
        CompareConfig(seeds=0)
