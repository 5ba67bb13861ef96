"""A run on several processes: the first one writes and speaks, the others learn their part and leave."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import lightning
from torch import distributed

from spt_whisper.errors import InputError


def check_alone() -> None:
    """Refuses a second run in a program whose first one was on several processes: the others have left.

    Raises:
        InputError: there was such a run.
    """
    if distributed.is_available() and distributed.is_initialized():
        raise InputError(
            "trainer.devices: found a second run of this program on several processes, wanted one; "
            "start each with `spt-whisper fit`"
        )


def quiet_others(trainer: lightning.Trainer) -> None:
    """Leaves the log lines to the first process."""
    if not trainer.is_global_zero:
        logging.getLogger("spt_whisper").setLevel(logging.ERROR)


def leave_to_first(trainer: lightning.Trainer) -> None:
    """Ends every process but the first, with status 0; called where all processes come to the same end.

    Any other status makes Lightning kill the first process before it has said or written what it should.
    """
    if not trainer.is_global_zero:
        sys.exit(0)


@contextmanager
def naming_lost_process(trainer: lightning.Trainer) -> Iterator[None]:
    """Turns a connection that broke in the block, as another process of the run ended, into one line of the first.

    Raises:
        InputError: there was such a process; what was at fault there, it has said itself.
    """
    try:
        yield
    except RuntimeError as error:
        broken = isinstance(error, distributed.DistError) or "gloo" in str(error)
        if trainer.world_size == 1 or not broken:
            raise
        leave_to_first(trainer)
        raise InputError(
            f"training: another of the {trainer.world_size} processes has ended (its own line says why; there is none where "
            "it was killed, as where memory does not suffice); the last good checkpoint is kept"
        ) from error
