"""A run on several processes: the first one writes and speaks, the others learn their part and leave."""

from __future__ import annotations

import logging
import sys

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
