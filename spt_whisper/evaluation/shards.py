"""Decode the rows of a corpus in several processes: each row in exactly one, and the results in the rows' order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import torch
from transformers.utils.logging import disable_progress_bar

from spt_whisper.child_processes import spawned_pool
from spt_whisper.engines.engine import Row, RowResult
from spt_whisper.errors import InputError
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.whisper.options import DecodingOptions


@dataclass(frozen=True)
class Shard:
    """The rows of one process, with their places in the corpus."""

    number: int
    model: str
    rows: tuple[tuple[int, Row], ...]
    options: DecodingOptions
    window_seconds: float | None
    batch_size: int
    threads: int


def decode_in_processes(
    model: str,
    rows: Sequence[Row],
    options: DecodingOptions,
    window_seconds: float | None,
    batch_size: int,
    processes: int,
) -> list[RowResult]:
    """Decodes rows as `Whisper.decode` does, in several processes with a model each.

    Args:
        model: what `Whisper.from_pretrained` takes.
        rows: audio with a prompt each.
        options: how to search.
        window_seconds: the window, or None for each row's own.
        batch_size: windows decoded together in a process.
        processes: how many; each takes a GPU where there are as many, and its share of the processor's cores.

    Returns:
        One result a row, in order.

    Raises:
        InputError: a process was killed.
        RuntimeError: a row came back twice or not at all.
    """
    numbered = list(enumerate(rows))
    threads = max(1, (os.cpu_count() or 1) // processes)
    shards = [
        Shard(
            number, model, tuple(numbered[number::processes]), options, window_seconds, batch_size, threads
        )
        for number in range(min(processes, len(rows)))
    ]  # fmt: skip
    try:
        with spawned_pool(len(shards)) as pool:
            found = [pair for results in pool.map(decode_shard, shards) for pair in results]
    except BrokenProcessPool as error:
        raise InputError(
            f"decoding: one of {len(shards)} processes was killed, as the system does where memory runs out; lower batch_size "
            "or processes"
        ) from error
    return in_row_order(found, len(rows))


def decode_shard(shard: Shard) -> list[tuple[int, RowResult]]:
    """Decodes the rows of one process; returns each with its place."""
    disable_progress_bar()  # of loading weights, which each process would draw over the others'
    torch.set_num_threads(shard.threads)
    gpus = torch.cuda.device_count()
    device = f"cuda:{shard.number % gpus}" if gpus else "cpu"
    whisper = Whisper.from_pretrained(shard.model, device)
    places, rows = zip(*shard.rows, strict=True)
    results = whisper.decode(rows, shard.options, shard.window_seconds, shard.batch_size)
    return list(zip(places, results, strict=True))


def in_row_order(found: Sequence[tuple[int, RowResult]], count: int) -> list[RowResult]:
    """Returns results in the rows' order.

    Raises:
        RuntimeError: a row is there twice or missing.
    """
    by_place = dict(found)
    if len(found) != count or set(by_place) != set(range(count)):
        raise RuntimeError(
            f"evaluate: {len(found)} results of {len(by_place)} rows came back for {count} rows"
        )
    return [by_place[place] for place in range(count)]
