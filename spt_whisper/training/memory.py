"""Memory that does not suffice for training, said in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spt_whisper.errors import InputError

_CPU_ALLOCATOR = "DefaultCPUAllocator"  # torch names no exception of its own for the CPU's memory


@contextmanager
def naming_shortage() -> Iterator[None]:
    """Turns a failed allocation in the block into an `InputError`.

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
        raise InputError(
            f"training: out of memory ({told}); lower data.batch_size (and raise trainer.accumulate_grad_batches), "
            "window_seconds or data.encoder_cache_gigabytes; the last good checkpoint is kept"
        ) from error
