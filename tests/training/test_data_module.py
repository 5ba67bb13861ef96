"""Batches of train and dev."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from spt_whisper.training.data_module import SpeechDataModule
from spt_whisper.training.encoder_states import load_example
from spt_whisper.training.recipe import AugmentConfig, DataConfig
from tests.training.tiny_examples import tiny_examples


def test_dev_is_heard_as_it_is(tmp_path: Path) -> None:
    examples, builder = tiny_examples(tmp_path)
    slow = DataConfig(augment=AugmentConfig(speed=[0.5]))
    data = SpeechDataModule(examples, examples, builder, {}, slow)
    data.trainer = SimpleNamespace(global_rank=0, world_size=1)  # type: ignore[assignment]
    (train, *_), (dev, *_) = data.train_dataloader(), data.val_dataloader()
    assert [w.shape for w in dev.waveforms] == [load_example(e).shape for e in examples[:4]]
    assert min(waveform.shape[0] for waveform in train.waveforms) > 15_000  # of 0.5 s and more
