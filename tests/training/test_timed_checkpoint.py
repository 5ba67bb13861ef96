"""Checkpoints between the ends of epochs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spt_whisper.training import timed_checkpoint
from spt_whisper.training.timed_checkpoint import TimedCheckpoint


def test_a_checkpoint_is_kept_every_so_many_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, kept = [0.0], []
    monkeypatch.setattr(timed_checkpoint, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    trainer: Any = SimpleNamespace(
        accumulate_grad_batches=1, is_last_batch=False, num_training_batches=100, num_val_batches=[],
        strategy=SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision),
        save_checkpoint=lambda path: kept.append(clock[0]),
    )  # fmt: skip
    timed = TimedCheckpoint(Path("last.ckpt"), minutes=1.0)
    for step in range(10):
        clock[0] += 25.0
        timed.on_train_batch_end(trainer, None, None, None, step)  # type: ignore[arg-type]
    assert kept == [75.0, 150.0, 225.0]
