"""Every recipe parses and trains a step, alone and under each of its methods, on its corpus's true layout."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from spt_whisper.cli import main
from spt_whisper.cli.parser import command_parser, instantiate
from spt_whisper.evaluation.settings import EvaluateConfig
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.training.recipe import Recipe
from tests.recipe_corpora import WRITERS
from tests.tiny_corpus import write_model

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))
METHODS = sorted(str(path.relative_to(RECIPES)) for path in RECIPES.glob("*/*.yaml"))
TRAINED = [method for method in METHODS if not method.endswith("/zero_shot.yaml")]
SHORT = ["--corpus.limit", "2", "--data.workers", "0", "--trainer.max_epochs", "1",
         "--trainer.enable_progress_bar", "false"]  # fmt: skip

Fit = Callable[..., Path]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder with the tiny Whisper, which here has the tokens of all languages, and a cache of its own."""
    folder = tmp_path_factory.mktemp("recipes")
    tokens = tuple(LANGUAGES)[:99]  # the last one, Cantonese, is large-v3's alone
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPT_WHISPER_CACHE", str(folder / "cache"))
        write_model(folder / "model", languages=tokens)
        yield folder


@pytest.fixture(scope="module")
def fit(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    """Fits a recipe, and a file of settings over it, to its corpus; returns the folder of the run."""

    def run(recipe: str, method: str | None = None) -> Path:
        corpus = home / recipe
        if not corpus.exists():
            WRITERS[recipe](corpus)
        output = tmp_path_factory.mktemp("run")
        over = ["--config", str(RECIPES / method)] if method else []
        where = ["--corpus.root", str(corpus), "--output", str(output)]
        model = ["--model", str(home / "model")]
        assert main(["fit", str(RECIPES / f"{recipe}.yaml"), *over, *where, *model, *SHORT]) == 0
        return output

    return run


@pytest.mark.parametrize("recipe", NAMES)
def test_every_recipe_trains(fit: Fit, recipe: str) -> None:
    assert any((fit(recipe) / made).is_dir() for made in ("prompt", "bank"))


@pytest.mark.parametrize("method", TRAINED)
def test_every_method_trains_over_its_recipe(fit: Fit, method: str) -> None:
    run = fit(str(Path(method).parent), method)
    own = read(RECIPES / method)
    saved = read(run / "recipe.yaml")
    for key, value in leaves(own):
        assert dict(leaves(saved))[key] == value
    assert any((run / made).is_dir() for made in ("prompt", "bank", "model"))


@pytest.mark.parametrize("method", METHODS)
def test_a_method_holds_only_what_differs(method: str) -> None:
    own = dict(leaves(read(RECIPES / method)))
    base = dict(leaves(read(RECIPES / f"{Path(method).parent}.yaml")))
    the_recipe_as_it_is = own == {"method": base.get("method", Recipe.method)}
    assert the_recipe_as_it_is or not [key for key in own if own[key] == base.get(key)]


def test_zero_shot_has_nothing_to_fit(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    over = ["--config", str(RECIPES / "kichwa/zero_shot.yaml")]
    assert main(["fit", str(RECIPES / "kichwa.yaml"), *over]) == 2
    assert "method zero_shot: trains nothing" in capsys.readouterr().err


def test_kichwa_on_real_speech(shared_data: Path, home: Path, tmp_path: Path) -> None:
    corpus = ["--corpus.root", str(shared_data / "tiny" / "killkan_qug")]
    where = ["--model", str(home / "model"), "--output", str(tmp_path)]
    assert main(["fit", str(RECIPES / "kichwa.yaml"), *corpus, *where, *SHORT]) == 0
    card = Prompt.from_pretrained(tmp_path / "prompt").card
    assert (card.languages, card.language_tokens, card.window_seconds) == (("qug",), ("es",), 10)


def test_mixed_speech_gets_both_tokens(fit: Fit) -> None:
    for recipe in ("seame", "asru2019"):
        card = Prompt.from_pretrained(fit(recipe) / "prompt").card
        assert card.language_tokens == ("zh", "en")
        assert set(card.languages) == {"zh", "en"}


def test_fleurs_has_a_token_for_every_language_that_whisper_lacks(fit: Fit) -> None:
    named = parse("--config", str(RECIPES / "fleurs.yaml")).languages
    missing = "ast ceb ckb ff ga ig kam kea ky lg luo nso ny om or umb wo xh zu"
    assert sorted(named) == sorted(missing.split())
    assert not set(missing.split()) & set(LANGUAGES)
    assert all(len(proxy) == 1 and proxy[0] in LANGUAGES for proxy in named.values())
    card = Prompt.from_pretrained(fit("fleurs") / "prompt").card
    assert (card.languages, card.language_tokens) == (("ky",), ("kk",))


def test_expansion_is_three_languages_and_the_command_adds_a_fourth(fit: Fit, home: Path) -> None:
    run = fit("expansion")
    assert sorted(Bank.from_pretrained(run / "bank").languages) == ["cv", "ky", "sah"]
    (command,) = commands("expansion", "add-language")
    where = ["--bank", str(run / "bank"), "--corpus.root", str(home / "expansion")]
    assert main([*command, *where, "--output", str(run / "ug"), *SHORT]) == 0
    assert sorted(Bank.from_pretrained(run / "bank").languages) == ["cv", "ky", "sah", "ug"]


@pytest.mark.parametrize("recipe", NAMES)
def test_the_commands_in_comments_are_what_evaluate_takes(recipe: str) -> None:
    base = parse("--config", str(RECIPES / f"{recipe}.yaml"))
    for command in commands(recipe, "evaluate"):
        parser = command_parser("evaluate", "")
        parser.add_class_arguments(EvaluateConfig, None)
        settings = instantiate(parser, command[1:])
        corpus = settings.corpus
        assert (corpus.root, corpus.reader) == (base.corpus.root, base.corpus.reader)
        assert (corpus.dev, corpus.test) == (base.corpus.dev, base.corpus.test)
        assert Path(settings.prompt or settings.bank).parent == Path(base.output)


def test_every_file_says_what_it_is_and_is_listed() -> None:
    names = [*(f"{recipe}.yaml" for recipe in NAMES), *METHODS]
    for name in names:
        assert (RECIPES / name).read_text(encoding="utf-8").startswith("# "), name
    listed = (RECIPES / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\]\(([\w/]+\.yaml)\)", listed)) == sorted(names)


@pytest.mark.parametrize("recipe", NAMES)
def test_a_key_that_does_not_exist_is_refused(
    recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["fit", str(RECIPES / f"{recipe}.yaml"), "--prompt.size", "3"])
    assert stop.value.code == 2
    assert "prompt.size" in capsys.readouterr().err


def parse(*arguments: str) -> Recipe:
    """The recipe as `fit` builds it."""
    parser = command_parser("fit", "")
    parser.add_class_arguments(Recipe, None)
    return Recipe(**vars(instantiate(parser, arguments)))


def read(path: Path) -> dict[str, Any]:
    """The settings in a YAML file."""
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(settings, dict)
    return settings


def leaves(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    """Settings by dotted name."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def commands(recipe: str, name: str) -> list[list[str]]:
    """The commands of that name in a recipe's comments, without `spt-whisper`."""
    text = (RECIPES / f"{recipe}.yaml").read_text(encoding="utf-8")
    found = re.findall(r"^#   spt-whisper (.*(?:\n#     .*)*)", text, flags=re.MULTILINE)
    lines = [re.sub(r"\n#\s+", " ", command) for command in found]
    return [shlex.split(line) for line in lines if line.startswith(f"{name} ")]


def test_a_method_laid_over_a_recipe_leaves_the_rest_of_its_trainer(tmp_path: Path) -> None:
    base, method = tmp_path / "base.yaml", tmp_path / "method.yaml"
    base.write_text("corpus: {root: x}\ntrainer: {max_epochs: 1, gradient_clip_val: 0.25}\n")
    method.write_text("method: slct\ntrainer: {max_epochs: 2}\n")
    laid = parse("--config", str(base), "--config", str(method), "--trainer.max_steps", "5")
    assert laid.trainer == {"max_epochs": 2, "gradient_clip_val": 0.25, "max_steps": 5}
