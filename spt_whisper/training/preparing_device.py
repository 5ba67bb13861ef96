"""Where Whisper computes while a run is prepared: it hears languages, chooses tokens and shows starts, all in float32."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from spt_whisper.memory import naming_shortage

logger = logging.getLogger(__name__)
_LESS_MEMORY = "free memory, or take a smaller model or lower window_seconds"
_WORK = 2_000_000_000  # bytes of what is computed: utterances in windows of 30 s, with all layers of large-v3


def preparing_device(model: nn.Module, device: torch.device) -> torch.device:
    """Returns the run's GPU where it has room for the float32 weights and the work, else the device of the model.

    In training a GPU holds about half of these weights (`frozen_precision`), so that one without the room may still train.

    Args:
        model: Whisper.
        device: on which the run will train.
    """
    home = _device_of(model)
    if device.type != "cuda":
        return home
    needed = sum(weight.nbytes for weight in model.parameters()) + _WORK
    free, _ = torch.cuda.mem_get_info(device)
    if free < needed:
        logger.info(
            "prepared on the processor: %s has %.1f GB free, and %.1f GB are needed", device, free / 1e9, needed / 1e9
        )  # fmt: skip
        return home
    return device


@contextmanager
def placed(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Inside the block the model is on the device; behind it where it was.

    Raises:
        InputError: the device has too little memory after all.
    """
    home = _device_of(model)
    with naming_shortage("preparing", _LESS_MEMORY):
        try:
            model.to(device)
            yield
        finally:
            model.to(home)


def _device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
