"""Out-of-memory errors, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spt_whisper.errors import InputError

_CPU_ALLOCATOR = "DefaultCPUAllocator"  # torch names no exception of its own for the CPU's memory


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
        if not named and _CPU_ALLOCATOR not in told:
            raise
        raise InputError(f"{work}: out of memory ({told}); {advice}") from error
