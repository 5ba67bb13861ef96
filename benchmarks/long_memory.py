"""Memory over a long recording, and how long loading takes.

    python benchmarks/long_memory.py --data DIR --language en [--hours 10] [--no-decode] [--json PATH]

Looped speech is written once to a FLAC file in a temporary folder; then it is read as `transcribe` reads it, and the memory
of the process is noted for each minute of audio. `--no-decode` stops in front of the model: it streams the file, finds
speech and makes log-mel features, so that ten hours take minutes. `ratio` is the most memory in all / the most in the first
tenth of the audio. Loading is what `Whisper.from_pretrained` takes beyond the imports, each time in a new process,
the median over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
import torch
from measure import PACKAGES, conditions, publish, resident_mebibytes, seconds_of, settings_parser
from speech import Clip, add_flags, looped, read_clips

from spt_whisper import Whisper
from spt_whisper.audio import SAMPLE_RATE, WINDOW_SECONDS
from spt_whisper.audio.stream import stream_audio
from spt_whisper.errors import InputError
from spt_whisper.evaluation.figure import BAR, FAINT, INK, drawn_figure
from spt_whisper.features import log_mel
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.transcription.windows import speech_windows

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "results" / "speed" / "long_memory.png"
BATCH = 8  # windows
LOADING = """
import sys, time
from spt_whisper.transcription.transcriber import Whisper
begin = time.perf_counter()
Whisper.from_pretrained(sys.argv[1], sys.argv[2])
print(time.perf_counter() - begin)
"""


@dataclass(frozen=True)
class Memory:
    """One recording."""

    work: str
    hours: float
    seconds: float  # of work
    early_mebibytes: float  # most in the first tenth of the audio
    highest_mebibytes: float
    ratio: float  # highest / early
    loading_seconds: float  # median


@dataclass(frozen=True)
class Sample:
    """The memory at one place of the recording."""

    hours: float  # of audio
    mebibytes: float


def write_recording(clips: list[Clip], hours: float, path: Path) -> None:
    """Writes looped speech, clip by clip."""
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
        for clip in looped(clips, 3600 * hours):
            file.write(np.clip(clip.waveform, -1, 1))


def positions(path: Path, settings: argparse.Namespace) -> Iterator[float]:
    """Works through the recording; yields how far it has come, in seconds of audio."""
    if settings.decode:
        whisper = Whisper.from_pretrained(
            settings.model, settings.device, getattr(torch, settings.dtype)
        )
        segments = whisper.transcribe_stream(path, language=settings.language, batch_size=BATCH)
        yield from (segment.end for segment in segments)
        return
    blocks = stream_audio(path)
    windows = speech_windows(blocks, float(WINDOW_SECONDS), VoiceActivityOptions())
    while batch := list(islice(windows, BATCH)):
        log_mel([window.waveform for window in batch], float(WINDOW_SECONDS), mels=80)
        yield batch[-1].end


def memory_curve(path: Path, settings: argparse.Namespace) -> list[Sample]:
    """Notes the memory about once a minute of audio."""
    samples: list[Sample] = []
    for seconds in positions(path, settings):
        if not samples or seconds / 3600 - samples[-1].hours >= 1 / 60:
            samples.append(Sample(seconds / 3600, resident_mebibytes()))
    return samples


def highest_of(samples: list[Sample]) -> float:
    """Returns the most memory of some samples, in MiB."""
    return max(sample.mebibytes for sample in samples)


def loading_seconds(settings: argparse.Namespace) -> float:
    """Returns the median time of loading in a new process."""
    command = [sys.executable, "-c", LOADING, settings.model, settings.device]
    runs = (
        subprocess.run(command, check=True, capture_output=True, text=True)
        for _ in range(settings.repeats)
    )
    return statistics.median(float(done.stdout.split()[-1]) for done in runs)


def draw(samples: list[Sample], path: Path) -> None:
    """Draws memory over the place in the audio."""
    with drawn_figure(path, 8.0, 3.5) as figure:
        axes = figure.subplots()
        axes.plot([s.hours for s in samples], [s.mebibytes for s in samples], color=BAR)
        axes.set_ylim(0, 1.15 * highest_of(samples))
        axes.set_xlim(0, samples[-1].hours)
        axes.set_xlabel("Hours of audio that are done", color=INK)
        axes.set_ylabel("Memory of the process (MiB)", color=INK)
        axes.tick_params(color=FAINT, labelcolor=FAINT)
        axes.spines[["top", "right"]].set_visible(False)


def measure(settings: argparse.Namespace, folder: Path) -> tuple[Memory, list[Sample]]:
    """Measures one recording, which is written into the folder."""
    path, samples = folder / "long.flac", list[Sample]()
    write_recording(read_clips(settings), settings.hours, path)
    seconds = seconds_of(lambda: samples.extend(memory_curve(path, settings)))
    early, highest = highest_of(samples[: len(samples) // 10 + 1]), highest_of(samples)
    work = "transcribe" if settings.decode else "stream, find speech, log-mel"
    loading = loading_seconds(settings)
    return Memory(work, settings.hours, seconds, early, highest, highest / early, loading), samples


def main() -> int:
    """Measures, draws the curve and publishes the table."""
    parser = settings_parser(__doc__)
    add_flags(parser)
    parser.add_argument("--hours", type=float, default=10.0, help="of audio (%(default)s)")
    parser.add_argument("--decode", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--picture", type=Path, default=PICTURE, help="PNG file (%(default)s)")
    settings = parser.parse_args()
    made = conditions(settings, (*PACKAGES, "silero-vad"), language=settings.language)
    try:
        with tempfile.TemporaryDirectory() as folder:
            row, samples = measure(settings, Path(folder))
    except InputError as error:
        print(f"long_memory: {error}", file=sys.stderr)
        return 2
    draw(samples, settings.picture)
    publish("Memory over a long recording", made, [row], settings.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
