"""The Lightning module: a learner (a prompt, a bank, a baseline) around Whisper, one loop for all methods."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NoReturn

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from spt_whisper.audio import HOP_LENGTH
from spt_whisper.errors import InputError
from spt_whisper.features import log_mel
from spt_whisper.training.augmentation import mask_log_mel
from spt_whisper.training.batch import Batch
from spt_whisper.training.loss import LossSums, sum_loss
from spt_whisper.training.methods.learner import Learner
from spt_whisper.training.processes import leave_to_first
from spt_whisper.training.recipe import NO_AUGMENTATION, AugmentConfig, OptimizerConfig
from spt_whisper.training.recomputation import recomputed
from spt_whisper.training.schedules import SCHEDULES
from spt_whisper.training.slot_dropout import MANY_EPOCHS, thin_out
from spt_whisper.whisper.injection import prompted
from spt_whisper.whisper.loading import FrozenWhisper


class PromptTuner(lightning.LightningModule):
    """Trains exactly the parameters of a `Learner`; checkpoints hold these and nothing else of Whisper."""

    def __init__(
        self,
        whisper: FrozenWhisper,
        learner: Learner,
        optimizer: OptimizerConfig,
        augment: AugmentConfig = NO_AUGMENTATION,
        recompute: bool = False,
        seed: int = 0,
    ) -> None:
        """Takes the model, what is learned, at its start, and how.

        Args:
            whisper: the frozen model.
            learner: what trains.
            optimizer: how.
            augment: what is done to the speech.
            recompute: compute activations twice in place of keeping them.
            seed: of what is drawn at each step.
        """
        super().__init__()
        self.whisper = whisper
        self.model = whisper.model
        self.learner = learner
        self.optimizer = optimizer
        self.augment = augment
        self.recompute = recompute
        self.seed = seed
        self.slot_dropout = optimizer.slot_dropout or 0.0
        self._tokens: list[Tensor] = []  # of each batch of this update, over all processes
        self.strict_loading = False  # Whisper's weights are not in the checkpoint

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:  # type: ignore[override]
        """Only what trains."""
        return {f"learner.{name}": tensor for name, tensor in self._trained().items()}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Loads exactly what trains: a missing or left-over parameter is an error."""
        own = {name.removeprefix("learner."): tensor for name, tensor in state_dict.items()}
        if set(own) != set(self._trained()):
            raise RuntimeError(
                f"checkpoint: has {sorted(own)}, wanted {sorted(self._trained())}: it is of another method"
            )
        return self.learner.load_state_dict(own, strict=False, assign=assign)

    def _trained(self) -> dict[str, Tensor]:
        trained = {name for name, p in self.learner.named_parameters() if p.requires_grad}
        return {name: t for name, t in self.learner.state_dict().items() if name in trained}

    def train(self, mode: bool = True) -> PromptTuner:
        """Whisper stays in evaluation mode: no dropout, no layer drop, but for what the learner put into it."""
        super().train(mode)
        self.model.eval()
        self.learner.train(mode)
        return self

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Makes what torch draws in a step a function of the seed and the step, so that a resumed run draws the same."""
        torch.manual_seed(random.Random(f"step/{self.seed}/{self.global_step}").getrandbits(63))

    def on_train_start(self) -> None:
        """Takes the learner's own dropout where the recipe names none and the run has many epochs."""
        if self.optimizer.slot_dropout is None and _epochs(self.trainer) >= MANY_EPOCHS:
            self.slot_dropout = self.learner.slot_dropout

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses numbers that are not finite, before a good checkpoint is overwritten by them."""
        if not all(bool(torch.isfinite(tensor).all()) for tensor in self._trained().values()):
            self._refuse("what trains is no longer finite")

    def training_step(self, batch: Batch, index: int) -> dict[str, Tensor]:
        """Mean cross entropy over the tokens of the texts.

        Processes average their gradients; each returns its sum over the mean number of tokens, so that the average is the
        gradient of the mean over the tokens of all. The batches of an update are all divided by the tokens of its first,
        which is made up for where all are known.
        """
        own = self._sums(batch)
        whole = own.over_processes()
        if not bool(torch.isfinite(whole.loss)):
            self._refuse(f"the loss became {whole.loss.item()} (utterances {' '.join(batch.ids)})")
        self.log("train_loss", whole.loss, prog_bar=True, on_step=True, on_epoch=False)
        self._tokens.append(whole.tokens)
        gathered = self.trainer.accumulate_grad_batches  # by which Lightning divides
        mean = own.entropy / (self._tokens[0] / self.trainer.world_size)
        return {"loss": mean * gathered, "mean": whole.loss, "utterances": whole.utterances}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Makes the gradient that of the mean over the tokens of all batches of the update."""
        if len(self._tokens) > 1:
            share = self._tokens[0] / torch.stack(self._tokens).sum()
            for parameter in self.learner.trained():
                if parameter.grad is not None:
                    parameter.grad.mul_(share)
        self._tokens.clear()

    def _refuse(self, fault: str) -> NoReturn:
        leave_to_first(self.trainer)
        raise InputError(
            f"training: {fault} at step {self.global_step}; lower optimizer.learning_rate; the last good checkpoint is kept"
        )

    def validation_step(self, batch: Batch, index: int) -> None:
        """Logs loss and token error, where each text token is predicted from the right ones before it."""
        whole = self._sums(batch).over_processes()
        tokens = int(whole.tokens)  # by which batches count, so that their size changes nothing
        self.log("dev_loss", whole.loss, batch_size=tokens)
        self.log("dev_token_error", whole.token_error, prog_bar=True, batch_size=tokens)

    @torch.no_grad()
    def loss_on(self, batch: Batch) -> float:
        """Returns the mean cross entropy over the tokens of a batch, without gradient."""
        return float(self._sums(batch).loss)

    def _sums(self, batch: Batch) -> LossSums:
        """Cross entropy and wrong tokens of this process's batch."""
        vectors = self.learner.vectors(batch.languages)
        if self.training and self.slot_dropout:
            vectors = thin_out(vectors, self.slot_dropout, self.seed, self.global_step)
        prompts = partial(prompted, self.model, vectors)
        recomputing = self.recompute and torch.is_grad_enabled()
        with prompts(), recomputed(self.model, prompts) if recomputing else nullcontext():
            states = self._states(batch)
            hidden = self.model.model.decoder(
                input_ids=batch.inputs, encoder_hidden_states=states, use_cache=False
            ).last_hidden_state  # (B, T, D)
        smoothing = self.optimizer.label_smoothing if self.training else 0.0
        return sum_loss(self.model.proj_out, hidden, batch.labels, smoothing)

    def _states(self, batch: Batch) -> Tensor:
        """Encoder states (B, S, D): kept ones, or from audio (with gradient where the encoder carries a prompt)."""
        missing = [row for row, states in enumerate(batch.states) if states is None]
        rows: list[Tensor] = [
            torch.empty(0) if s is None else s.to(self.device) for s in batch.states
        ]
        if missing:
            waveforms = [waveform for waveform in batch.waveforms if waveform is not None]
            features = self._features(batch, waveforms)
            with torch.set_grad_enabled(torch.is_grad_enabled() and self.learner.on_encoder):
                encoded = self.whisper.encode(features)
            if len(missing) == len(rows):
                return encoded
            for row, states in zip(missing, encoded, strict=True):
                rows[row] = states
        return torch.stack([states.to(self.whisper.dtype) for states in rows])

    def _features(self, batch: Batch, waveforms: Sequence[Tensor]) -> Tensor:
        """Log-mel of the rows that have audio, masked as drawn."""
        mels = self.whisper.config.num_mel_bins
        features = log_mel(waveforms, batch.window, mels, self.device)
        seeds = [
            seed
            for seed, waveform in zip(batch.mask_seeds, batch.waveforms, strict=True)
            if waveform is not None
        ]
        for row, (seed, waveform) in enumerate(zip(seeds, waveforms, strict=True)):
            if seed is not None:
                frames = waveform.shape[0] // HOP_LENGTH
                features[row] = mask_log_mel(features[row], frames, self.augment, seed)
        return features

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW over what the learner trains, warm-up and fall; each kind of parameters has its rate."""
        config = self.optimizer
        rates = {
            id(p): config.learning_rate or rate
            for p, rate in self.learner.rates(self.whisper.shape.width)
        }
        rates |= {id(p): config.model_learning_rate for p in self.learner.model_weights()}
        groups: dict[float, list[nn.Parameter]] = {}
        for parameter in self.learner.trained():
            groups.setdefault(rates[id(parameter)], []).append(parameter)
        optimizer = torch.optim.AdamW(
            [{"params": parameters, "lr": rate} for rate, parameters in groups.items()],
            weight_decay=config.weight_decay,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = SCHEDULES[config.schedule](optimizer, list(groups), config.warmup, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _epochs(trainer: lightning.Trainer) -> float:
    """How often a run meets each utterance, by epochs or by steps, whichever ends it."""
    an_epoch = math.ceil(int(trainer.num_training_batches) / trainer.accumulate_grad_batches)
    return int(trainer.estimated_stepping_batches) / an_epoch
