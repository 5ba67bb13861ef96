"""What ends a training loop, in the project's words: Lightning's and a loader's own are for those who know them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning.fabric.utilities.exceptions import MisconfigurationException

from spt_whisper.errors import InputError
from spt_whisper.training.data_module import AudioError

_NEVER_WATCHED = (
    "Early stopping conditioned on metric"  # Lightning's words where dev gave no figure
)
_INTERVAL = "val_check_interval"  # in Lightning's words where an epoch has fewer batches
_OF_A_WORKER = "Caught "  # the opening of errors in a loader's process
_LIGHTNINGS_INTERRUPT = 1  # its exit status after Ctrl-C


@contextmanager
def naming_faults(checkpoint: Path) -> Iterator[None]:
    """Lightning's own words for what a user got wrong, as ours; its exit at Ctrl-C as a KeyboardInterrupt."""
    try:
        yield
    except (InputError, OSError) as error:
        told = _told_by(error, checkpoint)
        if told == str(error):
            raise
        raise InputError(told) from error
    except MisconfigurationException as error:
        raise InputError(f"trainer: {' '.join(str(error).split())}") from error
    except (RuntimeError, ValueError) as error:
        line = _line_for(" ".join(str(error).split()))
        if line is None:
            raise
        raise InputError(line) from error
    except SystemExit as end:
        if end.code == _LIGHTNINGS_INTERRUPT:
            raise KeyboardInterrupt from end
        raise


def _told_by(error: InputError | OSError, checkpoint: Path) -> str:
    """What a fault says, and where audio ended the run, what remains of it."""
    told = str(error)
    if told.startswith(_OF_A_WORKER):  # torch puts the worker's traceback in front
        told = told.rpartition(f"{type(error).__name__}: ")[2]
    return f"{told}; {_rest_of(checkpoint)}" if isinstance(error, AudioError) else told


def _rest_of(checkpoint: Path) -> str:
    """What remains of a run that ends at a file that it cannot read."""
    if not checkpoint.is_file():
        return "no checkpoint was made yet: fix the file, or take its row out, and start over"
    return (
        f"what was learned so far is kept in {checkpoint}: fix the file, and go on with --resume true (without its row, "
        "another run begins: name another output)"
    )


def _line_for(said: str) -> str | None:
    """What Lightning means; None where it is no fault of the user's."""
    if _NEVER_WATCHED in said:
        return "early_stopping: the run ended before its first pass over dev; raise trainer.max_steps, or leave early_stopping out"
    return f"trainer: {said}" if _INTERVAL in said else None
