"""Batches of what shares a window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Key = TypeVar("Key")


def by_window(
    keys: Iterable[Key], window: Callable[[Key], float], batch_size: int
) -> Iterator[list[Key]]:
    """Yields batches of keys with the same window: each as soon as it is full, and what is left at the end."""
    filling: dict[float, list[Key]] = {}
    for key in keys:
        batch = filling.setdefault(window(key), [])
        batch.append(key)
        if len(batch) == batch_size:
            yield filling.pop(window(key))
    yield from filling.values()
