"""A run on several processes: the first one writes and speaks, the others learn their part and leave."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import lightning
from torch import distributed

from spt_whisper.errors import InputError

logger = logging.getLogger(__name__)


def check_alone() -> None:
    """Refuses a second run in a program whose first one was on several processes: the others have left.

    Raises:
        InputError: there was such a run.
    """
    if _backend() is not None:
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
    """Lets a fault of one process in the block end all of them, with a line of its own and one of the first.

    Under gloo the connections of a process that leaves break, and the others learn of it. Under NCCL they would wait: there
    Lightning ends them, for the status of the one at fault.

    Raises:
        InputError: the first process was at fault, or has lost another.
    """
    try:
        yield
    except InputError as error:
        if not trainer.is_global_zero and _backend() == "gloo":
            logger.error("%s", error)
            leave_to_first(trainer)
        raise
    except RuntimeError as error:
        if _backend() is None or not (
            isinstance(error, distributed.DistError) or "gloo" in str(error)
        ):
            raise
        leave_to_first(trainer)
        raise InputError(
            f"training: another of the {trainer.world_size} processes has ended (its own line says why; there is none where "
            "it was killed, for example because memory ran out); the last good checkpoint is kept"
        ) from error


def _backend() -> str | None:
    """How the processes talk; None: there is only one."""
    several = distributed.is_available() and distributed.is_initialized()
    return distributed.get_backend() if several else None
