"""The manifest: one utterance a line (JSONL) or a row (CSV), audio paths relative to its folder.

    id, audio, text      required
    language             one code, or several joined by `+` or `,`; `languages`: the same or a list
    duration             seconds; where `start` and `end` are given, these count
    start, end           seconds into the audio, for utterances cut out of a long file
    speaker              any name; blanks around it do not count
    word_languages       a list (CSV: joined by blanks), one code a word; also as `word_langs`

Other columns are ignored, and so are rows of a CSV without a value. Files are UTF-8, with or without
a byte order mark, any line ends.
"""

from __future__ import annotations

import csv
import json
import logging
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from spt_whisper.corpora.rows import (
    LANGUAGE_SEPARATOR,
    is_writable,
    open_text,
    path_below,
    row_error,
    unique,
)
from spt_whisper.corpora.source import CorpusSource, MissingSplitError
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError

ManifestRow = dict[str, Any]

logger = logging.getLogger(__name__)
_ROUNDED = 0.01  # seconds by which `duration` may differ from `end - start` and still count
_CONTRADICTED = 0.1  # seconds from which on it is told


def read_manifest_split(source: CorpusSource) -> list[Utterance]:
    """Utterances of `<root>/<subset>/<split>.jsonl` or `.csv`; or of the root itself, where it is a file."""
    text_column = source.text_column or "text"
    if source.path.is_file():
        if source.subset is not None:
            raise InputError(
                f"subset: found {source.subset}, but {source.path} is one file without parts; leave it out"
            )
        return read_manifest(source.path, text_column)
    root = source.path / (source.subset or ".")
    candidates = [root / f"{source.split}{suffix}" for suffix in PARSERS]
    found = [path for path in candidates if path.is_file()]
    if not found:
        names = " nor ".join(path.name for path in candidates)
        raise MissingSplitError(
            f"{root}: no split {source.split!r}, neither {names}; add it, or name the file that is there"
        )
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise InputError(f"{root}: both {names} are there; keep one of them")
    return read_manifest(found[0], text_column)


def read_manifest(path: Path, text_column: str = "text") -> list[Utterance]:
    """Utterances of a `.jsonl` or `.csv` manifest, in its order.

    Raises:
        InputError: names the file, the row and the column that is missing or wrong.
    """
    path = Path(path)
    contradicted: list[str] = []

    def numbered() -> Iterator[tuple[int, Utterance]]:
        for row in read_manifest_rows(path):
            utterance, told = _utterance(row, text_column), row.seconds("duration")
            meant = utterance.duration
            if told is not None and meant is not None and abs(told - meant) > _CONTRADICTED:
                contradicted.append(f"row {row.number}: {told:g} s, {meant:g} s")
            yield row.number, utterance

    utterances = unique(path, numbered())
    if contradicted:
        logger.warning(
            "%s: in %d rows duration is not end - start, which counts (%s); take the duration out, or give that of the part",
            path, len(contradicted), contradicted[0],
        )  # fmt: skip
    return utterances


def read_manifest_rows(path: Path) -> Iterator[Fields]:
    """Yields the rows of a `.jsonl` or `.csv` manifest, in its order.

    Raises:
        InputError: names the file and the row that is broken.
    """
    path = Path(path)
    if path.suffix.lower() not in PARSERS:
        raise InputError(f"{path}: unknown kind of manifest; give {' or '.join(PARSERS)}")
    with open_text(path) as file:
        for number, row in PARSERS[path.suffix.lower()](path, file):
            yield Fields(path, number, row)


def _jsonl_rows(path: Path, file: TextIO) -> Iterator[tuple[int, ManifestRow]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # numbers of thousands of digits, deep nests
            raise row_error(
                path, number, f"broken JSON ({error}); give one object a line"
            ) from error
        if not isinstance(row, dict):
            raise row_error(
                path, number, f"found {type(row).__name__}; give one JSON object a line"
            )
        yield number, row


def _csv_rows(path: Path, file: TextIO) -> Iterator[tuple[int, ManifestRow]]:
    """Rows under the header, counted as a spreadsheet does: the header is row 1."""
    number, rows = 1, csv.reader(file, strict=True)
    try:
        columns = next(rows, [])
        _check_header(path, columns)
        for number, values in enumerate(rows, start=2):
            if len(values) > len(columns):
                raise row_error(path, number, "more values than columns; quote values with commas")
            named = zip(columns, values, strict=False)  # a short row lacks its last
            if any(value.strip() for value in values):
                yield number, {column: value for column, value in named if column}
    except csv.Error as error:
        raise row_error(
            path, number + 1, f"broken CSV ({error}); quote values with commas"
        ) from error


def _check_header(path: Path, columns: list[str]) -> None:
    """Columns without a name, as a spreadsheet leaves them at the end, are let through.

    Raises:
        InputError: the columns are not separated by commas, or one appears twice.
    """
    first = columns[0] if columns else ""
    if first.startswith("sep="):
        raise row_error(path, 1, f"found {first!r}, for Excel alone; take the line out")
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(columns) == 1 and sign in first:
            problem = f"columns are separated by {name}; save it as CSV with commas"
            raise row_error(path, 1, problem)
    twice = [name for name, count in Counter(columns).items() if name and count > 1]
    if twice:
        raise row_error(path, 1, f"column {twice[0]!r} appears twice; give each one name")


PARSERS = {".jsonl": _jsonl_rows, ".csv": _csv_rows}


def _utterance(fields: Fields, text_column: str) -> Utterance:
    start, end = fields.part()
    duration = fields.seconds("duration")
    if end is not None:
        part = end - (start or 0.0)
        if duration is None or abs(duration - part) > _ROUNDED:  # often that of the whole file
            duration = part
    words = fields.names("word_languages", "word_langs", separator=r"\s+")
    return Utterance(
        id=fields.text("id"),
        audio=fields.audio(),
        text=fields.text(text_column, empty=True),
        languages=fields.names("languages", "language", separator=LANGUAGE_SEPARATOR),
        duration=duration,
        start=start,
        end=end,
        speaker=fields.speaker(),
        word_languages=words or None,
    )


class Fields:
    """Typed access to the columns of one row; what is wrong is said with file, row and column."""

    def __init__(self, path: Path, number: int, row: ManifestRow) -> None:
        self.path, self.number, self.row = path, number, row

    def text(self, column: str, empty: bool = False) -> str:
        """Value of a column that must be there; blank only where `empty` allows it."""
        if column not in self.row:
            found = ", ".join(str(name) for name in self.row) or "nothing"
            raise row_error(self.path, self.number, f"no column {column!r}; found: {found}")
        value = self.row[column]
        if isinstance(value, int) and not isinstance(value, bool) and column == "id":
            value = str(value)
        if not isinstance(value, str):
            raise self._wrong(column, value, "a string")
        if not (empty or value.strip()):
            raise self._wrong(column, value, "a value")
        if not is_writable(value):
            raise self._wrong(column, value, "Unicode text")
        return value

    def optional(self, column: str) -> str | None:
        """Value of a column as a string; None where it is missing or empty."""
        value = self.row.get(column)
        if value is None or value == "":
            return None
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise self._wrong(column, value, "a string")
        if not is_writable(str(value)):
            raise self._wrong(column, value, "Unicode text")
        return str(value)

    def speaker(self) -> str | None:
        """Value of the column `speaker`, so that the same name is the same: composed (NFC), without blanks around it."""
        name = unicodedata.normalize("NFC", self.optional("speaker") or "")
        return name.strip() or None

    def part(self) -> tuple[float | None, float | None]:
        """Columns `start` and `end`, in seconds into the audio; the end may be told as start and duration."""
        start, end = self.seconds("start"), self.seconds("end")
        duration = self.seconds("duration")
        if end is None and start is not None and duration is not None:
            end = start + duration
        if end is not None and end <= (start or 0.0):
            problem = f"end {end} is not after start {start or 0.0}; give seconds"
            raise row_error(self.path, self.number, problem)
        return start, end

    def seconds(self, column: str) -> float | None:
        """Value of a column as a number of seconds; None where it is missing or empty."""
        value = self.row.get(column)
        if value is None or value == "":
            return None
        try:
            refused = isinstance(value, bool) or "_" in str(value)  # float() reads 1_7 as 17
            seconds = math.nan if refused else float(value)
        except (TypeError, ValueError, OverflowError):
            seconds = math.nan
        least = 0.0 if column == "start" else math.ulp(0.0)
        if not least <= seconds < math.inf:
            raise self._wrong(column, value, "seconds, as a number above 0")
        return seconds

    def names(self, *columns: str, separator: str) -> tuple[str, ...]:
        """Value of the first of `columns` that has one, as a tuple; () where none has."""
        column = next((name for name in columns if self.row.get(name)), columns[0])
        value = self.row.get(column)
        if isinstance(value, str):
            value = [name for name in re.split(separator, value.strip()) if name]
        if not isinstance(value, list | None) or not all(
            isinstance(name, str) and is_writable(name) for name in value or []
        ):
            raise self._wrong(column, value, "a string or a list of strings")
        return tuple(value or ())

    def audio(self) -> Path:
        """Path of the column `audio`, from the manifest's folder."""
        return path_below(self.path.parent, self.text("audio").strip(), self.path, self.number)

    def _wrong(self, column: str, value: object, wanted: str) -> InputError:
        return row_error(self.path, self.number, f"column {column!r} is {value!r}; give {wanted}")
