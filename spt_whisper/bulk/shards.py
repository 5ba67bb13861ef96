"""The output folder: shards of finished rows, from which a restart goes on.

OUTPUT/settings.json    what every shard in the folder was made with
OUTPUT/part-*.jsonl     one `Transcribed` or `FailedRow` a line
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spt_whisper.atomic import replacing, write_text
from spt_whisper.errors import InputError
from spt_whisper.transcription.transcript import Segment

SETTINGS_FILE = "settings.json"
_SHARDS = "part-*.jsonl"


@dataclass(frozen=True)
class Transcribed:
    """What was said in a row."""

    id: str
    audio: str  # as the manifest names it
    text: str
    segments: tuple[Segment, ...]  # seconds from the beginning of the file
    language: str  # Whisper's codes, joined by +
    prompt: str | None  # name of the prompt that was attached; None: bare Whisper
    duration: float  # of the row's audio, in seconds
    seconds: float  # that the row took: its share of its shard by duration


@dataclass(frozen=True)
class FailedRow:
    """Why a row has no transcript."""

    id: str
    audio: str
    error: str  # one line


@dataclass(frozen=True)
class FinishedRows:
    """What a folder holds already."""

    audio: Mapping[str, str]  # of each finished row, by its id, as the manifest names it
    failed: int  # rows that are `FailedRow`
    last_shard: int  # the highest number of a shard; 0: there is none


def shard_path(folder: str | Path, number: int) -> Path:
    """Returns the file of a shard."""
    return Path(folder) / f"part-{number:06d}.jsonl"


def write_shard(folder: str | Path, number: int, rows: Sequence[Transcribed | FailedRow]) -> None:
    """Writes a shard, whole or not at all."""
    with (
        replacing(shard_path(folder, number)) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)


@contextmanager
def claimed(folder: str | Path) -> Iterator[None]:
    """Keeps other runs out of an output folder, which would give their shards the same names.

    Raises:
        InputError: another run writes there.
        OSError: the folder cannot be written.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        _lock(opened, folder)
        yield
    finally:
        os.close(opened)  # as the end of the process does


def open_folder(folder: str | Path, settings: Mapping[str, Any]) -> FinishedRows:
    """Makes the output folder, or goes on with one that was made with the same settings.

    Raises:
        InputError: the folder was made with other settings, or a shard in it is broken.
        OSError: the folder cannot be written.
    """
    file = Path(folder) / SETTINGS_FILE
    if file.exists():
        _check_settings(file, settings)
    else:
        write_text(file, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")
    return _read_finished(Path(folder))


def _lock(opened: int, folder: str | Path) -> None:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(
            f"{folder}: another run writes there; wait for it, or name another folder"
        ) from error


def _check_settings(file: Path, settings: Mapping[str, Any]) -> None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        differing = [name for name in settings if found[name] != settings[name]]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file}: cannot be read ({error}); name another folder") from error
    if differing:
        name = differing[0]
        raise InputError(
            f"{file.parent}: holds rows made with {name} {found[name]!r}, found {settings[name]!r}; "
            "name another folder"
        )


def _read_finished(folder: Path) -> FinishedRows:
    audio: dict[str, str] = {}
    failed = last = 0
    for path in sorted(folder.glob(_SHARDS)):
        number = path.stem.removeprefix("part-")
        last = max(last, int(number) if number.isdecimal() else 0)
        for row in _read_shard(path):
            audio[row["id"]] = row["audio"]
            failed += "error" in row
    return FinishedRows(audio, failed, last)


def _read_shard(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line.decode("utf-8"))
                found = row["id"], row["audio"]
            except (ValueError, TypeError, KeyError, RecursionError):
                found = None, None
            if not all(isinstance(value, str) for value in found):
                raise InputError(
                    f"{path} row {number}: is no finished row; remove the file, and its rows are made again"
                )
            yield row
