"""The order of a run: batches of examples that share a window, a function of seed and epoch alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch.utils.data import BatchSampler, Sampler

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


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index): a shuffle that is a function of seed and epoch, so that nothing random must be saved."""

    def __init__(self, count: int, seed: int, shuffle: bool) -> None:
        """Takes the number of examples; without shuffle, every epoch is epoch 0 in order."""
        self.count, self.seed, self.shuffle, self.epoch = count, seed, shuffle, 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        self.epoch = epoch if self.shuffle else 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = torch.arange(self.count)
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            order = torch.randperm(self.count, generator=generator)
        return ((self.epoch, index) for index in order.tolist())


class WindowBatches(BatchSampler):
    """Yields batches of (epoch, index) with the same window; Lightning sets the epoch of the sampler in it."""

    def __init__(
        self,
        sampler: Sampler[tuple[int, int]],
        batch_size: int,
        drop_last: bool = False,
        *,
        windows: Sequence[float],
    ) -> None:
        """Takes the order of examples and the window of each; the last batches, which may be small, are kept."""
        keys: Any = sampler  # torch knows samplers of int only
        super().__init__(keys, batch_size, drop_last)
        self.windows = windows

    def __len__(self) -> int:
        counts = Counter(self.windows)
        return sum(-(-count // self.batch_size) for count in counts.values())

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:  # type: ignore[override]
        keys: Any = self.sampler
        return by_window(keys, lambda key: self.windows[key[1]], self.batch_size)
