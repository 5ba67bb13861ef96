"""Kaldi data folders: https://kaldi-asr.org/doc/data_prep.html.

    wav.scp      recording, then its audio file; a command (`... |`) is refused, never run
    text         utterance, then its words
    segments     utterance, recording, start, end in seconds; without it a recording is an utterance
    utt2spk      utterance, speaker; may be absent
    utt2lang     utterance, language; may be absent

Relative audio paths start at the corpus's root, as a Kaldi recipe is run from above its data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spt_whisper.corpora.rows import (
    existing_audio,
    path_below,
    read_lines,
    row_error,
    split_languages,
    unique,
)
from spt_whisper.corpora.source import CorpusSource, MissingSplitError
from spt_whisper.corpora.utterance import Utterance

_TO_THE_END = -1.0  # an end in `segments`


@dataclass(frozen=True)
class Entry:
    """What stands behind a key."""

    row: int  # from 1
    rest: str  # "" where the key stands alone


Table = dict[str, Entry]  # by utterance or recording, in the file's order


@dataclass(frozen=True)
class _Cut:
    recording: str
    row: int  # of the file that names the recording
    start: float | None = None  # seconds
    end: float | None = None  # seconds


def read_kaldi(source: CorpusSource) -> list[Utterance]:
    """Utterances of the folder `<root>/<split>`; the split `.` is the root itself.

    Raises:
        InputError: a file is missing, a row is broken, or the files disagree on the utterances.
    """
    folder = source.path / source.split
    if not folder.is_dir():
        raise MissingSplitError(
            f"{source.path}: no split {source.split!r}; name a folder with wav.scp and text, or ."
        )
    return read_data_folder(folder, _recordings(source.path, folder / "wav.scp"))


def read_data_folder(folder: Path, recordings: Mapping[str, Path]) -> list[Utterance]:
    """Utterances of a data folder whose recordings are at hand, in the order of `text`.

    Raises:
        InputError: as `read_kaldi`; or a recording is not among `recordings`.
    """
    texts = read_table(folder / "text")
    speakers = _of_utterances(folder / "utt2spk", texts)
    languages = _of_utterances(folder / "utt2lang", texts)
    table = folder / "segments"
    segments = _of_utterances(table, texts)
    if segments is None:
        table = folder / "text"
        cuts = {key: _Cut(key, entry.row) for key, entry in texts.items()}
    else:
        cuts = {key: _cut(table, entry) for key, entry in segments.items()}
    utterances = []
    for key, entry in texts.items():
        cut = cuts[key]
        if cut.recording not in recordings:
            problem = f"recording {cut.recording!r} has no audio; add it to wav.scp or drop the row"
            raise row_error(table, cut.row, problem)
        utterance = Utterance(
            id=key,
            audio=recordings[cut.recording],
            text=entry.rest,
            languages=_languages(languages[key]) if languages else (),
            duration=None if cut.end is None else cut.end - (cut.start or 0.0),
            start=cut.start,
            end=cut.end,
            speaker=speakers[key].rest if speakers else None,
        )
        utterances.append((entry.row, utterance))
    return unique(folder / "text", utterances)


def read_table(path: Path) -> Table:
    """Rows of a Kaldi file by their first field.

    Raises:
        InputError: the file is missing, or a key appears twice.
    """
    table: Table = {}
    for number, line in read_lines(path):
        # by blanks and tabs alone: the wide blank of Chinese belongs to the text
        key, *rest = re.split(r"[ \t]+", line.strip(" \t"), maxsplit=1)
        if key in table:
            raise row_error(path, number, f"id {key!r} appears twice; make ids unique")
        table[key] = Entry(number, rest[0] if rest else "")
    return table


def _recordings(root: Path, path: Path) -> dict[str, Path]:
    return {
        recording: _audio(root, path, recording, entry)
        for recording, entry in read_table(path).items()
    }


def _audio(root: Path, path: Path, recording: str, entry: Entry) -> Path:
    if not entry.rest:
        raise row_error(path, entry.row, f"recording {recording!r} names no file; add its audio")
    if entry.rest.endswith("|"):
        problem = f"{entry.rest!r} is a command, which is never run; write its output to a file"
        raise row_error(path, entry.row, problem)
    return existing_audio(path_below(root, entry.rest, path, entry.row), path, entry.row)


def _of_utterances(path: Path, texts: Table) -> Table | None:
    """Table of the same utterances as `text`; None where there is no such file."""
    if not path.is_file():
        return None
    table = read_table(path)
    remedy = "drop it or run Kaldi's fix_data_dir.sh"
    for key, entry in table.items():
        if key not in texts:
            raise row_error(path, entry.row, f"utterance {key!r} is not in text; {remedy}")
        if not entry.rest:
            raise row_error(path, entry.row, f"nothing follows {key!r}; {remedy}")
    for key, entry in texts.items():
        if key not in table:
            problem = f"utterance {key!r} is not in {path.name}; {remedy}"
            raise row_error(path.parent / "text", entry.row, problem)
    return table


def _languages(entry: Entry) -> tuple[str, ...]:
    return split_languages(",".join(entry.rest.split()))  # Kaldi's fields end at blanks


def _cut(path: Path, entry: Entry) -> _Cut:
    fields = entry.rest.split()
    try:
        recording, start, end = fields[0], float(fields[1]), float(fields[2])
    except (IndexError, ValueError):
        start = end = math.nan
    if end == _TO_THE_END and 0 <= start < math.inf:
        return _Cut(recording, entry.row, start)
    if len(fields) != 3 or not 0 <= start < end < math.inf:
        problem = f"found {entry.rest!r}; give recording, start and end in seconds"
        raise row_error(path, entry.row, problem)
    return _Cut(recording, entry.row, start, end)
