"""What libraries tell the author of a training loop, kept from its user."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils.logging import (
    disable_progress_bar,
    enable_progress_bar,
    is_progress_bar_enabled,
)

# here it would only hide what the user must see
_DEVELOPERS_WARNINGS = (
    r".*does not have many workers",
    r".*module\(s\) in eval mode at the start of training",
    r".*isinstance\(treespec, LeafSpec\)",
    r".*is smaller than the logging interval",
    r".*exists and is not empty",
    r".*your dataloader is not resumable",  # ours is
    r".*Total length of .* across ranks is zero",
)
_LOGGERS = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keeps the notes of Lightning and transformers for developers from the screen; afterwards all is as it was before."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    bars = is_progress_bar_enabled()
    disable_progress_bar()
    for logger in loggers:
        logger.setLevel(max(logger.level, logging.WARNING))
    try:
        with warnings.catch_warnings():
            for message in _DEVELOPERS_WARNINGS:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if bars:
            enable_progress_bar()
