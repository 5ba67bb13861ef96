"""Checkpoints between two ends of epochs: as time passes, and where the system asks the run to end (SIGTERM)."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from spt_whisper.errors import TerminatedError
from spt_whisper.training.processes import leave_to_first


class TimedCheckpoint(Callback):
    """Keeps the state of the run after a step, where it is time or where a process got SIGTERM.

    Processes agree after each step and each batch of dev, so that a signal to one ends all. Lightning cannot go on from
    within a pass over dev: a run that ends there goes on before the last step that came before it, which is kept, too.
    """

    def __init__(self, checkpoint: Path, minutes: float) -> None:
        """Takes the file that is replaced, and the time between two checkpoints."""
        self.checkpoint, self.minutes = checkpoint, minutes
        self._terminated = False
        self._kept = 0.0

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Takes the place of Lightning's handler, which would end a pass over dev half-way and keep nothing."""
        self._kept = time.monotonic()
        if threading.current_thread() is threading.main_thread():  # no other may set a handler
            signal.signal(
                signal.SIGTERM, self._hear
            )  # Lightning puts the older one back at the end

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Ends the run where that was asked for; the epoch before has its checkpoint."""
        if _any_process(trainer, self._terminated):
            _end(trainer)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Keeps the state, unless gradients are being gathered or the epoch ends here and is kept anyway."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches or trainer.is_last_batch:
            return
        terminated = _any_process(trainer, self._terminated)
        due = time.monotonic() - self._kept >= 60 * self.minutes or _dev_is_next(trainer, batch_idx)
        if terminated or _any_process(trainer, due):
            trainer.save_checkpoint(self.checkpoint)
            self._kept = time.monotonic()
        if terminated:
            _end(trainer)

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Ends the run where that was asked for."""
        if _any_process(trainer, self._terminated):
            _end(trainer)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._terminated = True


def _any_process(trainer: lightning.Trainer, decision: bool) -> bool:
    return trainer.strategy.reduce_boolean_decision(decision, all=False)


def _dev_is_next(trainer: lightning.Trainer, batch: int) -> bool:
    """Whether one more step ends the epoch, with a pass over dev."""
    left = trainer.num_training_batches - (batch + 1)
    return left <= trainer.accumulate_grad_batches and bool(sum(trainer.num_val_batches))


def _end(trainer: lightning.Trainer) -> None:
    leave_to_first(trainer)
    raise TerminatedError("ended by SIGTERM; --resume true goes on from the last checkpoint")
