"""The manifest: one utterance a line (JSONL) or a row (CSV), audio paths relative to its folder.

    id, audio, text      required
    language             one code, or several joined by `+` or `,`; `languages`: the same or a list
    duration             seconds
    start, end           seconds into the audio, for utterances cut out of a long file
    speaker              any name
    word_languages       a list (CSV: joined by blanks), one code a word; also as `word_langs`

Other columns are ignored. Files are UTF-8, with or without a byte order mark, any line ends.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError

Row = dict[str, Any]


def read_manifest(path: Path) -> list[Utterance]:
    """Utterances of a `.jsonl` or `.csv` manifest, in its order.

    Raises:
        InputError: names the file, the row and the column that is missing or wrong.
    """
    path = Path(path)
    if path.suffix.lower() not in PARSERS:
        raise InputError(f"{path}: unknown kind of manifest; give {' or '.join(PARSERS)}")
    if not path.is_file():
        raise InputError(f"{path}: no such manifest; give an existing {path.suffix} file")
    utterances: dict[str, Utterance] = {}
    try:
        # newline="": the csv module wants line ends untouched, and JSON does not mind them
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in PARSERS[path.suffix.lower()](path, file):
                utterance = _utterance(path, number, row)
                if utterance.id in utterances:
                    raise _error(
                        path, number, f"id {utterance.id!r} is there twice; make ids unique"
                    )
                utterances[utterance.id] = utterance
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 ({error.reason}); save it as UTF-8") from error
    if not utterances:
        raise InputError(f"{path}: has no utterances; give a manifest with one a line")
    return list(utterances.values())


def _jsonl_rows(path: Path, file: TextIO) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise _error(path, number, f"broken JSON ({error}); give one object a line") from error
        if not isinstance(row, dict):
            raise _error(path, number, f"found {type(row).__name__}; give one JSON object a line")
        yield number, row


def _csv_rows(path: Path, file: TextIO) -> Iterator[tuple[int, Row]]:
    """Rows under the header, counted as a spreadsheet does: the header is row 1."""
    number = 1
    try:
        for number, row in enumerate(csv.DictReader(file, strict=True), start=2):
            if None in row:
                raise _error(path, number, "more values than columns; quote values with commas")
            # a value missing at the end of a short row is None, an empty optional one is ""
            yield number, {key: value for key, value in row.items() if value is not None}
    except csv.Error as error:
        raise _error(path, number + 1, f"broken CSV ({error}); quote values with commas") from error


PARSERS = {".jsonl": _jsonl_rows, ".csv": _csv_rows}


def _error(path: Path, number: int, problem: str) -> InputError:
    return InputError(f"{path} row {number}: {problem}")


def _utterance(path: Path, number: int, row: Row) -> Utterance:
    fields = _Fields(path, number, row)
    start, end = fields.seconds("start"), fields.seconds("end")
    if end is not None and end <= (start or 0.0):
        raise _error(path, number, f"end {end} is not behind start {start or 0.0}; give seconds")
    duration = fields.seconds("duration")
    if duration is None and end is not None:
        duration = end - (start or 0.0)
    words = fields.names("word_languages", "word_langs", separator=r"\s+")
    return Utterance(
        id=fields.text("id"),
        audio=fields.audio(),
        text=fields.text("text", empty=True),
        languages=fields.names("languages", "language", separator=r"[+,\s]+"),
        duration=duration,
        start=start,
        end=end,
        speaker=fields.optional("speaker"),
        word_languages=words or None,
    )


class _Fields:
    """Typed access to the columns of one row; what is wrong is said with file, row and column."""

    def __init__(self, path: Path, number: int, row: Row) -> None:
        self.path, self.number, self.row = path, number, row

    def text(self, column: str, empty: bool = False) -> str:
        if column not in self.row:
            found = ", ".join(str(name) for name in self.row) or "nothing"
            raise _error(self.path, self.number, f"no column {column!r}; found: {found}")
        value = self.row[column]
        if isinstance(value, int) and not isinstance(value, bool) and column == "id":
            value = str(value)
        if not isinstance(value, str):
            raise self._wrong(column, value, "a string")
        if not (empty or value.strip()):
            raise self._wrong(column, value, "a value")
        return value

    def optional(self, column: str) -> str | None:
        value = self.row.get(column)
        if value is None or value == "":
            return None
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise self._wrong(column, value, "a string")
        return str(value)

    def seconds(self, column: str) -> float | None:
        value = self.row.get(column)
        if value is None or value == "":
            return None
        try:
            seconds = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            seconds = math.nan
        least = 0.0 if column == "start" else math.ulp(0.0)
        if not least <= seconds < math.inf:
            raise self._wrong(column, value, "seconds, as a number above 0")
        return seconds

    def names(self, *columns: str, separator: str) -> tuple[str, ...]:
        """Value of the first of `columns` that is there, as a tuple; () where none is."""
        column = next((name for name in columns if self.row.get(name) is not None), columns[0])
        value = self.row.get(column)
        if isinstance(value, str):
            value = [name for name in re.split(separator, value) if name]
        if not isinstance(value, list | None) or not all(
            isinstance(name, str) for name in value or []
        ):
            raise self._wrong(column, value, "a string or a list of strings")
        return tuple(value or ())

    def audio(self) -> Path:
        audio = Path(self.text("audio"))
        if audio.is_absolute():
            return audio
        # by the letter, not by resolve(): a corpus may keep its audio behind a link
        if Path(os.path.normpath(audio)).parts[0] == "..":
            problem = f"audio {str(audio)!r} leads out of the manifest's folder"
            raise _error(
                self.path, self.number, f"{problem}; give a path below it or an absolute one"
            )
        return self.path.parent / audio

    def _wrong(self, column: str, value: object, wanted: str) -> InputError:
        return _error(self.path, self.number, f"column {column!r} is {value!r}; give {wanted}")
