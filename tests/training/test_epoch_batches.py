"""The order of examples: of seed and epoch alone, each once, cut among processes as one process would batch them."""

from __future__ import annotations

import pytest

from spt_whisper.training.epoch_batches import Draw, EpochBatches, ProcessRank

ONE_WINDOW = [10.0] * 50


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[Draw]:
        batches = EpochBatches(ONE_WINDOW, 1, seed, shuffle=True)
        batches.sampler.set_epoch(epoch)
        return [draw for batch in batches for draw in batch]

    assert order(1, 3) == order(1, 3)
    assert sorted(draw.index for draw in order(1, 3)) == list(range(50))
    assert [draw.index for draw in order(1, 3)] != [draw.index for draw in order(1, 4)]
    assert [draw.index for draw in order(1, 3)] != [draw.index for draw in order(2, 3)]
    assert {draw.epoch for draw in order(1, 3)} == {3}


def test_batches_share_a_window_and_every_example_is_in_one() -> None:
    windows = [(4.0, 6.0, 10.0)[index % 3] for index in range(50)]
    batches = EpochBatches(windows, 4, 7, shuffle=True)
    seen = [[draw.index for draw in batch] for batch in batches]
    assert all(len({windows[index] for index in batch}) == 1 for batch in seen)
    assert sorted(index for batch in seen for index in batch) == list(range(50))
    assert len(seen) == len(batches) == 14  # of 17, 17 and 16 examples


def test_one_window_gives_full_batches_in_the_order_of_the_shuffle() -> None:
    single = EpochBatches(ONE_WINDOW[:10], 1, 3, shuffle=True)
    batches = list(EpochBatches(ONE_WINDOW[:10], 4, 3, shuffle=True))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert [draw for batch in batches for draw in batch] == [draw for (draw,) in single]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("count", [1, 5, 8, 11, 12, 13])
@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("windows", [(10.0,), (4.0, 10.0)])
def test_processes_take_the_batches_of_one_process_apart(
    windows: tuple[float, ...], processes: int, count: int, shuffle: bool
) -> None:
    size = 2
    own_windows = [windows[index % len(windows)] for index in range(count)]

    def batches(processes: int, size: int) -> list[list[list[Draw]]]:
        ranks = (ProcessRank(rank, processes) for rank in range(processes))
        return [list(EpochBatches(own_windows, size, 7, shuffle, process)) for process in ranks]

    (alone,) = batches(1, size * processes)
    parts = batches(processes, size)
    assert {len(part) for part in parts} == {len(alone)}  # every process steps as often
    for step, batch in enumerate(alone):
        drawn = [draw for part in parts for draw in part[step]]
        assert sorted(d.index for d in drawn if d.counted) == sorted(d.index for d in batch)
        assert all(part[step] for part in parts)
        assert len({own_windows[draw.index] for draw in drawn}) == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_an_epoch_goes_on_behind_what_was_learned(processes: int) -> None:
    for rank in range(processes):
        process = ProcessRank(rank, processes)
        whole = EpochBatches(ONE_WINDOW[:11], 2, 0, True, process, epoch=4)
        rest = EpochBatches(ONE_WINDOW[:11], 2, 0, True, process, epoch=4, done=2)
        assert list(rest) == list(whole)[2:]
        rest.set_epoch(4)
        assert list(rest) == list(whole)[2:]
        for batches in (rest, whole):
            batches.set_epoch(5)
        assert list(rest) == list(whole)


def test_each_seed_and_epoch_has_an_order_of_its_own() -> None:
    orders = [
        tuple(draw.index for (draw,) in EpochBatches([1.0] * 50, 1, seed, True, epoch=epoch))
        for seed in range(4)
        for epoch in range(4)
    ]
    assert len(set(orders)) == 16
