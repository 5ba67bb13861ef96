"""Rows of a corpus's text files, and complaints that name the file and the row."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from spt_whisper.corpora.source import MissingSplitError
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError

LANGUAGE_SEPARATOR = r"\s*[+,]\s*"  # between the languages of an utterance; a name may have blanks
_NO_FILE_NAME = re.compile(r"[/\\\x00-\x1f]|\A\.{1,2}\Z")


def row_error(path: Path, number: int, problem: str) -> InputError:
    """The complaint about one row, counted from 1."""
    return InputError(f"{path} row {number}: {problem}")


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Opens UTF-8 text, with or without a byte order mark; line ends stay as they are.

    Raises:
        InputError: the file is missing, or is not UTF-8 as far as it was read.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give an existing one")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 ({error.reason}); save it as UTF-8") from error


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Yields (number, line without its end) of the lines that are not blank.

    Lines end at `\n`, `\r\n` or `\r`, never at the other separators of Unicode.
    """
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line.rstrip("\r\n")


def split_languages(text: str) -> tuple[str, ...]:
    """Returns the languages of `zh`, `zh+en`, `zh, en` or `Scottish Gaelic`."""
    return tuple(part for part in re.split(LANGUAGE_SEPARATOR, text.strip()) if part)


def check_id(path: Path, number: int, identifier: str, seen: set[str]) -> None:
    """Adds an id to those seen so far.

    Raises:
        InputError: it was seen before, or cannot name a file (others write `<id>.flac`).
    """
    if _NO_FILE_NAME.search(identifier):
        problem = f"id {identifier!r} cannot name a file; give ids without / \\ and control codes"
        raise row_error(path, number, problem)
    if not is_writable(identifier):
        raise row_error(path, number, f"id {identifier!r} is not Unicode text; rewrite it")
    if identifier in seen:
        raise row_error(path, number, f"id {identifier!r} appears twice; make ids unique")
    seen.add(identifier)


def is_writable(text: str) -> bool:
    """Whether a text can be written as UTF-8; half of a surrogate pair, as JSON may hold it, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unique(path: Path, numbered: Iterable[tuple[int, Utterance]]) -> list[Utterance]:
    """The utterances of one file, each with the number of its row.

    Raises:
        MissingSplitError: there is none.
        InputError: an id appears twice or cannot name a file.
    """
    seen: set[str] = set()
    utterances = []
    for number, utterance in numbered:
        check_id(path, number, utterance.id, seen)
        utterances.append(utterance)
    if not utterances:
        raise MissingSplitError(f"{path}: has no utterances; give a file with one a line")
    return utterances


def path_below(folder: Path, name: str, path: Path, number: int) -> Path:
    """`folder / name`, or `name` where that is absolute; a row of `path` names it.

    Raises:
        InputError: a relative name leads out of `folder`.
    """
    # by the letter, not by resolve(): a corpus may keep its audio behind a link
    if not os.path.isabs(name) and Path(os.path.normpath(name)).parts[:1] == ("..",):  # noqa: PTH117
        problem = f"audio {name!r} leads out of {folder}; give a path below it or an absolute one"
        raise row_error(path, number, problem)
    return _as_spelled(folder, name)


def clip_in(folder: Path, name: str, path: Path, number: int) -> Path:
    """`folder / name`, for a corpus that keeps each clip in its folder; a row of `path` names it.

    Raises:
        InputError: `name` is no plain file name, or there is no such file.
    """
    if not name or _NO_FILE_NAME.search(name):
        raise row_error(path, number, f"audio {name!r} is no file name; give one without folders")
    return existing_audio(_as_spelled(folder, name), path, number)


def _as_spelled(folder: Path, name: str) -> Path:
    """`folder / name`; where it is missing, with its accents composed or decomposed (macOS), if that is there."""
    path = folder / name
    if name.isascii() or os.path.exists(path):  # noqa: PTH110  # of any name: too long is missing
        return path
    others = [folder / unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    return next((other for other in others if os.path.exists(other)), path)  # noqa: PTH110


def existing_audio(audio: Path, path: Path, number: int) -> Path:
    """`audio`, which a row of `path` names.

    Raises:
        InputError: there is no such file.
    """
    if not audio.is_file():
        raise row_error(path, number, f"audio {audio} is missing; restore it or drop the row")
    return audio
