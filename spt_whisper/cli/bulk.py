"""`spt-whisper transcribe --engine ray`: a manifest in, shards of transcripts out."""

from __future__ import annotations

from spt_whisper.bulk.settings import BulkJob
from spt_whisper.cli import DONE, SOME_FAILED
from spt_whisper.cli.signals import ending_as_interrupt


def run(job: BulkJob) -> int:
    """Returns 0, or 1 where rows in the folder have an error in place of a transcript."""
    from spt_whisper.bulk.run import transcribe_manifest

    with ending_as_interrupt() as listen:
        result = transcribe_manifest(job, ready=listen)
    print(
        f"{job.output}: {result.transcribed:,} rows transcribed ({result.audio_seconds / 3600:.2f} h of audio in "
        f"{result.seconds:.0f} s), {result.kept:,} finished before, {result.failed:,} with an error in all"
    )
    return SOME_FAILED if result.failed else DONE
