"""A bulk transcription, from manifest to shards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spt_whisper.bulk.cluster import cluster
from spt_whisper.bulk.pool import run_shards
from spt_whisper.bulk.rows import BulkRow, read_prompts, read_rows
from spt_whisper.bulk.settings import BulkJob
from spt_whisper.bulk.shards import FinishedRows, claimed, open_folder
from spt_whisper.bulk.worker import ShardReport, ShardWorkerSettings
from spt_whisper.errors import InputError
from spt_whisper.prompts.base import base_for
from spt_whisper.prompts.card import MIX
from spt_whisper.prompts.files import Prompt


@dataclass(frozen=True)
class BulkResult:
    """What a run has done, and what its folder holds."""

    transcribed: int  # rows of this run
    failed: int  # rows in the folder that have an error in place of a transcript
    kept: int  # rows that were finished before, failed ones among them
    audio_seconds: float  # of the rows transcribed
    seconds: (
        float  # from the first row's beginning to the last one's end, without loading the model
    )


def transcribe_manifest(job: BulkJob, ready: Callable[[], None] = lambda: None) -> BulkResult:
    """Transcribes the rows of a manifest that its output folder does not hold yet, with a progress bar.

    Args:
        job: what is asked for.
        ready: called once Ray runs, which takes the handler of SIGTERM.

    Raises:
        InputError: manifest, prompts, model, settings or folder are not what they should be, Ray is missing, or a
            worker died again and again. Finished shards stay.
        OSError: the folder cannot be written.
    """
    rows, prompts = read_prompts(read_rows(job), job.bank)
    with claimed(job.output):
        return _transcribe(job, rows, prompts, ready)


def _transcribe(
    job: BulkJob,
    rows: Sequence[BulkRow],
    prompts: Mapping[str, Prompt],
    ready: Callable[[], None],
) -> BulkResult:
    finished = open_folder(job.output, job.of_the_folder)
    new = [row for row in rows if not _is_finished(row, finished, job.output)]
    reports: list[ShardReport] = []
    if new:
        settings = ShardWorkerSettings(
            folder=str(Path(job.output).absolute()),
            model=base_for(job.model, prompts.values()),
            prompts=prompts,
            codes=frozenset(
                code for row in new if row.language for code in row.language.split(MIX)
            ),
            options=job.decoding,
            batch_size=job.batch_size,
            cores=job.bulk.cores,
            voice_activity=job.voice_activity,
            window_seconds=job.window_seconds,
            precision=job.precision,
        )
        with cluster():
            ready()
            shards = run_shards(new, finished.last_shard + 1, settings, job.bulk)
            reports = _with_progress(shards, len(new))
    failed = sum(report.failed for report in reports)
    return BulkResult(
        transcribed=len(new) - failed,
        failed=finished.failed + failed,
        kept=len(rows) - len(new),
        audio_seconds=sum(report.audio_seconds for report in reports),
        seconds=_span(reports),
    )


def _is_finished(row: BulkRow, finished: FinishedRows, folder: str) -> bool:
    """Whether the folder has the row.

    Raises:
        InputError: it has another of the same id.
    """
    audio = finished.audio.get(row.id, row.audio)
    if audio != row.audio:
        raise InputError(
            f"{folder}: holds row {row.id} of {audio}, which is of {row.audio} now; "
            "name another folder, or drop the row's line from its shard"
        )
    return row.id in finished.audio


def _with_progress(reports: Iterable[ShardReport], rows: int) -> list[ShardReport]:
    """All reports, counted on standard error by rows as they come."""
    from rich.console import Console
    from rich.progress import Progress

    kept = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("transcribing", total=rows)
        for report in reports:
            kept.append(report)
            progress.advance(task, report.rows)
    return kept


def _span(reports: list[ShardReport]) -> float:
    if not reports:
        return 0.0
    return max(report.finished for report in reports) - min(report.started for report in reports)
