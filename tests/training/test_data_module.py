"""Batches of train and dev."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from spt_whisper.training.data_module import ExampleSet, SpeechDataModule
from spt_whisper.training.encoder_states import encode_once, load_example
from spt_whisper.training.epoch_batches import Draw
from spt_whisper.training.recipe import AugmentConfig, DataConfig
from tests.tiny_model import tiny_whisper
from tests.training.tiny_examples import tiny_examples


def test_dev_is_heard_as_it_is(tmp_path: Path) -> None:
    examples, builder = tiny_examples(tmp_path)
    slow = DataConfig(augment=AugmentConfig(speed=[0.5]))
    data = SpeechDataModule(examples, examples, builder, {}, slow)
    data.trainer = SimpleNamespace(global_rank=0, world_size=1)  # type: ignore[assignment]
    (train, *_), (dev, *_) = data.train_dataloader(), data.val_dataloader()
    assert [w.shape for w in dev.waveforms] == [load_example(e).shape for e in examples[:4]]
    assert min(waveform.shape[0] for waveform in train.waveforms) > 15_000  # of 0.5 s and more


def test_workers_get_copies_of_kept_states(tmp_path: Path) -> None:
    """What a worker sends is moved into shared memory: the kept tensor would hold a file open until the epoch ends."""
    examples, builder = tiny_examples(tmp_path)
    kept = encode_once(tiny_whisper(), examples, 1.0)
    item = ExampleSet(examples, builder, kept)[Draw(0, 0)]
    own = kept[examples[0].states_key]
    assert item.states is not None
    assert torch.equal(item.states, own)
    assert item.states.data_ptr() != own.data_ptr()


@pytest.mark.parametrize(("count", "workers"), [(6, 0), (5, 2), (0, 2)])
def test_where_all_states_are_kept_there_is_nothing_for_workers_to_do(
    count: int, workers: int, tmp_path: Path
) -> None:
    examples, builder = tiny_examples(tmp_path)
    kept = encode_once(tiny_whisper(), examples[:count], 1.0) if count else {}
    data = SpeechDataModule(examples, [], builder, kept, DataConfig(workers=2))
    data.trainer = SimpleNamespace(global_rank=0, world_size=1)  # type: ignore[assignment]
    assert data.train_dataloader().num_workers == workers
