"""Out-of-memory errors, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spt_whisper.errors import InputError

# what torch says of the CPU's memory, and of a GPU's where one of its libraries asked; it has no exception of its own for these
_SHORT = ("DefaultCPUAllocator", "out of memory", "ALLOC_FAILED")


@contextmanager
def naming_shortage(work: str, advice: str) -> Iterator[None]:
    """Turns a failed allocation in the block into an `InputError`.

    Args:
        work: what is done, such as "training".
        advice: what takes less memory, and what is kept.

    Raises:
        InputError: GPU or CPU have too little memory.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        told = str(error).partition("\n")[0]
        named = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not named and not any(sign in told for sign in _SHORT):
            raise
        raise InputError(f"{work}: out of memory ({told}); {advice}") from error
