"""Lightning's trainer as a recipe sets it: precision, logs, checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from spt_whisper.errors import InputError
from spt_whisper.training.callbacks import RunWatch, callbacks
from spt_whisper.training.recipe import Recipe

TRAINER_DEFAULTS: dict[str, Any] = {
    "max_epochs": 5,
    "gradient_clip_val": 1.0,
    "accelerator": "auto",
    "devices": 1,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 5,
    "enable_model_summary": False,
}


def build_trainer(recipe: Recipe, output: Path) -> tuple[lightning.Trainer, RunWatch]:
    """Returns the trainer, and the callback that measures the run.

    Raises:
        InputError: Lightning does not take the recipe's settings.
    """
    reserved = {"callbacks", "logger", "default_root_dir"} & set(recipe.trainer)
    if reserved:
        raise InputError(f"trainer: {', '.join(sorted(reserved))} are set by fit; leave them out")
    watch = RunWatch()
    loggers = [
        CSVLogger(output, name="logs", version="csv"),
        TensorBoardLogger(output, name="logs", version="tensorboard"),
    ]
    settings = {"precision": fastest_precision(), **TRAINER_DEFAULTS, **recipe.trainer}
    try:
        trainer = lightning.Trainer(
            **settings,
            callbacks=[*callbacks(output / "checkpoints", recipe.early_stopping), watch],
            logger=loggers,
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"trainer: {' '.join(str(error).split())}") from error
    return trainer, watch


def fastest_precision() -> str:
    """Returns `bf16-mixed` where the processor or GPU multiplies bfloat16 in hardware, else `32-true`."""
    if torch.cuda.is_available():
        return (
            "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
        )
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if native else "32-true"
