"""Lightning's trainer: settings that no run could go through with are one line, before anything slow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from spt_whisper.corpora import CorpusConfig
from spt_whisper.errors import InputError
from spt_whisper.training.recipe import DataConfig, Recipe
from spt_whisper.training.trainer import build_trainer, fastest_precision

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"precision": "bf16-true"}, "precision: found bf16-true, wanted 32-true, bf16-mixed or"),
    ({"precision": "16-true"}, "precision: found 16-true"),
    ({"precision": "64-true"}, "precision: found 64-true"),
    ({"precision": "transformer-engine"}, "precision: found transformer-engine"),
    ({"max_epochs": -1}, r"max_epochs: found -1 \(no end\)"),
    ({"max_epochs": -2}, "max_epochs: found -2, wanted a whole number, -1 or more"),
    ({"max_epochs": "x"}, "max_epochs: found x, wanted a whole number"),
    ({"max_epochs": 1.5}, "max_epochs: found 1.5, wanted a whole number"),
    ({"max_epochs": True}, "max_epochs: found True, wanted a whole number"),
    ({"max_steps": "x"}, "max_steps: found x"),
    ({"accumulate_grad_batches": 0}, "accumulate_grad_batches: found 0"),
    ({"check_val_every_n_epoch": 0}, "check_val_every_n_epoch: found 0"),
    ({"log_every_n_steps": "x"}, "log_every_n_steps: found x"),
    ({"devices": 0, "accelerator": "cpu"}, "'devices': 0.*which Lightning refuses"),
    ({"enable_checkpointing": False}, "'enable_checkpointing': False.*which Lightning refuses"),
    ({"limit_train_batches": -1}, "'limit_train_batches': -1.*which Lightning refuses"),
    ({"strategy": "fsdp"}, "strategy: found fsdp, wanted auto or ddp"),
    ({"use_distributed_sampler": True}, "use_distributed_sampler are set by fit"),
    ({"max_epoch": 3}, "'max_epoch': 3.*which Lightning refuses"),
    ({"logger": False}, "logger are set by fit"),
]


def test_the_precision_is_that_of_what_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert fastest_precision() == "bf16-mixed"
    assert fastest_precision("gpu") == "bf16-mixed"
    assert fastest_precision("cpu") == "32-true"


def recipe(trainer: dict[str, Any], **settings: Any) -> Recipe:
    return Recipe(CorpusConfig("x"), trainer=trainer, **settings)


@pytest.mark.parametrize(("trainer", "message"), REFUSED)
def test_a_setting_that_cannot_work_is_one_line(
    trainer: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as raised:
        build_trainer(recipe(trainer), tmp_path)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'accelerator': 'gpu'.*No supported gpu backend found"):
        build_trainer(recipe({"accelerator": "gpu"}), tmp_path)


@pytest.mark.parametrize(
    "trainer",
    [
        {"limit_val_batches": 0},
        {"limit_val_batches": 0.0},
        {"max_epochs": 2, "check_val_every_n_epoch": 3},
        {"fast_dev_run": True},
    ],
)
def test_early_stopping_needs_a_pass_over_dev(trainer: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="early_stopping: needs a pass over dev"):
        build_trainer(recipe(trainer, early_stopping=1), tmp_path)
    build_trainer(recipe(trainer), tmp_path)  # without early stopping it may be left out


@pytest.mark.parametrize(
    "trainer",
    [
        {"precision": "32-true"},
        {"precision": "bf16-mixed"},
        {"precision": 32},
        {"max_epochs": -1, "max_steps": 2},
        {"max_epochs": 2, "min_epochs": None, "check_val_every_n_epoch": 2},
    ],
)
def test_what_works_is_taken(trainer: dict[str, Any], tmp_path: Path) -> None:
    made, _ = build_trainer(recipe(trainer, early_stopping=1), tmp_path)
    assert made.max_epochs == trainer.get("max_epochs", 5)


@pytest.mark.parametrize(
    ("trainer", "utterances", "epochs"),
    [
        ({}, 10_000, 5),
        ({}, 500, 8),  # 500 updates of 8
        ({}, 60, 40),
        ({"max_epochs": None}, 60, 40),
        ({"accumulate_grad_batches": 2}, 500, 16),  # of 16
        ({"devices": 2, "accelerator": "cpu"}, 500, 16),
        ({"devices": 2, "accelerator": "cpu", "accumulate_grad_batches": 2}, 800, 20),
        ({"max_epochs": 3}, 60, 3),
        ({"fast_dev_run": True}, 60, 1),
        ({"max_steps": 7}, 10_000, -1),  # the steps alone say when it ends
    ],
)
def test_a_small_corpus_is_gone_through_more_often(
    trainer: dict[str, Any], utterances: int, epochs: int, tmp_path: Path
) -> None:
    asked = recipe(trainer, data=DataConfig(batch_size=8))
    assert build_trainer(asked, tmp_path, utterances)[0].max_epochs == epochs


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="data.workers: found -1, wanted 0 or more"):
        DataConfig(workers=-1)
    for gigabytes in (-1, float("nan")):
        with pytest.raises(InputError, match="data.encoder_cache_gigabytes: found"):
            DataConfig(encoder_cache_gigabytes=gigabytes)
    for seed in (-1, 2**32):
        with pytest.raises(InputError, match=f"seed: found {seed}, wanted 0 to 4294967295"):
            recipe({}, seed=seed)
    with pytest.raises(InputError, match="early_stopping: found 0, wanted 1 epoch or more"):
        recipe({}, early_stopping=0)


def test_a_null_that_says_something_to_lightning_is_passed_on(tmp_path: Path) -> None:
    named = {"gradient_clip_val": None, "check_val_every_n_epoch": None, "devices": None}
    made, _ = build_trainer(recipe({**named, "val_check_interval": 3}), tmp_path)
    assert (made.gradient_clip_val, made.check_val_every_n_epoch) == (None, None)
    assert made.num_devices == 1  # our own default


def test_gradients_are_clipped_unless_the_recipe_says_otherwise(tmp_path: Path) -> None:
    made, _ = build_trainer(Recipe(CorpusConfig("x")), tmp_path)
    assert made.gradient_clip_val == 1.0


def test_under_slurm_a_checkpoint_of_lightnings_own_is_neither_read_nor_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"NTASKS": "1", "JOB_NAME": "train", "JOB_ID": "1", "PROCID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SLURM_LOCALID", "0")
    monkeypatch.setenv("SLURM_NODEID", "0")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hpc_ckpt_1.ckpt").write_bytes(b"another run's")
    trainer, _ = build_trainer(recipe({}), tmp_path / "run")
    connector = trainer._checkpoint_connector
    assert connector._hpc_resume_path is None
    assert not trainer._accelerator_connector.cluster_environment.auto_requeue
