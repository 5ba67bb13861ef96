"""The data of a run: examples as items, in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import lightning
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spt_whisper.training.augmentation import (
    augment_waveform,
    draw_for,
    draw_speed,
)
from spt_whisper.training.batch import AudioKey, Example, ExampleBuilder, Item, collate
from spt_whisper.training.encoder_states import load_example
from spt_whisper.training.recipe import NO_AUGMENTATION, AugmentConfig, DataConfig
from spt_whisper.training.window_batches import EpochSampler, WindowBatches


class ExampleSet(Dataset[Item]):
    """Examples, with their encoder states where these are kept and their audio where not."""

    def __init__(
        self,
        examples: Sequence[Example],
        builder: ExampleBuilder,
        states: Mapping[AudioKey, Tensor],
        augment: AugmentConfig = NO_AUGMENTATION,
    ) -> None:
        """Takes the examples, how their tokens are made, `Example.audio_key` -> states, and what is done to audio."""
        self.examples, self.builder, self.states, self.augment = examples, builder, states, augment

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, key: tuple[int, int]) -> Item:
        """Returns an item by (epoch, index)."""
        epoch, index = key
        example = self.examples[index]
        builder, name = self.builder, example.utterance.id
        draw = draw_for(builder.seed, epoch, name)
        speed = draw_speed(self.augment, draw, example.duration, example.window)
        inputs, labels = builder.inputs_and_labels(example, epoch, speed)
        spoken, states = example.utterance.languages, self.states.get(example.audio_key)
        if states is not None:
            return Item(name, example.window, spoken, inputs, labels, None, states)
        waveform = augment_waveform(load_example(example), speed, self.augment, draw)
        mask_seed = draw.getrandbits(32) if self.augment.masks else None
        return Item(name, example.window, spoken, inputs, labels, waveform, None, mask_seed)


class SpeechDataModule(lightning.LightningDataModule):
    """Training and dev examples for the trainer."""

    def __init__(
        self,
        train: Sequence[Example],
        dev: Sequence[Example],
        builder: ExampleBuilder,
        states: Mapping[AudioKey, Tensor],
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

    def train_dataloader(self) -> DataLoader[Item]:
        """Shuffled batches."""
        return self._loader(self.train, shuffle=True, augment=self.config.augment)

    def val_dataloader(self) -> DataLoader[Item] | list[DataLoader[Item]]:
        """Batches of the dev part, in order; none where the corpus has no dev part."""
        return self._loader(self.dev, shuffle=False) if self.dev else []

    def _loader(
        self,
        examples: Sequence[Example],
        shuffle: bool,
        augment: AugmentConfig = NO_AUGMENTATION,
    ) -> DataLoader[Item]:
        order = EpochSampler(len(examples), self.builder.seed, shuffle)
        windows = [example.window for example in examples]
        return DataLoader(
            ExampleSet(examples, self.builder, self.states, augment),
            batch_sampler=WindowBatches(order, self.config.batch_size, windows=windows),
            num_workers=self.config.workers,
            collate_fn=partial(collate, fill=self.builder.tokens.end),
        )
