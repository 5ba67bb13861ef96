"""Going on from a checkpoint: only where the run is the same one."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from spt_whisper.corpora import CorpusConfig
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.training.batch import Batch
from spt_whisper.training.callbacks import BEST, Best, RunWatch
from spt_whisper.training.expansion import add_language
from spt_whisper.training.expansion_settings import ExpansionConfig
from spt_whisper.training.prompt_tuner import PromptTuner
from spt_whisper.training.recipe import DataConfig, LoraConfig, OptimizerConfig, Recipe
from spt_whisper.training.relevant_settings import _LEARNS_NOTHING, deciding_settings
from spt_whisper.training.resuming import finished_artifact, is_unfinished
from spt_whisper.training.run import fit
from tests.tiny_corpus import write_corpus, write_home

QUIET = {"max_epochs": 2, "enable_progress_bar": False, "precision": "32-true"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_home(tmp_path_factory.mktemp("resume"), languages=("ky", "sah"))
    write_corpus(folder / "new", languages=("cv",))
    return folder


def recipe(home: Path, output: Path, **settings: object) -> Recipe:
    plain = Recipe(
        CorpusConfig(str(home / "corpus")), model=str(home / "model"), output=str(output),
        window_seconds=2.0, languages=["es"], data=DataConfig(batch_size=3), trainer=QUIET,
    )  # fmt: skip
    return replace(plain, **settings)  # type: ignore[arg-type]


def test_a_finished_run_ends_the_same_and_its_files_stay_readable(
    home: Path, tmp_path: Path
) -> None:
    first = fit(recipe(home, tmp_path))
    tensors = (first.folder / "prompt.safetensors").read_bytes()
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    kept = torch.load(checkpoint, weights_only=True)
    assert 0 < kept["callbacks"]["RunWatch"]["seconds"] <= first.numbers.seconds + 0.05
    kept["callbacks"]["RunWatch"]["seconds"] = 5000.0
    torch.save(kept, checkpoint)
    again = fit(recipe(home, tmp_path), resume=True)
    assert again.numbers.seconds >= 5000
    assert (again.folder / "prompt.safetensors").read_bytes() == tensors
    assert again.numbers.last_loss == first.numbers.last_loss is not None
    card = json.loads((again.folder / "prompt.json").read_text())["card"]
    assert card["training"]["last_loss"] == first.numbers.last_loss


@pytest.mark.parametrize("changed", [{"max_epochs": 3}, {"accumulate_grad_batches": 2}])
def test_trainer_settings_that_change_what_is_learned_are_compared(
    changed: dict[str, int], home: Path, tmp_path: Path
) -> None:
    fit(recipe(home, tmp_path))
    (name,) = changed
    with pytest.raises(InputError, match=f"other settings of trainer.{name}"):
        fit(recipe(home, tmp_path, trainer={**QUIET, **changed}), resume=True)
    fit(recipe(home, tmp_path, trainer={**QUIET, "log_every_n_steps": 1}), resume=True)


def test_other_settings_are_named_and_those_that_teach_nothing_may_change(
    home: Path, tmp_path: Path
) -> None:
    fit(recipe(home, tmp_path))
    with pytest.raises(InputError, match=r"other settings of data\.batch_size; restore"):
        fit(recipe(home, tmp_path, data=DataConfig(batch_size=2)), resume=True)
    with pytest.raises(InputError, match=r"other settings of languages\.qug, languages; restore"):
        fit(recipe(home, tmp_path, languages={"qug": ["es"]}), resume=True)
    renamed = tmp_path.rename(tmp_path.with_name("renamed"))
    data = DataConfig(
        batch_size=3, workers=1, encoder_cache_gigabytes=1.0, states_store=str(home / "states"),
        states_store_gigabytes=1.0,
    )  # fmt: skip
    fit(recipe(home, renamed, data=data, recompute=True, checkpoint_minutes=1.0), resume=True)


def test_every_name_in_the_table_is_a_setting(home: Path, tmp_path: Path) -> None:
    settings = asdict(recipe(home, tmp_path))
    settings["trainer"] = dict.fromkeys(signature(Trainer).parameters)
    for name in _LEARNS_NOTHING:
        *sections, last = name.split(".")
        section = settings
        for each in sections:
            section = section[each]
        del section[last]
    assert deciding_settings(settings) == settings


def test_too_little_memory_tells_what_a_run_may_go_on_with_and_what_is_another_run(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(PromptTuner, "training_step", short)
    with pytest.raises(InputError, match="^training: out of memory") as refused:
        fit(recipe(home, tmp_path))
    going_on, anew = str(refused.value).split("; or start over with ")
    named = set(_LEARNS_NOTHING)
    assert {name for name in named if name in going_on} == {
        "recompute", "data.encoder_cache_gigabytes",
    }  # fmt: skip
    assert "--resume true" in going_on
    assert not [name for name in named if name in anew]


def test_a_language_does_not_go_on_over_another_bank(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    banks = [
        fit(recipe(home, tmp_path / str(seed), method="lapt", languages=[], seed=seed)).folder
        for seed in (0, 1)
    ]

    def config(bank: Path, init: str = "auto") -> ExpansionConfig:
        return ExpansionConfig(
            "cv", str(bank), CorpusConfig(str(home / "new")), output=str(tmp_path / "add"),
            form="part", init=init, data=DataConfig(batch_size=2), trainer=QUIET,
        )  # fmt: skip

    def killed(bank: Bank, part: object) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Bank, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            add_language(config(banks[0]))
    with pytest.raises(InputError, match="trained over another bank or from another init"):
        add_language(config(banks[1]), resume=True)
    assert not (banks[1] / "cv").exists()
    with pytest.raises(InputError, match="trained over another bank or from another init"):
        add_language(config(banks[0], init="zero"), resume=True)
    mistyped = replace(config(banks[1]), corpus=CorpusConfig(str(home / "nowhere")))
    with pytest.raises(InputError, match="nowhere"):  # and nothing is lost by it
        add_language(mistyped)
    with pytest.raises(InputError, match="unfinished run of these settings"):
        add_language(config(banks[0]))
    part = add_language(config(banks[0]), resume=True).folder
    learned = (part / "part.safetensors").read_bytes()
    shutil.rmtree(part)
    again = add_language(config(banks[0])).folder  # finished before: learned anew
    assert (again / "part.safetensors").read_bytes() == learned
    assert add_language(config(banks[1])).folder.is_dir()


def test_a_run_that_early_stopping_ended_is_over(home: Path, tmp_path: Path) -> None:
    settings = {
        "early_stopping": 1, "optimizer": OptimizerConfig(learning_rate=1.0), "trainer": QUIET | {"max_epochs": 30},
    }  # fmt: skip
    first = fit(recipe(home, tmp_path, **settings))
    assert first.numbers.epochs < 30
    tensors = (first.folder / "prompt.safetensors").read_bytes()
    for _ in range(2):
        again = fit(recipe(home, tmp_path, **settings), resume=True)
        assert again.numbers.epochs == first.numbers.epochs
        assert (again.folder / "prompt.safetensors").read_bytes() == tensors


def test_a_corpus_that_has_changed_is_not_gone_on_with(home: Path, tmp_path: Path) -> None:
    corpus = shutil.copytree(home / "corpus", tmp_path / "corpus")
    own = recipe(home, tmp_path / "run", corpus=CorpusConfig(str(corpus)))
    fit(own)
    manifest = corpus / "train.jsonl"
    lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True)
    manifest.write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(
        InputError, match="resume: the run had 6 training utterances, now there are 5"
    ):
        fit(own, resume=True)
    manifest.write_text("".join(lines).replace('train0"', 'other"'), encoding="utf-8")
    with pytest.raises(InputError, match="the training utterances are not the same as before"):
        fit(own, resume=True)
    texts = [json.dumps(json.loads(line) | {"text": "other"}) + "\n" for line in lines]
    manifest.write_text("".join(texts), encoding="utf-8")
    with pytest.raises(InputError, match="or have other texts or windows"):
        fit(own, resume=True)


def test_what_was_learned_from_other_speech_is_not_replaced(home: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    prompt = fit(recipe(home, run)).folder / "prompt.safetensors"
    tensors = prompt.read_bytes()
    other = recipe(home, run, corpus=CorpusConfig(str(home / "new")))
    with pytest.raises(InputError, match=r"holds prompt of a run with another corpus\.root"):
        fit(other)
    shutil.rmtree(prompt.parent)
    with pytest.raises(InputError, match=r"holds a checkpoint of a run with another corpus\.root"):
        fit(other)
    again = recipe(home, run, corpus=CorpusConfig(f"{home}/corpus/../corpus/"))
    with pytest.raises(InputError, match="unfinished run of these settings"):
        fit(again)  # the same corpus, spelled another way
    assert fit(again, resume=True).folder.is_dir()
    assert prompt.read_bytes() == tensors


def test_what_was_learned_from_other_speech_is_not_replaced_by_a_resumed_run_without_a_checkpoint(
    home: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    fit(recipe(home, run))
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(InputError, match=r"holds prompt of a run with another corpus\.root"):
        fit(recipe(home, run, corpus=CorpusConfig(str(home / "new"))), resume=True)


def test_an_unfinished_run_is_not_lost_to_the_same_command(home: Path, tmp_path: Path) -> None:
    own = recipe(home, tmp_path)
    fit(own)
    finished = fit(own)  # anew, over one that ended
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    kept = checkpoint.read_bytes()
    shutil.rmtree(finished.folder)  # as if killed before it was written
    with pytest.raises(
        InputError, match=r"holds an unfinished run of these settings; wanted --resume true"
    ):
        fit(own)
    assert checkpoint.read_bytes() == kept
    assert (
        fit(own, resume=True).numbers.last_loss == finished.numbers.last_loss
    )  # nothing was left to learn
    shutil.rmtree(finished.folder)
    assert fit(replace(own, seed=1)).numbers.last_loss is not None  # another run


def test_an_older_prompt_in_the_folder_does_not_make_a_run_finished(
    home: Path, tmp_path: Path
) -> None:
    own = recipe(home, tmp_path)
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    made = fit(own).folder.stat().st_mtime_ns
    os.utime(checkpoint, ns=(made + 1, made + 1))
    with pytest.raises(InputError, match="unfinished run"):
        fit(own)


def test_losses_from_before_are_kept(home: Path, tmp_path: Path) -> None:
    fit(recipe(home, tmp_path))
    losses = tmp_path / "logs" / "csv" / "metrics.csv"
    before = losses.read_text()
    assert "train_loss_epoch" in before
    fit(recipe(home, tmp_path), resume=True)
    assert (losses.parent / "metrics-before-1.csv").read_text() == before


def test_a_fault_in_a_loaders_process_is_one_line(home: Path, tmp_path: Path) -> None:
    corpus = shutil.copytree(home / "corpus", tmp_path / "corpus")
    manifest = corpus / "train.jsonl"
    row, *others = manifest.read_text(encoding="utf-8").splitlines()
    wrong = json.dumps(json.loads(row) | {"duration": 0.1}, ensure_ascii=False)
    manifest.write_text("\n".join([wrong, *others]), encoding="utf-8")
    own = recipe(
        home, tmp_path / "run", corpus=CorpusConfig(str(corpus)), window_seconds=[0.4, 2.0],
        data=DataConfig(batch_size=3, workers=1),
    )  # fmt: skip
    with pytest.raises(
        InputError,
        match=r"^\S+train0.wav \(utterance train0\): 0.50 s of audio, but the corpus says",
    ):
        fit(own)


def test_the_score_to_beat_is_known_in_a_renamed_folder(tmp_path: Path) -> None:
    before, after = (
        Best(dirpath=tmp_path / name, filename=BEST, monitor="error")
        for name in ("before", "after")
    )
    older, newer = (str(tmp_path / name / "best.ckpt") for name in ("before", "after"))
    before.best_model_score = before.kth_value = torch.tensor(0.1)
    before.best_k_models = {older: before.best_model_score}
    before.best_model_path = before.kth_best_model_path = older
    after.load_state_dict(before.state_dict())
    assert after.best_model_score == 0.1
    assert list(after.best_k_models) == [newer]
    assert (after.best_model_path, after.kth_best_model_path) == (newer, newer)


def test_a_recipe_in_the_output_that_is_no_yaml_is_one_line(home: Path, tmp_path: Path) -> None:
    fit(recipe(home, tmp_path))
    for text in ("model: [", "", "[1, 2]"):
        (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=r"recipe\.yaml: is not the YAML of a recipe"):
            fit(recipe(home, tmp_path), resume=True)


def test_a_resumed_run_draws_the_dropout_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = write_home(tmp_path / "home")

    def recipe(name: str) -> Recipe:
        return Recipe(
            CorpusConfig(str(own / "corpus")), "lora", str(own / "model"), str(tmp_path / name), languages=["es"],
            window_seconds=2.0, data=DataConfig(batch_size=3), trainer=QUIET, lora=LoraConfig(dropout=0.5),
        )  # fmt: skip

    def stop(watch: RunWatch, trainer: Any, module: Any) -> None:
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt

    whole = fit(recipe("whole")).folder / "adapter_model.safetensors"
    with monkeypatch.context() as patched:
        patched.setattr(RunWatch, "on_train_epoch_start", stop)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            fit(recipe("cut"))
    resumed = fit(recipe("cut"), resume=True).folder / "adapter_model.safetensors"
    assert resumed.read_bytes() == whole.read_bytes()


def test_other_windows_are_not_gone_on_with(tmp_path: Path) -> None:
    own = write_home(tmp_path / "home")
    recipe = Recipe(
        CorpusConfig(str(own / "corpus")), model=str(own / "model"), output=str(tmp_path / "run"), languages=["es"],
        window_seconds=[1.2, 2.0], data=DataConfig(batch_size=3), trainer=QUIET,
    )  # fmt: skip
    fit(recipe)
    manifest = own / "corpus" / "train.jsonl"
    rows = [json.loads(line) | {"duration": 1.5} for line in manifest.read_text().splitlines()]
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(InputError, match="or have other texts or windows"):
        fit(recipe, resume=True)


def test_a_run_resumed_within_an_epoch_tells_the_loss_of_an_unbroken_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(recipe(home, tmp_path / "whole")).numbers
    step = PromptTuner.training_step

    def interrupted(tuner: PromptTuner, batch: Batch, index: int) -> dict[str, torch.Tensor]:
        if (tuner.current_epoch, index) == (1, 1):
            raise KeyboardInterrupt
        return step(tuner, batch, index)

    cut = recipe(home, tmp_path / "cut", checkpoint_minutes=0.0)
    with monkeypatch.context() as patched:
        patched.setattr(PromptTuner, "training_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(cut)
    resumed = fit(cut, resume=True).numbers
    assert (resumed.epochs, resumed.last_loss) == (whole.epochs, whole.last_loss)


def test_a_run_that_ended_by_steps_has_as_many_epochs_when_it_is_resumed(
    home: Path, tmp_path: Path
) -> None:
    steps = recipe(home, tmp_path, trainer=QUIET | {"max_epochs": -1, "max_steps": 3})
    ended, resumed = fit(steps).numbers, fit(steps, resume=True).numbers
    assert ended.epochs == resumed.epochs == 2


def test_a_model_without_its_prompt_is_not_finished(home: Path, tmp_path: Path) -> None:
    both = recipe(home, tmp_path, method="full_with_prompts")
    made = fit(both).folder
    assert finished_artifact(both) == "prompt"
    shutil.rmtree(made)  # as if killed between the two
    assert finished_artifact(both) is None
    assert is_unfinished(both)
