"""One function over many files at a time, in threads, with a progress bar on standard error."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from spt_whisper.errors import InputError

Given = TypeVar("Given")
Result = TypeVar("Result")


def parallel_map(
    function: Callable[[Given], Result],
    items: Sequence[Given],
    workers: int | None,
    description: str,
) -> Iterator[Result]:
    """Yields the function's results in the order of the items.

    Threads are enough: the libraries that decode, resample and hash audio let go of Python's lock.
    An error or an interrupt stops at once: what has not begun is not begun.

    Args:
        function: what is done with one item; its results are kept until they are asked for.
        items: what it is done with.
        workers: how many at a time; None: one a core.
        description: what the progress bar says.

    Raises:
        InputError: `workers` is below 1.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers: found {workers}, wanted at least 1, or none for one a core")
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    executor = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        results = executor.map(function, items)
        yield from track(results, description, len(items), console=console, transient=True)
    finally:
        executor.shutdown(cancel_futures=True)
