"""The Lightning module: a soft prompt that learns, around a Whisper that does not."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional

from spt_whisper.errors import InputError
from spt_whisper.features import log_mel
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.training.batch import IGNORED, Batch
from spt_whisper.training.recipe import OptimizerConfig
from spt_whisper.training.schedules import SCHEDULES
from spt_whisper.whisper.injection import prompted
from spt_whisper.whisper.loading import FrozenWhisper


class PromptTuner(lightning.LightningModule):
    """Trains exactly the parameters of a `SoftPrompt`; checkpoints hold these and nothing of Whisper."""

    def __init__(
        self,
        whisper: FrozenWhisper,
        prompt: SoftPrompt,
        optimizer: OptimizerConfig,
        window_seconds: float,
    ) -> None:
        """Takes the frozen model and the prompt at its start."""
        super().__init__()
        self.whisper = whisper
        self.model = whisper.model
        self.prompt = prompt
        self.optimizer = optimizer
        self.window_seconds = window_seconds
        self.strict_loading = False  # Whisper's weights are not in the checkpoint

    @property
    def prompt_config(self) -> PromptConfig:
        """Where the prompt stands."""
        return self.prompt.config

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:  # type: ignore[override]
        """Only the prompt's parameters."""
        return {f"prompt.{name}": tensor for name, tensor in self.prompt.state_dict().items()}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Loads exactly the prompt's parameters: a missing or left-over one is an error."""
        own = {name.removeprefix("prompt."): tensor for name, tensor in state_dict.items()}
        return self.prompt.load_state_dict(own, strict=True, assign=assign)

    def train(self, mode: bool = True) -> PromptTuner:
        """Whisper stays in evaluation mode: no dropout, no layer drop."""
        super().train(mode)
        self.model.eval()
        return self

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Mean cross entropy over the tokens of the texts."""
        loss, _ = self._loss(batch)
        if not bool(torch.isfinite(loss)):
            raise InputError(
                f"training: the loss became {loss.item()} at step {self.global_step} (utterances {' '.join(batch.ids)}); "
                "lower optimizer.learning_rate; the last good checkpoint is kept"
            )
        self.log("train_loss", loss, prog_bar=True, on_step=True, on_epoch=False)
        self.log("train_loss_epoch", loss, on_step=False, on_epoch=True, batch_size=len(batch.ids))
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        """Logs loss and token error, where each text token is predicted from the right ones before it."""
        loss, wrong = self._loss(batch)
        self.log("dev_loss", loss, batch_size=len(batch.ids))
        self.log("dev_token_error", wrong, prog_bar=True, batch_size=len(batch.ids))

    def _loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cross entropy, and the share of tokens that are not the most probable one."""
        with prompted(self.model, self.prompt()):
            states = self._states(batch)
            hidden = self.model.model.decoder(
                input_ids=batch.inputs, encoder_hidden_states=states, use_cache=False
            ).last_hidden_state  # (B, T, D)
        learned = batch.labels != IGNORED
        logits = self.model.proj_out(
            hidden[learned]
        ).float()  # (tokens, vocabulary): only where there are labels
        wanted = batch.labels[learned]
        return functional.cross_entropy(logits, wanted), (
            logits.argmax(dim=-1) != wanted
        ).float().mean()

    def _states(self, batch: Batch) -> Tensor:
        """Encoder states (B, S, D): kept ones, or from audio (with gradient where the encoder carries a prompt)."""
        missing = [row for row, states in enumerate(batch.states) if states is None]
        rows: list[Tensor] = [
            torch.empty(0) if s is None else s.to(self.device) for s in batch.states
        ]
        if missing:
            waveforms = [waveform for waveform in batch.waveforms if waveform is not None]
            features = log_mel(
                waveforms, self.window_seconds, self.whisper.config.num_mel_bins, self.device
            )
            with torch.set_grad_enabled(
                torch.is_grad_enabled() and "encoder" in self.prompt_config.sides
            ):
                encoded = self.whisper.encode(features)
            if len(missing) == len(rows):
                return encoded
            for row, states in zip(missing, encoded, strict=True):
                rows[row] = states
        return torch.stack([states.to(self.whisper.dtype) for states in rows])

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW without weight decay over the prompt's parameters, warm-up and fall."""
        config = self.optimizer
        optimizer = torch.optim.AdamW(
            self.prompt.parameters(), lr=config.learning_rate, weight_decay=0.0
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = SCHEDULES[config.schedule](optimizer, config.learning_rate, config.warmup, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
