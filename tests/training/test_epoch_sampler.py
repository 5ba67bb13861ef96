"""The order of examples: of seed and epoch alone, each once, cut among processes as one process would batch them."""

from __future__ import annotations

import pytest

from spt_whisper.training.epoch_sampler import Draw, EpochSampler, Place


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[Draw]:
        sampler = EpochSampler(50, seed, shuffle=True)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 3) == order(1, 3)
    assert sorted(draw.index for draw in order(1, 3)) == list(range(50))
    assert [draw.index for draw in order(1, 3)] != [draw.index for draw in order(1, 4)]
    assert [draw.index for draw in order(1, 3)] != [draw.index for draw in order(2, 3)]
    assert {draw.epoch for draw in order(1, 3)} == {3}


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("count", [1, 5, 8, 11, 12, 13])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_take_the_batches_of_one_process_apart(
    processes: int, count: int, shuffle: bool
) -> None:
    size = 2
    (alone,) = _batches(1, size * processes, count, shuffle)
    parts = _batches(processes, size, count, shuffle)
    assert {len(part) for part in parts} == {len(alone)}  # every process steps as often
    for step, batch in enumerate(alone):
        drawn = [draw for part in parts for draw in part[step]]
        assert sorted(d.index for d in drawn if d.counted) == sorted(d.index for d in batch)
        assert all(part[step] for part in parts)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_epoch_goes_on_behind_what_was_learned(processes: int) -> None:
    for rank in range(processes):
        place = Place(rank, processes)
        whole = EpochSampler(11, 0, True, 2, place, epoch=4)
        rest = EpochSampler(11, 0, True, 2, place, epoch=4, done=2)
        assert list(rest) == list(whole)[4:]
        rest.set_epoch(4)
        assert list(rest) == list(whole)[4:]
        for sampler in (rest, whole):
            sampler.set_epoch(5)
        assert list(rest) == list(whole)


def _batches(processes: int, size: int, count: int, shuffle: bool) -> list[list[list[Draw]]]:
    parts = []
    for rank in range(processes):
        sampler = EpochSampler(count, 7, shuffle, size, Place(rank, processes))
        draws = list(sampler)
        assert len(draws) == len(sampler)
        parts.append([draws[first : first + size] for first in range(0, len(draws), size)])
    return parts
