"""Files and folders that appear whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spt_whisper.errors import InputError

_RUST_FAULT = re.compile(r"\(os error (\d+)\)")


@contextmanager
def replacing(path: str | Path, durable: bool = False) -> Iterator[Path]:
    """Yields a temporary name beside `path`, and renames it to `path` at the end.

    Missing parent folders are made. Where the block fails, `path` stays as it was.

    Args:
        path: the file.
        durable: whether it outlives a power failure: it is on the disk before it takes the place of the older one. Costs some
            milliseconds.

    Raises:
        InputError: `path` is a folder or a device.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        kind = "folder" if target.is_dir() else "device"
        raise InputError(f"{target}: is a {kind}, wanted a file; name another")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")  # never longer than a name may be
    try:
        with _naming(target):
            mode = _mode_of_new_files(target.parent)
            yield temporary
            temporary.chmod(mode)
            if durable:
                _to_disk(temporary)
            os.replace(temporary, target)  # noqa: PTH105  one call on every system, also over a file
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Yields a new folder beside `path`, which takes its place at the end.

    Missing parent folders are made, and links followed. Where the block fails, `path` stays as it was; an older folder is gone only
    once the new one stands, and is on the disk. Killed in the moment between the two renames, both lie in the hidden folder
    `.NAME.*` beside `path`.
    """
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
        made, older = Path(temporary) / "new", Path(temporary) / "older"
        made.mkdir()
        with _naming(target):
            yield made
            mode = _mode_of_new_files(made)
            for written in (*made.rglob("*"), made):
                if written.is_file():
                    written.chmod(mode)
                _to_disk(written)
        try:
            if target.exists():
                target.rename(older)
            made.rename(target)
            _to_disk(target.parent)
        except BaseException:  # an interrupt between the two, too
            if older.exists() and not target.exists():
                older.rename(target)
            raise


def _mode_of_new_files(folder: Path) -> int:
    """Who may read what is made here, by the user's umask: safetensors hides its files from all others."""
    probe = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        probe.touch()
        return probe.stat().st_mode
    finally:
        probe.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Waits until a file, or what a folder lists, is on the disk: a power failure loses what is only in memory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Names what is written where a full disk does not, and makes an `OSError` of what libraries in Rust make of one."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(target)
        raise
    except Exception as error:  # safetensors and tokenizers have no class of their own for it
        fault = _RUST_FAULT.search(str(error))
        if fault is None or isinstance(error, InputError):
            raise
        number = int(fault[1])
        raise OSError(number, os.strerror(number), str(target)) from error


def check_own(folder: Path, mark: str, kind: str) -> None:
    """Refuses to replace a folder of somebody else's.

    Args:
        folder: what would be replaced; it may be missing or empty.
        mark: name of a file that every folder of this kind has.
        kind: what it should be.

    Raises:
        InputError: it is a file, or holds other things.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / mark).exists():
        raise InputError(f"{folder}: holds files that are not a {kind}; name another folder")


def check_nothing_lost(folder: Path, kind: str, others: Iterable[Path]) -> None:
    """Refuses to replace a folder in which there are other things beside what is to be replaced.

    Raises:
        InputError: names them.
    """
    lost = sorted(path.name for path in others)
    if lost:
        raise InputError(
            f"{folder}: holds {', '.join(lost)} beside the {kind}, which would be lost; move that away"
        )


def write_text(path: str | Path, text: str) -> None:
    r"""Writes `text` to `path` as UTF-8 with `\n` line ends, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def check_writable(folder: Path) -> None:
    """Makes a folder, and a file in it that is gone at once, so that a long run does not fail at its end.

    Raises:
        OSError: names what cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"?")
