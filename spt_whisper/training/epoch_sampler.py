"""Which utterances a process learns from, and when: a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import Sampler


@dataclass(frozen=True)
class Draw:
    """One example as it is drawn."""

    epoch: int
    index: int
    counted: bool = True  # False: fills up a batch of which nothing is left for this process


@dataclass(frozen=True)
class Place:
    """One of the processes that train together."""

    rank: int = 0
    processes: int = 1


class EpochSampler(Sampler[Draw]):
    """Yields a process's own examples of an epoch, so that nothing random must be saved.

    All processes cut the same shuffle into batches of `processes * batch_size` examples, and each takes every
    `processes`-th example of a batch: an epoch has each example once, in the steps of a single process at that batch size.
    The last batch may leave nothing for a process; it gets an example that does not count, since all must step together.
    """

    def __init__(
        self,
        count: int,
        seed: int,
        shuffle: bool,
        batch_size: int = 1,
        place: Place | None = None,
        epoch: int = 0,
        done: int = 0,
    ) -> None:
        """Takes what the order depends on, and where to begin.

        Args:
            count: number of examples.
            seed: seed of the shuffle.
            shuffle: without it, every epoch is epoch 0 in order.
            batch_size: examples of a batch for one process.
            place: which process this is; None: the only one.
            epoch: the epoch to begin with.
            done: batches of it that were learned from before.
        """
        self.count, self.seed, self.shuffle = count, seed, shuffle
        self.place = place or Place()
        self.whole_batch = batch_size * self.place.processes
        self.epoch, self.done = epoch if shuffle else 0, done

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        if self.shuffle and epoch != self.epoch:
            self.epoch, self.done = epoch, 0

    def __len__(self) -> int:
        full, rest = divmod(self.count, self.whole_batch)
        own = len(range(self.place.rank, rest, self.place.processes))
        return full * self.whole_batch // self.place.processes + (max(own, 1) if rest else 0)

    def __iter__(self) -> Iterator[Draw]:
        order = torch.arange(self.count)
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            order = torch.randperm(self.count, generator=generator)
        epoch = self.epoch
        for batch in order.split(self.whole_batch)[self.done :]:
            own = batch[self.place.rank :: self.place.processes].tolist()
            yield from (Draw(epoch, index) for index in own)
            if not own:
                yield Draw(epoch, int(batch[0]), counted=False)
