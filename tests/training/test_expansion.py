"""A language is added to a bank: its own part trains, everything older stays the same to the byte and the letter."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from spt_whisper.cli import main
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.config import LEFT, LanguageAwareConfig, PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.places import LANGUAGE_VECTOR
from spt_whisper.text.normalization import TextProcessing
from spt_whisper.training import additions, evidence, expansion
from spt_whisper.training.additions import FORMS, form_of, nearest_language, recipe_of, start_of
from spt_whisper.training.expansion import add_language
from spt_whisper.training.expansion_settings import ExpansionConfig
from spt_whisper.training.preparation import prepare
from spt_whisper.training.recipe import DataConfig, LoopConfig, OptimizerConfig, Recipe
from spt_whisper.training.run import fit
from spt_whisper.training.start import LanguageSound, expected_embedding
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.whisper.loading import FrozenWhisper
from tests.tiny_corpus import write_corpus, write_model

ROOT = Path(__file__).parents[2]
QUIET = {"enable_progress_bar": False, "precision": "32-true", "max_epochs": 2}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_model(tmp_path / "model")
    write_corpus(tmp_path / "corpus", languages=("ky", "sah"))
    write_corpus(tmp_path / "new", languages=("cv",))
    status = main(
        [
            "fit", "--method", "lapt", "--corpus.root", str(tmp_path / "corpus"),
            "--model", str(tmp_path / "model"), "--output", str(tmp_path / "run"),
            "--window_seconds", "2", "--prompt.length", "4", "--data.batch_size", "3",
            "--optimizer.learning_rate", "0.05", "--trainer.precision", "32-true",
            "--trainer.max_epochs", "2", "--trainer.enable_progress_bar", "false",
        ]
    )  # fmt: skip
    assert status == 0
    return tmp_path


def config(home: Path, **settings: object) -> ExpansionConfig:
    plain = ExpansionConfig(
        "cv", str(home / "run" / "bank"), CorpusConfig(str(home / "new")),
        output=str(home / "add"), form="part", optimizer=OptimizerConfig(learning_rate=0.05),
        data=DataConfig(batch_size=2), trainer=QUIET,
    )  # fmt: skip
    return replace(plain, **settings)  # type: ignore[arg-type]


def digests(bank: Path) -> dict[str, str]:
    files = (path for path in bank.rglob("*") if path.is_file())
    return {
        str(path.relative_to(bank)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_only_the_new_part_trains_and_everything_older_stays(home: Path) -> None:
    folder = home / "run" / "bank"
    before, older = digests(folder), Bank.from_pretrained(folder)
    whisper = Whisper.from_pretrained(home / "model")
    audio = sorted((home / "new" / "audio").iterdir())

    def texts(bank: Bank) -> list[str]:
        prompts = [bank.prompt(("ky", "sah")[index % 2]) for index in range(len(audio))]
        return [found.text for found in whisper.transcribe(audio, prompt=prompts)]

    before_texts = texts(older)
    result = add_language(config(home))
    bank = Bank.from_pretrained(folder)
    assert bank.languages == ("cv", "ky", "sah")
    assert result.before == result.after
    after = digests(folder)
    assert {name: after[name] for name in before} == before
    assert all(name.startswith("cv/") for name in set(after) - set(before))
    assert texts(bank) == before_texts
    assert result.trained_parameters == bank.parts["cv"].parameter_count
    places = 2 * (2 + 2)  # keys and values of each layer
    assert result.trained_parameters == places * 4 * (4 + 32) + 32
    left = [tensor for name, tensor in bank.parts["cv"].tensors.items() if name.endswith(LEFT)]
    assert len(left) == 4
    assert all(tensor.abs().max() > 0 for tensor in left)
    assert bank.parts["cv"].card.key is not None


def test_every_setting_of_the_training_loop_is_taken_over(home: Path) -> None:
    settings = {
        "optimizer": OptimizerConfig(weight_decay=0.1), "data": DataConfig(batch_size=3), "early_stopping": 2,
        "checkpoint_minutes": 3.0, "recompute": True, "seed": 7, "trainer": {"max_epochs": 1},
    }  # fmt: skip
    assert settings.keys() == {setting.name for setting in fields(LoopConfig)}
    own = config(home, **settings)
    bank = Bank.from_pretrained(own.bank)
    recipe = recipe_of(own, bank, form_of(own, bank))
    assert {name: getattr(recipe, name) for name in settings} == settings


@pytest.mark.parametrize("init", ["zero", "nearest", "sah", "auto"])
def test_the_start_can_be_chosen(init: str, home: Path) -> None:
    result = add_language(config(home, init=init, probes=0))
    expected = {"zero": {"zero"}, "nearest": {"ky", "sah"}, "sah": {"sah"}}
    assert result.init in expected.get(init, {"zero", "ky", "sah"})


def test_a_part_may_have_another_rank_than_older_ones(home: Path) -> None:
    folder = home / "run" / "bank"
    before = digests(folder)
    result = add_language(config(home, rank=6, init="sah"))
    places = 2 * (2 + 2)  # keys and values of each layer
    assert result.trained_parameters == places * 6 * (4 + 32) + 32
    assert result.init == "sah"
    after = digests(folder)
    assert {name: after[name] for name in before} == before
    bank = Bank.from_pretrained(folder)
    assert [bank.parts[language].aware.rank for language in ("ky", "sah", "cv")] == [4, 4, 6]
    shapes = bank.prompt("sah").vectors.named_tensors()
    whole = bank.prompt("cv").vectors.named_tensors()
    assert {name: tensor.shape for name, tensor in whole.items()} == {
        name: tensor.shape for name, tensor in shapes.items()
    }


def test_without_a_rank_the_part_gets_the_highest_of_the_bank(home: Path) -> None:
    add_language(config(home, rank=6, probes=0))
    write_corpus(home / "third", languages=("tt",))
    third = config(
        home,
        language="tt",
        corpus=CorpusConfig(str(home / "third")),
        output=str(home / "more"),
        probes=0,
    )
    add_language(third)
    assert Bank.from_pretrained(home / "run" / "bank").parts["tt"].aware.rank == 6


def test_a_part_does_not_start_from_one_of_a_higher_rank(home: Path) -> None:
    with pytest.raises(
        InputError, match="init: the part of ky has rank 4; wanted zero, or a rank of 4 or more"
    ):
        add_language(config(home, rank=2, init="ky"))
    assert add_language(config(home, rank=2)).init == "zero"


@pytest.mark.parametrize(("form", "rates"), [("part", {4e-3, 1e-2}), ("whole", {1e-3})])
def test_a_part_and_its_token_learn_at_higher_rates_than_a_whole_prompt(
    form: Literal["part", "whole"], rates: set[float], home: Path
) -> None:
    own = config(home, form=form)
    bank = Bank.from_pretrained(own.bank)
    kind = form_of(own, bank)
    recipe = recipe_of(own, bank, kind)
    prepared = prepare(recipe, FrozenWhisper.from_pretrained(home / "model"), "cv")
    learner = start_of(own, recipe, prepared, bank, kind).learner
    assert {rate for p, rate in learner.rates(512) if p.requires_grad} == rates


def test_parts_that_are_no_products_have_no_rank(home: Path) -> None:
    fit(
        Recipe(
            CorpusConfig(str(home / "corpus")), "lapt", str(home / "model"), str(home / "own"), window_seconds=2,
            prompt=PromptConfig(length=4), lapt=LanguageAwareConfig("concat"), trainer=QUIET,
        )
    )  # fmt: skip
    own = config(home, bank=str(home / "own" / "bank"), rank=4)
    bank = Bank.from_pretrained(own.bank)
    with pytest.raises(InputError, match="rank: found 4; the parts of this bank are concat"):
        recipe_of(own, bank, form_of(own, bank))


def test_the_nearest_language_is_the_one_with_the_likeliest_key(home: Path) -> None:
    bank = Bank.from_pretrained(home / "run" / "bank")
    for language in ("ky", "sah"):
        key = bank.card(language).key
        assert key is not None
        posterior = torch.tensor(key.log_posterior)
        heard = LanguageSound(
            posterior.exp(), posterior, torch.tensor(key.state), torch.tensor(key.spread)
        )
        assert nearest_language(bank, heard) == language


def test_a_whole_prompt_in_a_bank_is_what_fit_makes_of_the_language_alone(home: Path) -> None:
    folder = home / "run" / "bank"
    before = digests(folder)
    result = add_language(config(home, form="whole"))
    bank = Bank.from_pretrained(folder)
    assert bank.languages == ("cv", "ky", "sah")
    assert list(bank.prompts) == ["cv"]
    after = digests(folder)
    assert {name: after[name] for name in before} == before
    assert result.before == result.after
    fit(
        Recipe(
            CorpusConfig(str(home / "new")), model=str(home / "model"), output=str(home / "alone"),
            window_seconds=2, prompt=PromptConfig(length=4), data=DataConfig(batch_size=2),
            optimizer=OptimizerConfig(learning_rate=0.05), trainer=QUIET,
        )
    )  # fmt: skip
    alone = Prompt.from_pretrained(home / "alone" / "prompt").vectors.named_tensors()
    whole = bank.prompt("cv").vectors.named_tensors()
    assert alone.keys() == whole.keys()
    assert all(torch.equal(tensor, whole[name]) for name, tensor in alone.items())
    assert bank.card("cv").key is not None


def test_a_bank_without_shared_vectors_gets_a_whole_prompt(home: Path) -> None:
    folder = home / "apart"
    add_language(config(home, form="whole"))
    shutil.move(home / "run" / "bank" / "cv", folder / "cv")
    write_corpus(home / "third", languages=("tt",))
    third = config(
        home, language="tt", bank=str(folder), corpus=CorpusConfig(str(home / "third")),
        output=str(home / "more"), form="auto",
    )  # fmt: skip
    for asked in ({"form": "part"}, {"rank": 4}, {"init": "zero"}):
        with pytest.raises(InputError, match="share nothing to which a part could be added"):
            add_language(replace(third, **asked))  # type: ignore[arg-type]
    before = digests(folder)
    add_language(third)
    after = digests(folder)
    assert {name: after[name] for name in before} == before
    bank = Bank.from_pretrained(folder)
    assert sorted(bank.prompts) == ["cv", "tt"]
    assert bank.prompt("tt").config == bank.prompt("cv").config
    with pytest.raises(InputError, match="has tt already"):
        add_language(third)


def test_wrong_calls_are_refused_and_leave_the_bank_alone(home: Path) -> None:
    before = digests(home / "run" / "bank")
    with pytest.raises(InputError, match="has ky already"):
        add_language(config(home, language="ky"))
    with pytest.raises(InputError, match="nothing in qug, only in cv"):
        add_language(config(home, language="qug"))
    with pytest.raises(InputError, match="init: found 'tt'; wanted auto, zero, nearest or one of"):
        add_language(config(home, init="tt"))
    with pytest.raises(InputError, match="init: found 'zero'; a whole prompt starts from scratch"):
        add_language(config(home, form="whole", init="zero"))
    with pytest.raises(InputError, match="rank: found 4; a whole prompt has none"):
        add_language(config(home, form="whole", rank=4))
    with pytest.raises(InputError, match="rank: found 0, wanted 1 or more"):
        config(home, rank=0)
    write_model(home / "other", seed=5)
    with pytest.raises(InputError, match="load the prompt's own base model"):
        add_language(config(home, model=str(home / "other")))
    assert digests(home / "run" / "bank") == before


@pytest.mark.parametrize(
    ("asked", "form"), [({}, "whole"), ({"rank": 8}, "part"), ({"init": "ky"}, "part")]
)
def test_a_language_gets_a_whole_prompt_unless_a_part_is_asked_for(
    asked: dict[str, object], form: str, home: Path
) -> None:
    bank = Bank.from_pretrained(home / "run" / "bank")
    assert form_of(config(home, form="auto", **asked), bank) is FORMS[form]


@pytest.mark.slow
def test_a_killed_addition_leaves_the_bank_and_ends_the_same_when_resumed(home: Path) -> None:
    folder = home / "run" / "bank"
    before = digests(folder)
    command = [
        "add-language", "cv", "--bank", str(folder), "--corpus.root", str(home / "new"),
        "--output", str(home / "cut"), "--form", "part", "--data.batch_size", "2", "--trainer.max_epochs", "4",
        "--trainer.precision", "32-true", "--trainer.enable_progress_bar", "false",
    ]  # fmt: skip
    killed = [sys.executable, "-m", "tests.training.signalled_run", "SIGKILL", "1", *command]
    assert subprocess.run(killed, cwd=ROOT, timeout=600).returncode == -signal.SIGKILL
    assert (home / "cut" / "checkpoints" / "last.ckpt").exists()
    assert digests(folder) == before
    assert main([*command, "--resume", "true"]) == 0
    resumed = (folder / "cv" / "part.safetensors").read_bytes()
    for path in (folder / "cv").iterdir():
        path.unlink()
    (folder / "cv").rmdir()
    assert main([*command, "--output", str(home / "whole")]) == 0
    assert (folder / "cv" / "part.safetensors").read_bytes() == resumed


def while_it_trains(monkeypatch: pytest.MonkeyPatch, edit: Callable[[], object]) -> None:
    """Has somebody edit the bank once, after the training and before the addition."""
    train, edits = expansion.train, iter([edit])

    def edited(*given: Any) -> Any:
        numbers = train(*given)
        next(edits, int)()
        return numbers

    monkeypatch.setattr(expansion, "train", edited)


def when_it_is_added(monkeypatch: pytest.MonkeyPatch, edit: Callable[[], object]) -> None:
    """Has somebody edit the bank once, as the new folder is put in place."""
    add, edits = Bank.add, iter([edit])

    def edited(bank: Bank, member: Any) -> Path:
        next(edits, int)()
        return add(bank, member)

    monkeypatch.setattr(Bank, "add", edited)


@pytest.mark.parametrize("moment", [while_it_trains, when_it_is_added])
@pytest.mark.parametrize("form", ["part", "whole"])
def test_a_language_removed_meanwhile_is_named_and_the_addition_can_be_resumed(
    moment: Any, form: Literal["part", "whole"], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, own = home / "run" / "bank", config(home, form=form)
    moment(monkeypatch, lambda: shutil.rmtree(folder / "sah"))
    removed = r"sah/part\.json, sah/part\.safetensors removed\), so cv is not added; --resume true"
    with pytest.raises(InputError, match=removed):
        add_language(own)
    assert sorted(path.name for path in folder.iterdir()) == ["ky", "shared"]
    add_language(own, resume=True)
    assert Bank.from_pretrained(folder).languages == ("cv", "ky")


@pytest.mark.parametrize("moment", [while_it_trains, when_it_is_added])
def test_shared_vectors_changed_meanwhile_are_to_be_restored(
    moment: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "run" / "bank"
    path = folder / "shared" / "prompt.safetensors"
    kept = path.read_bytes()
    moment(monkeypatch, lambda: path.write_bytes(kept[:-1] + b"\x01"))
    with pytest.raises(
        InputError, match=r"\(shared/prompt\.safetensors changed\), .*; restore that, and --resume"
    ):
        add_language(config(home))
    assert sorted(path.name for path in folder.iterdir()) == ["ky", "sah", "shared"]
    path.write_bytes(kept)
    add_language(config(home), resume=True)
    assert Bank.from_pretrained(folder).languages == ("cv", "ky", "sah")


def test_the_part_that_it_starts_from_must_be_there_to_go_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "run" / "bank"
    while_it_trains(monkeypatch, lambda: shutil.rmtree(folder / "sah"))
    with pytest.raises(InputError, match="restore that, and --resume true"):
        add_language(config(home, init="sah"))


def test_what_somebody_breaks_meanwhile_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "run" / "bank"
    when_it_is_added(monkeypatch, (folder / "tt").mkdir)
    with pytest.raises(InputError, match=r"tt has neither .*so cv is not added; restore that, and"):
        add_language(config(home))
    assert not (folder / "cv").exists()


def test_notes_may_change_while_a_language_is_learned(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "run" / "bank"

    def edit() -> None:
        (folder / "sah" / "README.md").write_text("my own words")
        (folder / "ky" / "README.md").unlink()
        (folder / ".DS_Store").write_bytes(b"?")
        (folder / "sah" / "notes.txt").write_text("?")

    while_it_trains(monkeypatch, edit)
    result = add_language(config(home))
    assert result.older_files == 6
    assert result.before == result.after
    assert Bank.from_pretrained(folder).languages == ("cv", "ky", "sah")


def test_an_addition_that_changes_whisper_is_taken_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = iter("ab")
    monkeypatch.setattr(evidence, "fingerprint_weights", lambda _: next(digests))
    with pytest.raises(RuntimeError, match="older weights changed; .*cv is taken out"):
        add_language(config(home))
    assert Bank.from_pretrained(home / "run" / "bank").languages == ("ky", "sah")


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError])
def test_an_addition_that_ends_before_it_is_checked_is_taken_out(
    fault: type[BaseException], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([None, fault()])

    def failing(*_: Any) -> str:
        error = next(faults)
        if error is not None:
            raise error
        return "weights"

    monkeypatch.setattr(evidence, "fingerprint_weights", failing)
    with pytest.raises(fault):
        add_language(config(home))
    assert not (home / "run" / "bank" / "cv").exists()
    assert (home / "add" / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.parametrize("lower", ["zero", "sah"])
def test_of_two_starts_the_one_with_the_lower_loss_is_taken(
    lower: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([1.0 if start == lower else 2.0 for start in ("zero", "sah")])
    monkeypatch.setattr(additions, "nearest_language", lambda bank, heard: "sah")
    monkeypatch.setattr(additions, "_loss", lambda *_: next(losses))
    own = config(home)
    bank = Bank.from_pretrained(own.bank)
    form = form_of(own, bank)
    recipe = recipe_of(own, bank, form)
    prepared = prepare(recipe, FrozenWhisper.from_pretrained(home / "model"), "cv")
    assert start_of(own, recipe, prepared, bank, form).init == lower


def test_a_part_starts_from_anothers_vectors_and_its_own_token(home: Path) -> None:
    own = config(home, init="sah")
    bank = Bank.from_pretrained(own.bank)
    form = form_of(own, bank)
    recipe = recipe_of(own, bank, form)
    prepared = prepare(recipe, FrozenWhisper.from_pretrained(home / "model"), "cv")
    learner: Any = start_of(own, recipe, prepared, bank, form).learner
    part, sah = learner.prompt.part("cv"), bank.parts["sah"].tensors
    token = expected_embedding(prepared.whisper, learner.heard["cv"])
    assert part.keys() == sah.keys()
    for name, tensor in part.items():
        assert torch.equal(tensor, token if name == LANGUAGE_VECTOR else sah[name]), name


def test_an_addition_takes_over_text_and_windows_of_the_bank_and_the_tokens_it_is_given(
    home: Path,
) -> None:
    spelling = TextProcessing(lowercase=True, remove_punctuation=True)
    fit(
        Recipe(
            CorpusConfig(str(home / "corpus")), "lapt", str(home / "model"), str(home / "own"),
            window_seconds=[2.0, 5.0], prompt=PromptConfig(length=4), text=spelling, trainer=QUIET,
        )
    )  # fmt: skip
    own = config(home, bank=str(home / "own" / "bank"), tokens=["es"])
    bank = Bank.from_pretrained(own.bank)
    for form in ("part", "whole"):
        own = config(home, bank=str(home / "own" / "bank"), tokens=["es"], form=form)
        recipe = recipe_of(own, bank, form_of(own, bank))
        assert recipe.text == spelling
        assert recipe.windows == (2.0, 5.0)  # the older speech needed the first alone
        assert recipe.languages == {"cv": ["es"]}


def test_mixed_speech_is_learned_by_its_main_language_alone(home: Path) -> None:
    root = write_corpus(home / "mixed", languages=("cv", "cv+ky", "ky+cv"))
    own = config(home, corpus=CorpusConfig(str(root)))
    bank = Bank.from_pretrained(own.bank)
    recipe = recipe_of(own, bank, form_of(own, bank))
    prepared = prepare(recipe, FrozenWhisper.from_pretrained(home / "model"), "cv")
    assert {example.utterance.languages for example in prepared.train} == {("cv",), ("cv", "ky")}


def test_a_language_is_the_same_however_its_accents_are_encoded(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "Otomí") for form in ("NFC", "NFD"))
    assert composed != apart
    corpus = CorpusConfig(str(write_corpus(tmp_path, train=1)), language=apart)
    assert read_split(corpus, "train")[0].languages == (composed,)
    assert ExpansionConfig(apart, "bank", corpus).language == composed


def test_a_folder_is_no_corpus() -> None:
    with pytest.raises(InputError, match="corpus: found str, wanted a CorpusConfig"):
        ExpansionConfig("cv", "bank", "data/cv")  # type: ignore[arg-type]


def test_mixed_speech_can_get_a_whole_prompt(home: Path) -> None:
    root = write_corpus(home / "mixed", languages=("cv", "cv+ky"))
    own = config(
        home,
        corpus=CorpusConfig(str(root)),
        form="whole",
        output=str(home / "whole"),
        tokens=["es"],
    )
    add_language(own)
    assert Bank.from_pretrained(own.bank).card("cv").codes["cv"] == ("es",)
