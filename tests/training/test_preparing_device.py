"""Whisper computes on the run's GPU while the run is prepared, where it fits."""

from __future__ import annotations

import logging

import pytest
import torch

from spt_whisper.errors import InputError
from spt_whisper.training.preparing_device import placed, preparing_device
from tests.tiny_model import tiny_whisper

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")


@pytest.mark.parametrize(("free", "chosen"), [(2.1e9, GPU), (1.9e9, CPU)])
def test_a_gpu_with_room_prepares_and_one_without_is_named(
    free: float, chosen: torch.device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(free), int(free)))
    with caplog.at_level(logging.INFO, "spt_whisper"):
        assert preparing_device(tiny_whisper().model, GPU) == chosen
    told = "prepared on the processor: cuda:0 has 1.9 GB free, and 2.0 GB are needed"
    assert (told in caplog.text) == (chosen == CPU)


def test_a_run_on_the_processor_is_prepared_there() -> None:
    assert preparing_device(tiny_whisper().model, CPU) == CPU


def test_too_little_memory_is_one_line_and_the_model_comes_back() -> None:
    model = tiny_whisper().model
    with pytest.raises(InputError, match="preparing: out of memory"), placed(model, CPU):
        torch.empty(1 << 60)
    assert model.device == CPU
