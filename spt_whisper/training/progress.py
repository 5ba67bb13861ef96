"""The progress bar of a run: Lightning's, with the epochs counted from one and the time that the whole run still takes."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import lightning
from lightning.pytorch.callbacks import RichProgressBar
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn

_BAR_WIDTH = 12  # with "Epoch 40/40", "1234/1234" and the figures 78 columns
_NAMES = {"train_loss": "loss", "dev_token_error": "dev error"}


class RunProgressBar(RichProgressBar):
    """The batches of an epoch, the loss, and what is left of the whole run, by the mean time of an update so far."""

    def configure_columns(self, trainer: lightning.Trainer) -> list[ProgressColumn]:
        """Returns what stands in front of the figures; an epoch's own times are left out."""
        described = TextColumn("[progress.description]{task.description}")
        return [described, BarColumn(_BAR_WIDTH), MofNCompleteColumn()]

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Starts the clock; a resumed run's where it goes on."""
        super().on_train_start(trainer, module)
        self._first_step, self._started = trainer.global_step, time.monotonic()

    def get_metrics(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> dict[str, Any]:
        """Returns the figures beside the bar."""
        shown = super().get_metrics(trainer, module)
        known = {name: shown[logged] for logged, name in _NAMES.items() if logged in shown}
        left = self._left(trainer)
        return known if left is None else {**known, "left": str(left)}

    def _left(self, trainer: lightning.Trainer) -> timedelta | None:
        """What the rest of the run takes, in whole seconds; None before the first update."""
        done = trainer.global_step - self._first_step
        if not done:
            return None
        missing = trainer.estimated_stepping_batches - trainer.global_step
        each = (time.monotonic() - self._started) / done
        return timedelta(seconds=round(max(missing, 0) * each))

    def _get_train_description(self, current_epoch: int) -> str:
        """What stands in front of the bar; a run that ends by steps has no last epoch to name."""
        last = self.trainer.max_epochs
        named = f"Epoch {current_epoch + 1}" + ("" if last in (None, -1) else f"/{last}")
        return f"{named:{len(self.validation_description)}}"  # of one width, or the bar flickers
