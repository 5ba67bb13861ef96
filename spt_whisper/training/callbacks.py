"""What is watched during training: checkpoints of the prompt alone, early stopping, and the numbers of the run."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint

from spt_whisper.training.methods.learner import Learner
from spt_whisper.training.run_numbers import RunNumbers
from spt_whisper.training.timed_checkpoint import TimedCheckpoint

CHECKPOINTS = "checkpoints"  # folder in the output
LAST = "last"
BEST = "best"
_MONITORED = "dev_token_error"


class RunWatch(Callback):
    """Measures a run; its checkpoints keep what was measured so far, in the middle of an epoch, too."""

    def __init__(self) -> None:
        """Starts with nothing measured."""
        self._before = self._started = 0.0
        self.seconds = 0.0
        self._epochs = 0  # that were begun
        self._losses = self._utterances = 0.0  # sums over the epoch so far
        self._last_loss: float | None = None

    def state_dict(self) -> dict[str, float | None]:
        """What was measured so far, for the checkpoint."""
        return {
            "seconds": self._so_far(), "epochs": self._epochs, "losses": self._losses, "utterances": self._utterances,
            "last_loss": self._last_loss,
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a checkpoint's figures; Lightning calls this before the start."""
        self._before = self.seconds = state_dict["seconds"]
        self._epochs, self._last_loss = state_dict["epochs"], state_dict["last_loss"]
        self._losses, self._utterances = state_dict["losses"], state_dict["utterances"]

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Starts the clock, and on a GPU the peak of memory, which may be an earlier run's."""
        device = trainer.strategy.root_device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        self._started = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        *_: object,
    ) -> None:
        """Adds the losses of the batch."""
        self._epochs = trainer.current_epoch + 1
        utterances = float(outputs["utterances"])
        self._losses += float(outputs["mean"]) * utterances
        self._utterances += utterances

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Keeps and logs the epoch's loss, the mean over its utterances."""
        loss = self._losses / self._utterances
        self._losses = self._utterances = 0.0
        self._last_loss = round(loss, 4)
        module.log("train_loss_epoch", loss)

    def on_train_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Stops the clock."""
        self.seconds = self._so_far()

    def _so_far(self) -> float:
        return self._before + time.perf_counter() - self._started

    def numbers(self, trainer: lightning.Trainer, learner: Learner, utterances: int) -> RunNumbers:
        """Returns the run's numbers after it ended, for a learner trained on so many utterances."""
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB to GiB
        device = trainer.strategy.root_device
        if device.type == "cuda":
            memory = torch.cuda.max_memory_allocated(device) / 2**30
        return RunNumbers(
            round(self.seconds, 1), self._epochs, self._last_loss, round(memory, 2),
            utterances, learner.trained_parameters, learner.stored_parameters,
        )  # fmt: skip


class Best(ModelCheckpoint):
    """Keeps the best epoch; where the folder was renamed since, it still knows the score to beat, which Lightning forgets."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a checkpoint, wherever its folder is now."""
        folder = Path(str(self.dirpath))
        best = {
            str(folder / Path(path).name): score
            for path, score in state_dict["best_k_models"].items()
        }
        paths = {
            name: str(folder / Path(state_dict[name]).name) if state_dict[name] else ""
            for name in ("best_model_path", "kth_best_model_path", "last_model_path")
        }
        super().load_state_dict(
            {**state_dict, **paths, "best_k_models": best, "dirpath": self.dirpath}
        )


class Patience(EarlyStopping):
    """Early stopping that has ended a run when the run is resumed, too: without this it would train on."""

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Ends a run whose checkpoint says that patience was at its end."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


def callbacks(folder: Path, early_stopping: int | None, minutes: float) -> list[Callback]:
    """Returns the callbacks of a run that keeps its checkpoints in a folder, and every so many minutes."""
    timed = TimedCheckpoint(folder / f"{LAST}.ckpt", minutes)
    last = ModelCheckpoint(
        dirpath=folder,
        filename=LAST,
        save_top_k=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    if early_stopping is None:
        return [timed, last]
    best = Best(
        dirpath=folder,
        filename=BEST,
        monitor=_MONITORED,
        save_top_k=1,
        enable_version_counter=False,
    )
    return [timed, best, last, Patience(monitor=_MONITORED, patience=early_stopping)]
