"""Speed, errors and memory of SPT-Whisper beside other engines, on the same audio and the same weights.

    pip install '.[benchmarks]'
    python benchmarks/engines.py --data DIR --language en [--engines ours:float32 faster-whisper:int8] [--json PATH]

`exported-faster-whisper` and `exported-onnx` are what `spt-whisper export` makes of the model. With `--prompt DIR` these and
ours carry the prompt, and the other engines are bare Whisper:

    python benchmarks/engines.py --data DIR --language es --corpus-language qug --prompt runs/kichwa/prompt
        --engines ours:float32 exported-faster-whisper:float32 exported-onnx:float32 faster-whisper:float32

Two sets: short recordings as they are, and one long recording of joined clips (again from the first where they do not
suffice). Each engine has a process of its own; they take turns, pass by pass. The language is given, search is greedy, all
else is as the engine has it by default. All get waveforms, so that no engine's audio decoder counts.

The real-time factor is seconds of work by seconds of audio: lower is better. `ratio` is ours at the same precision / this
engine, the median over the rounds: below 1, ours is faster. WER: words, normalizer `basic`. Memory is the most that the
process has had, Python and the audio with it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from engine_process import EngineProcess, Pass
from measure import PACKAGES, conditions, publish, settings_parser, time_ratio
from openai_checkpoint import write_openai_checkpoint
from recognizers import LOADERS, Setup
from speech import Clip, add_flags, joined, read_clips

from spt_whisper.errors import InputError
from spt_whisper.export.formats import export
from spt_whisper.export.settings import ExportConfig, FormatName
from spt_whisper.text.error_rates import ErrorCounts, count_word_errors
from spt_whisper.text.normalization import get_normalizer
from spt_whisper.whisper.loading import FrozenWhisper

DEFAULT_ENGINES = {
    "cpu": [
        "ours:float32", "ours:bfloat16", "openai-whisper:float32", "transformers:float32", "faster-whisper:float32",
        "faster-whisper:int8", "faster-whisper-batched:float32", "faster-whisper-batched:int8",
    ],
    "cuda": [
        "ours:bfloat16", "ours:float16", "openai-whisper:float16", "transformers:bfloat16", "transformers:float16",
        "faster-whisper:bfloat16", "faster-whisper-batched:bfloat16",
    ],
}  # fmt: skip


EXPORTED: dict[FormatName, str] = {
    "ctranslate2": "exported-faster-whisper",
    "onnx": "exported-onnx",
}


@dataclass(frozen=True)
class Figures:
    """One engine on one set of recordings; without figures where it failed."""

    engine: str
    audio: str
    audio_seconds: float
    real_time_factor: float | None = None
    ratio: float | None = None  # ours at the same precision / this engine
    wer_percent: float | None = None
    peak_mebibytes: float | None = None
    failure: str | None = None


def run_rounds(
    names: Sequence[str], base: Setup, files: Sequence[Path], repeats: int
) -> tuple[dict[str, list[Pass]], dict[str, str]]:
    """Lets the engines take turns; returns the passes of those that work, and why the others do not."""
    processes: dict[str, EngineProcess] = {}
    passes: dict[str, list[Pass]] = {}
    failures: dict[str, str] = {}
    try:
        for name in names:
            engine, _, precision = name.partition(":")
            setup = replace(base, precision=precision)
            with _noting(name, failures):
                processes[name] = EngineProcess(engine, setup, files)
        for number in range(repeats):
            first = number % len(names)
            for name in [*names[first:], *names[:first]]:
                if name not in failures:
                    with _noting(name, failures):
                        found = processes[name].transcribe()
                        passes.setdefault(name, []).append(found)
                        print(f"{name}: {found.seconds:.1f} s", file=sys.stderr)
    finally:
        for process in processes.values():
            process.close()
    return {name: found for name, found in passes.items() if name not in failures}, failures


@contextmanager
def _noting(name: str, failures: dict[str, str]) -> Iterator[None]:
    """Notes why an engine failed, and lets the others go on."""
    try:
        yield
    except Exception as error:  # each engine has errors of its own
        failures[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
        print(f"{name}: {failures[name]}", file=sys.stderr)


def figures(
    audio: str, clips: Sequence[Clip], passes: dict[str, list[Pass]], failures: dict[str, str]
) -> list[Figures]:
    """Returns the rows of one set of recordings, failed engines last."""
    length = sum(clip.seconds for clip in clips)
    seconds = {name: [each.seconds for each in found] for name, found in passes.items()}
    rows = []
    for name, found in passes.items():
        ours = seconds.get(f"ours:{name.partition(':')[2]}")
        rows.append(
            Figures(
                name,
                audio,
                length,
                real_time_factor=statistics.median(seconds[name]) / length,
                ratio=time_ratio(ours, seconds[name]).median if ours else None,
                wer_percent=100 * word_errors(clips, found[-1].texts).rate,
                peak_mebibytes=found[-1].peak_mebibytes,
            )
        )
    return rows + [Figures(name, audio, length, failure=why) for name, why in failures.items()]


def word_errors(clips: Sequence[Clip], texts: Sequence[str]) -> ErrorCounts:
    """Adds up the word errors of all recordings, with the normalizer `basic`."""
    normalize = get_normalizer("basic")
    counts = (
        count_word_errors(normalize(clip.text), normalize(text))
        for clip, text in zip(clips, texts, strict=True)
    )
    return sum(counts, ErrorCounts())


def measure(settings: argparse.Namespace, folder: Path) -> list[Figures]:
    """Measures both sets; what the engines share is written into the folder."""
    whisper = FrozenWhisper.from_pretrained(settings.model)
    checkpoint = write_openai_checkpoint(whisper, folder / "openai.pt")
    base = Setup(
        settings.model, str(checkpoint), settings.language, "", settings.device, settings.threads,
        settings.batch_size, settings.prompt, str(folder),
    )  # fmt: skip
    for form, engine in EXPORTED.items():
        if any(name.startswith(f"{engine}:") for name in settings.engines):
            source, model = settings.prompt or whisper.source, whisper.source
            export(ExportConfig(source, form, str(folder / form), model=model))
    clips = read_clips(settings)
    sets = {}
    if settings.short:
        sets[f"{settings.short} short"] = (clips[: settings.short], settings.repeats)
    if settings.long_minutes:
        long = joined(clips, 60 * settings.long_minutes)
        sets[f"1 of {long.seconds / 60:.0f} min"] = ([long], settings.long_repeats)
    rows = []
    for audio, (recordings, repeats) in sets.items():
        files = [folder / f"{number}.npy" for number in range(len(recordings))]
        for file, recording in zip(files, recordings, strict=True):
            np.save(file, recording.waveform)
        rows += figures(audio, recordings, *run_rounds(settings.engines, base, files, repeats))
    return rows


def read_settings() -> argparse.Namespace:
    """Reads the flags.

    Raises:
        InputError: an engine is unknown.
    """
    parser = settings_parser(__doc__)
    add_flags(parser)
    parser.add_argument("--engines", nargs="+", metavar="NAME:PRECISION", help=", ".join(LOADERS))
    parser.add_argument("--prompt", metavar="DIR", help="prompt that ours and the exports carry")
    parser.add_argument(
        "--short", type=int, default=30, help="short recordings, 0 for none (%(default)s)"
    )
    parser.add_argument("--long-minutes", type=float, default=20.0, help="0 for none (%(default)s)")
    parser.add_argument("--long-repeats", type=int, default=3, help="rounds (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, help="windows (%(default)s)")
    parser.set_defaults(dtype="precision as named")
    settings = parser.parse_args()
    settings.engines = settings.engines or DEFAULT_ENGINES[settings.device]
    for name in settings.engines:
        if name.partition(":")[0] not in LOADERS or not name.partition(":")[2]:
            raise InputError(
                f"--engines: found {name!r}, wanted NAME:PRECISION with a name of {', '.join(LOADERS)}"
            )
    return settings


def main() -> int:
    """Measures, and publishes the table."""
    try:
        settings = read_settings()
        made = conditions(
            settings, (*PACKAGES, "openai-whisper", "faster-whisper", "ctranslate2"),
            language=settings.language, batch_size=settings.batch_size, long_rounds=settings.long_repeats,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(settings, Path(folder))
    except InputError as error:
        print(f"engines: {error}", file=sys.stderr)
        return 2
    publish("Engines on the same audio and weights", made, rows, settings.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
