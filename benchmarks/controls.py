"""What a prompt costs the languages that Whisper knows, and how much it writes where nobody speaks.

    python benchmarks/controls.py RUN [RUN ...] --data DIR [--limit N] [--json PATH]

RUN is a prompt, an adapted model (method lora or full), or the output folder of `fit` with one of them. DIR holds
common_voice_control/<language>/ (test, dev) and fleurs_control/ (test). Bare Whisper, and Whisper with each RUN on, decode the same
clips with Whisper's own token of the language (never a RUN's proxy), in one greedy pass without a second try, in the shortest
window that holds a clip. A change is the RUN's error rate minus bare Whisper's, with its 95 % interval by paired bootstrap; `all`
counts characters of Chinese and Japanese and words of the other languages together.

Speechless pieces are synthetic. There the language is left open: a RUN takes its proxy, bare Whisper what it hears. A cell has the
characters a piece, and how many pieces have a text, under three guards: those of `transcribe`; without voice activity, which
leaves the no-speech threshold; none.

The texts are kept in --store as soon as a RUN has finished a language, under a name that says what they were made with: after a
kill, the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from measure import FILE_COLUMNS
from rich.console import Console
from rich.progress import track
from rich.table import Table
from speechless import GUARDS, SECONDS, SOUNDS, Writing, count_characters, pieces
from systems import Store, System, key_of, load, read_run, with_bare

from spt_whisper.atomic import write_text
from spt_whisper.audio import WINDOW_SECONDS, load_audio
from spt_whisper.audio.window import check_windows, shortest_window
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.corpora.fingerprint import fingerprint_splits
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.engines.engine import Row, RowResult
from spt_whisper.errors import InputError
from spt_whisper.evaluation.bootstrap import REMARKS, Interval, IntervalUnit
from spt_whisper.evaluation.paired import compare_with_first
from spt_whisper.evaluation.rates import RATES
from spt_whisper.evaluation.system_score import score_system
from spt_whisper.text.normalization import get_normalizer
from spt_whisper.text.units import RateName
from spt_whisper.transcription.batching import decode_batches
from spt_whisper.whisper.options import single_pass

STORE = Path(__file__).resolve().parent.parent / "runs" / "controls"
ALL = "all"
BATCH = 8  # clips decoded together
OPTIONS = single_pass()
# `basic`, and both ways to write Chinese as one, since Whisper has one token for them
NORMALIZER = get_normalizer(
    "nfkc,lowercase,simplify_chinese,remove_punctuation,collapse_whitespace"
)


@dataclass(frozen=True)
class Control:
    """Clips of one language that Whisper knows."""

    name: str
    clips: list[Utterance]

    @property
    def code(self) -> str:
        """Whisper's code: of `zh-CN`, `zh`."""
        return self.clips[0].languages[0].replace("_", "-").split("-")[0]


@dataclass(frozen=True)
class Change:
    """One RUN on one control against bare Whisper; rates are fractions."""

    run: str
    rate: float
    difference: float  # below 0: the RUN is better
    interval: Interval  # 95 %, of the difference
    probability: float  # that the RUN is better


@dataclass(frozen=True)
class Score:
    """One control, or all of them together."""

    recordings: str
    clips: int
    unit: RateName
    interval_unit: IntervalUnit  # what the bootstrap drew
    bare: float
    bare_interval: Interval
    changes: tuple[Change, ...]


def read_controls(data: Path, limit: int | None) -> list[Control]:
    """Returns the clips of each language, at most `limit` of each; those of the test part come first.

    Raises:
        InputError: a corpus is missing or broken.
    """
    languages = data / "common_voice_control"
    if not languages.is_dir():
        raise InputError(f"{languages}: no such folder; give --data the folder that holds it")
    found: dict[str, list[Utterance]] = {}
    for folder in sorted(languages.iterdir()):
        corpus = CorpusConfig(str(folder), max_seconds=WINDOW_SECONDS)
        found[f"Common Voice {folder.name}"] = read_split(corpus, "test") + read_split(
            corpus, "dev"
        )
    fleurs = CorpusConfig(str(data / "fleurs_control"), max_seconds=WINDOW_SECONDS)
    for clip in read_split(fleurs, "test"):
        found.setdefault(f"FLEURS {clip.languages[0]}", []).append(clip)
    return [Control(name, clips[:limit]) for name, clips in found.items()]


def decode_clips(system: System, control: Control, windows: Sequence[float]) -> list[str]:
    """Returns the text of each clip, with the language's own token."""
    rows = [
        Row(load_audio(clip.audio, clip.start, clip.end), system.prompt, (control.code,))
        for clip in control.clips
    ]
    whisper, results = load(system.model), dict[int, RowResult]()
    for found in decode_batches(
        whisper.engine, whisper.frozen.tokens, rows, OPTIONS, windows, BATCH
    ):
        results |= found
    return [results[index].hypothesis.text for index in range(len(rows))]


def decode_sounds(system: System, guards: str, count: int, window: float) -> list[str]:
    """Returns the text of each piece of every sound, under these guards."""
    audio = [piece for sound in SOUNDS for piece in pieces(sound, count)]
    chosen = GUARDS[guards]
    found = load(system.model).transcribe(
        audio, prompt=system.prompt, window_seconds=window, batch_size=BATCH,
        options=chosen.options, voice_activity=chosen.voice_activity,
    )  # fmt: skip
    return [transcript.text for transcript in found]


def control_texts(
    systems: Sequence[System], controls: Sequence[Control], windows: Sequence[float], store: Store
) -> dict[str, dict[str, list[str]]]:
    """Returns control -> system -> texts, decoded where they are not kept."""
    texts: dict[str, dict[str, list[str]]] = {control.name: {} for control in controls}
    jobs = [(system, control) for system in systems for control in controls]
    for system, control in track(jobs, "controls"):
        clips = fingerprint_splits({control.name: control.clips})
        key = key_of(system, clips=clips, windows=list(windows), options=asdict(OPTIONS))
        texts[control.name][system.name] = store.texts(
            f"{system.name}-{control.name}", key, partial(decode_clips, system, control, windows)
        )
    return texts


def sound_texts(
    systems: Sequence[System], count: int, windows: Sequence[float], store: Store
) -> list[Writing]:
    """Returns how much each system wrote on each sound under each guards, decoded where it is not kept."""
    window = shortest_window(SECONDS, windows)
    rows: list[Writing] = []
    jobs = [(system, guards) for system in systems for guards in GUARDS]
    for system, guards in track(jobs, "speechless"):
        key = key_of(system, pieces=count, window=window, guards=asdict(GUARDS[guards]))
        decode = partial(decode_sounds, system, guards, count, window)
        texts = store.texts(f"{system.name}-speechless {guards}", key, decode)
        rows += count_characters(guards, system.name, texts)
    return rows


def score(name: str, clips: Sequence[Utterance], texts: Mapping[str, Sequence[str]]) -> Score:
    """Scores bare Whisper, the first of the systems, and the RUNs against it."""
    systems = [score_system(system, clips, own, NORMALIZER) for system, own in texts.items()]
    bare, unit = systems[0], systems[0].main_rate
    changes = tuple(
        Change(run.name, getattr(run, unit), found.difference, found.interval, found.probability)
        for run, found in zip(systems[1:], compare_with_first(systems), strict=True)
    )
    return Score(name, len(clips), unit, bare.interval_unit, bare.rate, bare.interval, changes)


def score_all(
    controls: Sequence[Control], texts: Mapping[str, Mapping[str, list[str]]]
) -> list[Score]:
    """Returns the score of each control, and that of all clips together."""
    scores = [score(control.name, control.clips, texts[control.name]) for control in controls]
    clips = [clip for control in controls for clip in control.clips]
    systems = texts[controls[0].name]
    joined = {
        name: [text for control in controls for text in texts[control.name][name]]
        for name in systems
    }
    return [*scores, score(ALL, clips, joined)]


def report_table(
    systems: Sequence[System], scores: Sequence[Score], writing: Sequence[Writing]
) -> Table:
    """Returns a line for each control, then one for each sound under each guards."""
    names = [system.name for system in systems]
    table = Table(title=f"Whisper's own languages, and no speech: {systems[0].model}")
    for heading in ("recordings", "clips", "unit", *names):
        table.add_column(heading, justify="left" if heading == "recordings" else "right")
    for row in scores:
        changes = (
            f"{100 * c.rate:.1f}: {100 * c.difference:+.1f} [{100 * c.interval[0]:+.1f}, {100 * c.interval[1]:+.1f}]"
            for c in row.changes
        )
        unit = f"{RATES[row.unit].title} %"
        table.add_row(row.recordings, str(row.clips), unit, f"{100 * row.bare:.1f}", *changes)
    table.add_section()
    cells = {(row.sound, row.guards, row.system): row for row in writing}
    for guards in GUARDS:
        for sound in SOUNDS:
            own = [cells[sound, guards, name] for name in names]
            count = str(len(own[0].characters))
            written = (f"{row.mean:.1f} (in {row.written})" for row in own)
            table.add_row(f"{sound}; guards: {guards}", count, "characters", *written)
    units = dict.fromkeys(row.interval_unit for row in scores)
    table.caption = "\n".join(f"intervals: {REMARKS[unit]}" for unit in units)
    table.caption_justify = "left"
    return table


def write_figures(
    path: Path,
    settings: argparse.Namespace,
    systems: Sequence[System],
    scores: Sequence[Score],
    writing: Sequence[Writing],
) -> None:
    """Writes the figures, and what they were made with, as JSON."""
    made = {
        "model": systems[0].model, "runs": [system.name for system in systems[1:]], "windows": settings.windows,
        "normalizer": NORMALIZER.name, "decoding": asdict(OPTIONS), "limit": settings.limit,
        "controls": [asdict(row) for row in scores], "speechless": [asdict(row) for row in writing],
    }  # fmt: skip
    write_text(path, json.dumps(made, ensure_ascii=False, indent=2) + "\n")


def positive(text: str) -> int:
    """Returns a count of one or more, as a flag has it."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted a number of 1 or more")
    return int(text)


def main() -> int:
    """Decodes what is not kept yet, scores, prints the table, and writes the figures where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", nargs="+", type=Path, help="prompt, adapted model, output of fit")
    parser.add_argument("--data", required=True, type=Path, help="folder of the corpora")
    parser.add_argument("--limit", type=positive, help="clips of each language; by default all")
    parser.add_argument("--windows", nargs="+", type=float, default=[10.0, 20.0, 30.0], help="seconds (%(default)s)")  # fmt: skip
    parser.add_argument("--pieces", type=positive, default=4, help="of each sound (%(default)s)")
    parser.add_argument("--store", type=Path, default=STORE, help="folder that keeps the texts")
    parser.add_argument("--json", type=Path, help="file for the figures")
    settings = parser.parse_args()
    store = Store(settings.store)
    try:
        check_windows(settings.windows)
        controls = read_controls(settings.data, settings.limit)
        systems = with_bare([read_run(run) for run in settings.run])
        scores = score_all(controls, control_texts(systems, controls, settings.windows, store))
        writing = sound_texts(systems, settings.pieces, settings.windows, store)
    except InputError as error:
        print(f"controls: {error}", file=sys.stderr)
        return 2
    console = Console()
    wide = console if console.is_terminal else Console(width=FILE_COLUMNS)
    wide.print(report_table(systems, scores, writing))
    if settings.json:
        write_figures(settings.json, settings, systems, scores, writing)
    return 0


if __name__ == "__main__":
    sys.exit(main())
