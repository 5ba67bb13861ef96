"""Rows into shards, and shards through Ray Data's pool of workers."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from spt_whisper.bulk.rows import BulkRow
from spt_whisper.bulk.settings import BulkConfig
from spt_whisper.bulk.shards import shard_path
from spt_whisper.bulk.worker import ShardReport, ShardWorker, ShardWorkerSettings
from spt_whisper.errors import InputError

_RETRIES = 2  # of a shard whose worker dies, for instance for want of memory


def run_shards(
    rows: Sequence[BulkRow], first_shard: int, settings: ShardWorkerSettings, spread: BulkConfig
) -> Iterator[ShardReport]:
    """Transcribes rows and yields a report for each shard once it is written, in no certain order.

    Args:
        rows: at least one.
        first_shard: number of the first shard.
        settings: what all workers share.
        spread: workers, their cores, and rows in a shard.

    Raises:
        InputError: the cluster has no room for the workers, a worker met a fault that every shard would meet or died
            again and again, or it writes to a folder that this machine does not see.
    """
    import ray.data
    from ray.exceptions import RayActorError

    workers, gpus = _room(spread)
    workers = min(workers, len(rows))
    size = min(spread.shard_rows, math.ceil(len(rows) / workers))
    shards = [
        {"number": first_shard + index, "rows": [asdict(row) for row in rows[first : first + size]]}
        for index, first in enumerate(range(0, len(rows), size))
    ]
    _quiet()
    dataset = ray.data.from_items(shards, override_num_blocks=len(shards))
    with (
        warnings.catch_warnings()
    ):  # of max_restarts and max_task_retries, which Ray 2.64 is to rename
        warnings.simplefilter("ignore", DeprecationWarning)
        reports = dataset.map(
            ShardWorker,  # type: ignore[arg-type]  # a class is the callable's maker, which the stub leaves out
            fn_constructor_args=[settings],
            compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
            num_cpus=spread.cores,
            num_gpus=gpus or None,
            runtime_env={"env_vars": {"OMP_NUM_THREADS": str(spread.cores)}},
            max_restarts=_RETRIES * len(shards),  # Ray counts them over all shards of a worker
            max_task_retries=_RETRIES,
        )
    try:
        for fields in reports.iter_rows():
            yield _checked(ShardReport(**fields), settings)
    except RayActorError as error:
        raise InputError(
            f"bulk: a worker died {_RETRIES + 1} times on one shard, perhaps for lack of memory; finished shards are "
            "kept: lower bulk.workers or batch_size, and run it again"
        ) from error


def _room(spread: BulkConfig) -> tuple[int, int]:
    """How many workers there are to be, and how many GPUs each takes."""
    import ray

    nodes: list[dict[str, float]] = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    on_cores = [int(node.get("CPU", 0)) // spread.cores for node in nodes]
    on_gpus = sum(
        min(int(node.get("GPU", 0)), count) for node, count in zip(nodes, on_cores, strict=True)
    )
    room = on_gpus or sum(on_cores)
    wanted = spread.workers or max(room, 1)
    if wanted > room:
        raise InputError(
            f"bulk.workers: found {wanted} of {spread.cores} cores each, wanted at most {room}, for which there is room "
            f"on {len(nodes)} machine(s); give fewer workers or cores"
        )
    return wanted, int(on_gpus > 0)


def _quiet() -> None:
    """Leaves progress and errors to us."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_no_progress_timeout_s = -1  # one shard of long audio may take hours


def _checked(report: ShardReport, settings: ShardWorkerSettings) -> ShardReport:
    if report.fault:
        raise InputError(report.fault)
    if not shard_path(settings.folder, report.number).is_file():
        raise InputError(
            f"{settings.folder}: a worker's shard {report.number} is not here; give a folder that all machines share"
        )
    return report
