"""What `--bank DIR --language auto` costs languages that Whisper knows: their errors by bare Whisper and through a bank.

    python benchmarks/auto_controls.py --bank DIR --data DIR [--split test] [--limit N] [--json PATH]

DATA/common_voice_control/ has a folder for each language, none of which the bank teaches. Bare Whisper names the language of
each window itself; through the bank each window goes to bare Whisper or to the prompt of the language that it sounds like.
Errors are counted in words, in scripts without blanks in characters, with the normalizer `basic`. `routed` are utterances of
which a prompt wrote a part, `ratio` is the errors through the bank / those of bare Whisper. Goal: at most 1.01 in all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.progress import track

from spt_whisper.atomic import write_text
from spt_whisper.audio import load_audio
from spt_whisper.corpora import CorpusConfig, Utterance, read_split
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.text.error_rates import ErrorCounts, count_mixed_errors
from spt_whisper.text.normalization import get_normalizer
from spt_whisper.transcription.request import Request
from spt_whisper.transcription.transcriber import DEFAULT_ACTIVITY, Whisper
from spt_whisper.transcription.transcript import Transcript
from spt_whisper.transcription.voice_activity import VoiceActivityOptions

CONTROLS = "common_voice_control"
ALL = "all"


@dataclass(frozen=True)
class Scored:
    """One utterance, both ways."""

    bare: ErrorCounts
    auto: ErrorCounts
    routed: bool


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    language: str
    utterances: int
    routed: int  # utterances of which a prompt wrote a part
    units: int  # words or characters of the references
    bare_percent: float
    auto_percent: float
    ratio: float | None  # of the errors, auto / bare; None where bare Whisper made none


def read_controls(data: Path, split: str, limit: int | None) -> dict[str, list[Utterance]]:
    """Returns the first utterances of each language.

    Raises:
        InputError: the folder of the controls is missing or empty, or a corpus in it cannot be read.
    """
    root = data / CONTROLS
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    if not folders:
        raise InputError(f"{root}: no corpora, wanted a folder for each language; give --data")
    config = {folder.name: CorpusConfig(str(folder), test=split) for folder in folders}
    return {language: read_split(own, "test")[:limit] for language, own in config.items()}


def transcribed(
    whisper: Whisper,
    utterances: Sequence[Utterance],
    bank: Bank | None,
    voice_activity: VoiceActivityOptions | None,
) -> Iterator[Transcript]:
    """Transcribes utterances, through a bank or by bare Whisper, as `spt-whisper transcribe` does.

    Raises:
        InputError: one of them cannot be read.
    """
    requests = (Request(load_audio(own.audio, own.start, own.end), bank=bank) for own in utterances)
    for found in whisper.transcribe_many(requests, voice_activity=voice_activity):
        if isinstance(found, InputError):
            raise found
        yield found


def score(
    whisper: Whisper,
    utterances: Sequence[Utterance],
    bank: Bank,
    voice_activity: VoiceActivityOptions | None = DEFAULT_ACTIVITY,
) -> list[Scored]:
    """Counts the errors of each utterance, both ways."""
    normalize = get_normalizer("basic")

    def errors(utterance: Utterance, found: Transcript) -> ErrorCounts:
        return count_mixed_errors(normalize(utterance.text), normalize(found.text))

    ways = zip(
        utterances,
        transcribed(whisper, utterances, None, voice_activity),
        transcribed(whisper, utterances, bank, voice_activity),
        strict=True,
    )
    return [
        Scored(
            errors(utterance, bare),
            errors(utterance, auto),
            routed=any(segment.prompt for segment in auto.segments),
        )
        for utterance, bare, auto in ways
    ]


def tabulate(scored: Mapping[str, Sequence[Scored]]) -> list[Row]:
    """Returns a row for each language, and one for all utterances together."""
    everything = [own for group in scored.values() for own in group]
    return [_row(language, group) for language, group in {**scored, ALL: everything}.items()]


def _row(language: str, group: Sequence[Scored]) -> Row:
    bare = sum((own.bare for own in group), ErrorCounts())
    auto = sum((own.auto for own in group), ErrorCounts())
    return Row(
        language,
        len(group),
        sum(own.routed for own in group),
        bare.reference_length,
        100 * bare.rate,
        100 * auto.rate,
        auto.errors / bare.errors if bare.errors else None,
    )


def print_table(rows: Sequence[Row]) -> None:
    """Prints the rows as Markdown."""
    print("| language | utterances | routed | units | bare % | auto % | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        rates = (f"{row.bare_percent:.2f}", f"{row.auto_percent:.2f}")
        ratio = "" if row.ratio is None else f"{row.ratio:.4f}"
        print("|", " | ".join([row.language, str(row.utterances), str(row.routed), str(row.units), *rates, ratio]), "|")  # fmt: skip


def main() -> int:
    """Transcribes all controls both ways, prints the table, and writes the figures where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bank", required=True, help="bank of prompts, each with a key")
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {CONTROLS}/")
    parser.add_argument("--split", default="test", help="of each corpus (%(default)s)")
    parser.add_argument("--limit", type=int, help="utterances of each language; by default all")
    parser.add_argument("--model", help="Whisper to use; by default the bank's base")
    parser.add_argument("--device", help="cpu or cuda; by default a GPU if there is one")
    parser.add_argument("--json", type=Path, help="file for the figures")
    settings = parser.parse_args()
    try:
        bank = Bank.from_pretrained(settings.bank)
        controls = read_controls(settings.data, settings.split, settings.limit)
        base = bank.card(bank.languages[0]).base
        whisper = Whisper.from_pretrained(settings.model or base, settings.device)
        scored = {
            language: score(whisper, utterances, bank)
            for language, utterances in track(controls.items(), "languages")
        }
    except InputError as error:
        print(f"auto_controls: {error}", file=sys.stderr)
        return 2
    rows = tabulate(scored)
    print_table(rows)
    if settings.json:
        figures = {
            "model": whisper.frozen.name, "languages_of_the_bank": bank.languages, "split": settings.split,
            "limit": settings.limit, "rows": [asdict(row) for row in rows],
        }  # fmt: skip
        write_text(settings.json, json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
