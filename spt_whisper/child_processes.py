"""Processes that are spawned for work with models, and end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor


def spawned_pool(count: int, prepare: Callable[[], None] | None = None) -> ProcessPoolExecutor:
    """Returns a pool of processes, each new and without any thread of this one.

    Spawned, not forked: a fork of a process with torch's threads may hang. Where this process is killed, its children end as
    well; a plain pool's would wait for work for ever, and keep their models.

    Args:
        count: how many.
        prepare: called first in each.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, context, _begin, (prepare,))


def _begin(prepare: Callable[[], None] | None) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "called in the first process"
    parent.join()
    os._exit(1)
