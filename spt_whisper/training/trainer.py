"""Lightning's trainer as a recipe sets it: precision, logs, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from spt_whisper.errors import InputError
from spt_whisper.training.callbacks import CHECKPOINTS, RunWatch, callbacks
from spt_whisper.training.checkpoint_files import WholeFiles
from spt_whisper.training.methods import METHODS
from spt_whisper.training.progress import RunProgressBar
from spt_whisper.training.recipe import Recipe

TRAINER_DEFAULTS: dict[str, Any] = {
    "gradient_clip_val": 1.0,
    "accelerator": "auto",
    "devices": 1,
    "strategy": "auto",
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 5,
    "enable_model_summary": False,
}

# Where the recipe names no end: so many epochs, and more where these make fewer updates than a prompt needs
_EPOCHS, _UPDATES, _MOST_EPOCHS = 5, 500, 40

# settings whose null says something to Lightning: no clipping; batches are counted, not epochs. Elsewhere it is our default
_NULL_MEANS = {"gradient_clip_val", "check_val_every_n_epoch"}

_RESERVED = {"callbacks", "logger", "default_root_dir", "plugins", "use_distributed_sampler"}

_STRATEGIES = ("auto", "ddp")

_PRECISIONS = (
    "32-true",
    "bf16-mixed",
    "16-mixed",
    "32",
    "bf16",
    "16",
)  # the last three mean the same

# settings that Lightning takes without a look, and the lowest whole number for each; -1: no limit
_LOWEST = {
    "max_epochs": -1,
    "min_epochs": 0,
    "max_steps": -1,
    "min_steps": 0,
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "num_sanity_val_steps": -1,
    "log_every_n_steps": 0,
}


def default_epochs(utterances: int, utterances_an_update: int) -> int:
    """Returns the epochs of a run whose recipe names no end: 5, up to 40 where 5 would make fewer than 500 updates."""
    epochs = math.ceil(_UPDATES * utterances_an_update / utterances)
    return min(max(_EPOCHS, epochs), _MOST_EPOCHS)


def build_trainer(
    recipe: Recipe, output: Path, utterances: int | None = None
) -> tuple[lightning.Trainer, RunWatch]:
    """Returns the trainer, and the callback that measures the run.

    Args:
        recipe: the run.
        output: its folder.
        utterances: how many it trains on; None where that is not known yet, and the trainer only checked.

    Raises:
        InputError: the recipe's settings are not such as Lightning and a float32 prompt take.
    """
    reserved = _RESERVED & set(recipe.trainer)
    if reserved:
        raise InputError(f"trainer: {', '.join(sorted(reserved))} are set by fit; leave them out")
    watch = RunWatch()
    loggers = [
        CSVLogger(output, name="logs", version="csv"),
        TensorBoardLogger(output, name="logs", version="tensorboard"),
    ]
    settings = {
        "precision": fastest_precision(recipe.trainer.get("accelerator")), **TRAINER_DEFAULTS, **_end(recipe),
        **{name: value for name, value in recipe.trainer.items() if value is not None or name in _NULL_MEANS},
    }  # fmt: skip
    _check(settings)
    kept = callbacks(output / CHECKPOINTS, recipe.early_stopping, recipe.checkpoint_minutes)
    shown = [RunProgressBar()] if settings.get("enable_progress_bar", True) else []
    try:
        trainer = lightning.Trainer(
            **{**settings, "strategy": _strategy(settings, recipe)},
            callbacks=[watch, *kept, *shown],  # a checkpoint has what the watch saw of its batch
            logger=loggers,
            plugins=[WholeFiles(), *_cluster()],
            default_root_dir=output,  # where Lightning looks for files of its own, which may be of another run
            use_distributed_sampler=False,  # `EpochBatches` knows its process
        )
    except (TypeError, ValueError, RuntimeError, ImportError, MisconfigurationException) as error:
        raise InputError(
            f"trainer: found {recipe.trainer}, which Lightning refuses: {' '.join(str(error).split())}"
        ) from error
    if utterances and recipe.trainer.get("max_epochs") is None and trainer.max_epochs == _EPOCHS:
        processes = trainer.world_size  # which Lightning makes of devices and num_nodes
        together = recipe.data.batch_size * processes * trainer.accumulate_grad_batches
        trainer.fit_loop.max_epochs = default_epochs(utterances, together)
    if recipe.early_stopping is not None and not _watches_dev(recipe, trainer):
        raise InputError(
            "early_stopping: needs a pass over dev, but trainer's limit_val_batches, check_val_every_n_epoch or "
            "fast_dev_run leave none; change these, or leave early_stopping out"
        )
    return trainer, watch


def _cluster() -> list[SLURMEnvironment]:
    """Under SLURM: without Lightning's own checkpoints and requeues, which know neither recipe nor `resume`."""
    return [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []


def keep_losses(output: Path) -> None:
    """Puts the losses of a run that is resumed out of the way of Lightning, which would remove them."""
    losses = output / "logs" / "csv" / "metrics.csv"
    if losses.is_file():
        number = sum(1 for _ in losses.parent.glob("metrics-before-*.csv")) + 1
        losses.replace(losses.with_name(f"metrics-before-{number}.csv"))


def _end(recipe: Recipe) -> dict[str, int]:
    """When training ends by default, as far as that is known before the trainer is."""
    by_steps = recipe.trainer.get("max_steps", -1) not in (-1, None)
    return {"max_epochs": -1 if by_steps else _EPOCHS}


def _strategy(settings: Mapping[str, Any], recipe: Recipe) -> str:
    """Lightning's name for how processes train together.

    A method with numbers for each language has some without a gradient where a batch lacks the language.
    """
    several = settings["devices"] not in (1, "1") or settings.get("num_nodes", 1) != 1
    if settings["strategy"] == "auto" and not several:
        return "auto"
    return "ddp_find_unused_parameters_true" if METHODS[recipe.method].per_language else "ddp"


def _check(settings: Mapping[str, Any]) -> None:
    """Refuses what Lightning's constructor takes, but no run could go through with."""
    if str(settings["precision"]) not in _PRECISIONS:
        raise InputError(
            f"trainer.precision: found {settings['precision']}, wanted 32-true, bf16-mixed or 16-mixed: "
            "the prompt stays float32"
        )
    if settings["strategy"] not in _STRATEGIES:
        raise InputError(
            f"trainer.strategy: found {settings['strategy']}, wanted auto or ddp: the model is small enough for one device"
        )
    for name, lowest in _LOWEST.items():
        value = settings.get(name)
        if value is not None and (type(value) is not int or value < lowest):
            raise InputError(
                f"trainer.{name}: found {value}, wanted a whole number, {lowest} or more"
            )
    if settings["max_epochs"] == -1 and settings.get("max_steps", -1) in (-1, None):
        raise InputError(
            "trainer.max_epochs: found -1 (no end), wanted a last step, where the learning rate ends; "
            "give a number of epochs, or max_steps"
        )


def _watches_dev(recipe: Recipe, trainer: lightning.Trainer) -> bool:
    """Whether an epoch of the run ends with a pass over dev."""
    if recipe.trainer.get("fast_dev_run") or not trainer.limit_val_batches:
        return False
    every, epochs = trainer.check_val_every_n_epoch, trainer.max_epochs
    return every is None or epochs in (None, -1) or every <= epochs


def fastest_precision(accelerator: str | None = None) -> str:
    """Returns `bf16-mixed` where the processor or GPU multiplies bfloat16 in hardware, else `32-true`.

    Args:
        accelerator: Lightning's name for what trains; `cpu` where a GPU is left alone.
    """
    if accelerator != "cpu" and torch.cuda.is_available():
        return (
            "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
        )
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if native else "32-true"
