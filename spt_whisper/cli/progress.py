"""How far a run over audio has come: a bar over its seconds, with the time left, where a person looks on."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from spt_whisper.audio import audio_duration
from spt_whisper.errors import InputError


@contextmanager
def audio_progress(paths: Sequence[Path]) -> Iterator[Callable[[float], None]]:
    """Yields a function to call with the seconds of audio just processed; without a terminal on standard error it shows nothing.

    Args:
        paths: all files of the run; how long they are is read from their headers.
    """
    if not sys.stderr.isatty() or not paths:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("transcribing"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("left"),
        console=Console(stderr=True),
        redirect_stdout=sys.stdout.isatty(),  # else transcripts would not reach the file that they are sent to
        speed_estimate_period=math.inf,  # a file may take longer than the stretch that rich measures over
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=sum(_seconds(path) for path in paths))
        bar.advance(task, 0)  # from here on the speed is measured
        yield lambda seconds: bar.advance(task, seconds)


def _seconds(path: Path) -> float:
    """Length of a file; 0 where it cannot be read, which is said when its turn comes."""
    try:
        return audio_duration(path)
    except InputError:
        return 0.0
