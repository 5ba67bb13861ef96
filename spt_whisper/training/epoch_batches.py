"""Which utterances a process learns from together, and when: a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import Sampler

from spt_whisper.training.window_batches import by_window

_SEED_STRIDE = 1_000_003  # more than a run has epochs: each (seed, epoch) gets its own shuffle


@dataclass(frozen=True)
class Draw:
    """One example as it is drawn."""

    epoch: int
    index: int
    counted: bool = True  # False: fills up a batch of which nothing is left for this process


@dataclass(frozen=True)
class ProcessRank:
    """One of the processes that train together."""

    rank: int = 0
    processes: int = 1


class EpochBatches(Sampler[list[Draw]]):
    """Yields a process's own batches of an epoch, so that nothing random must be saved.

    All processes cut the same shuffle into batches of up to `processes * batch_size` examples that share a window, and each
    takes every `processes`-th example of a batch: an epoch has each example once, in the steps of a single process at that
    batch size. A small batch may leave nothing for a process; it gets an example that does not count, since all must step
    together.
    """

    def __init__(
        self,
        windows: Sequence[float],
        batch_size: int,
        seed: int,
        shuffle: bool,
        process: ProcessRank | None = None,
        epoch: int = 0,
        done: int = 0,
    ) -> None:
        """Takes what the order depends on, and where to begin.

        Args:
            windows: of each example, in seconds.
            batch_size: examples of a batch for one process.
            seed: seed of the shuffle.
            shuffle: without it, every epoch is epoch 0 in order.
            process: which one this is; None: the only one.
            epoch: the epoch to begin with.
            done: batches of it that were learned from before.
        """
        self.windows, self.seed, self.shuffle = windows, seed, shuffle
        self.process = process or ProcessRank()
        self.whole_batch = batch_size * self.process.processes
        self.epoch, self.done = epoch if shuffle else 0, done

    @property
    def sampler(self) -> EpochBatches:
        """Where Lightning looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        if self.shuffle and epoch != self.epoch:
            self.epoch, self.done = epoch, 0

    def __len__(self) -> int:
        return len(self._whole_batches())

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch, (rank, processes) = self.epoch, (self.process.rank, self.process.processes)
        for batch in self._whole_batches()[self.done :]:
            own = [Draw(epoch, index) for index in batch[rank::processes]]
            yield own or [Draw(epoch, batch[0], counted=False)]

    def _whole_batches(self) -> list[list[int]]:
        """The batches of all processes."""
        order = torch.arange(len(self.windows))
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed * _SEED_STRIDE + self.epoch)
            order = torch.randperm(len(self.windows), generator=generator)
        return list(by_window(order.tolist(), self.windows.__getitem__, self.whole_batch))
