"""The data of a run: examples as items, and the loaders that hand each process its batches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import lightning
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spt_whisper.errors import InputError
from spt_whisper.training.augmentation import (
    augment_waveform,
    draw_for,
    draw_speed,
)
from spt_whisper.training.batch import (
    IGNORED,
    Example,
    ExampleBuilder,
    Item,
    StatesKey,
    collate,
)
from spt_whisper.training.encoder_states import load_example
from spt_whisper.training.epoch_batches import Draw, EpochBatches, ProcessRank
from spt_whisper.training.recipe import NO_AUGMENTATION, AugmentConfig, DataConfig


class AudioError(InputError):
    """Audio cannot be read while the run learns."""


class ExampleSet(Dataset[Item]):
    """Examples, with their encoder states where these are kept and their audio where not."""

    def __init__(
        self,
        examples: Sequence[Example],
        builder: ExampleBuilder,
        states: Mapping[StatesKey, Tensor],
        augment: AugmentConfig = NO_AUGMENTATION,
    ) -> None:
        """Takes the examples, how their tokens are made, `Example.states_key` -> states, and what is done to audio."""
        self.examples, self.builder, self.states, self.augment = examples, builder, states, augment

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, drawn: Draw) -> Item:
        """Returns an item; one that does not count has no label.

        Raises:
            AudioError: its audio cannot be read.
        """
        epoch, example = drawn.epoch, self.examples[drawn.index]
        builder, name = self.builder, example.utterance.id
        draw = draw_for(builder.seed, epoch, name)
        speed = draw_speed(self.augment, draw, example.duration, example.window)
        inputs, labels = builder.inputs_and_labels(example, epoch, speed)
        if not drawn.counted:
            labels = [IGNORED] * len(labels)
        spoken, states = example.utterance.languages, self.states.get(example.states_key)
        if states is not None:
            # a copy: what a worker sends stays in shared memory, one file a tensor, as long as it is held
            return Item(name, example.window, spoken, inputs, labels, None, states.clone())
        try:
            waveform = load_example(example)
        except InputError as error:
            raise AudioError(str(error)) from error
        waveform = augment_waveform(waveform, speed, self.augment, draw)
        mask_seed = draw.getrandbits(32) if self.augment.masks else None
        return Item(name, example.window, spoken, inputs, labels, waveform, None, mask_seed)


class SpeechDataModule(lightning.LightningDataModule):
    """Training and dev examples for the trainer."""

    def __init__(
        self,
        train: Sequence[Example],
        dev: Sequence[Example],
        builder: ExampleBuilder,
        states: Mapping[StatesKey, Tensor],
        config: DataConfig,
    ) -> None:
        """Takes examples and states that are ready; nothing is read from disk here but audio."""
        super().__init__()
        self.train, self.dev, self.builder, self.states, self.config = (
            train,
            dev,
            builder,
            states,
            config,
        )
        self.epoch = self.done = 0

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands, for its checkpoint: the epoch, the batches of it that were learned from, and of what."""
        assert self.trainer is not None
        loop: Any = self.trainer.fit_loop
        batches = loop.epoch_loop.batch_progress
        done = 0 if batches.is_last_batch else batches.current.ready
        epoch = loop.epoch_progress.current.processed
        return {"epoch": epoch, "done": done, **self._learned_from()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Lightning calls this before it asks for loaders (and restores its own progress only after it).

        Raises:
            InputError: the run learned from other utterances, or by another number of processes.
        """
        own = self._learned_from()
        for name, count in (("utterances", "training utterances"), ("processes", "processes")):
            if state_dict[name] != own[name]:
                raise InputError(
                    f"resume: the run had {state_dict[name]} {count}, now there are {own[name]}; restore them, or start over "
                    "with another output"
                )
        if state_dict["digest"] != own["digest"]:
            raise InputError(
                "resume: the training utterances are not the same as before, or have other texts or windows; restore them, "
                "or start over with another output"
            )
        self.epoch, self.done = state_dict["epoch"], state_dict["done"]

    def _learned_from(self) -> dict[str, Any]:
        """On which the order of batches and the learning rate of each step depend."""
        assert self.trainer is not None
        digest = hashlib.sha256()
        for example in self.train:
            digest.update(f"{example.utterance.id} {example.window:g} {example.text}\n".encode())
        return {
            "utterances": len(self.train),
            "digest": digest.hexdigest(),
            "processes": self.trainer.world_size,
        }

    def train_dataloader(self) -> DataLoader[Item]:
        """Shuffled batches; after a resume, from the epoch and the batch where the checkpoint was made."""
        return self._loader(self.train, True, self.config.augment, self.epoch, self.done)

    def val_dataloader(self) -> DataLoader[Item] | list[DataLoader[Item]]:
        """Batches of the dev part, in order; none where the corpus has no dev part."""
        return self._loader(self.dev, shuffle=False) if self.dev else []

    def _loader(
        self,
        examples: Sequence[Example],
        shuffle: bool,
        augment: AugmentConfig = NO_AUGMENTATION,
        epoch: int = 0,
        done: int = 0,
    ) -> DataLoader[Item]:
        assert self.trainer is not None
        process = ProcessRank(self.trainer.global_rank, self.trainer.world_size)
        windows = [example.window for example in examples]
        size, seed = self.config.batch_size, self.builder.seed
        decodes = any(example.states_key not in self.states for example in examples)
        return DataLoader(
            ExampleSet(examples, self.builder, self.states, augment),
            batch_sampler=EpochBatches(windows, size, seed, shuffle, process, epoch, done),
            num_workers=self.config.workers if decodes else 0,
            collate_fn=partial(collate, fill=self.builder.tokens.end),
        )
