"""A run on several processes: the first one writes and speaks, the others learn their part and leave."""

from __future__ import annotations

import logging
import sys

import lightning


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
