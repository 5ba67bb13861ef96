"""The cache on disk: where it is, and folders in it that are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from spt_whisper.errors import InputError


def cache_folder() -> Path:
    """Returns where fetched and unpacked files are kept: `$SPT_WHISPER_CACHE`, else `~/.cache/spt-whisper`."""
    return Path(os.environ.get("SPT_WHISPER_CACHE") or Path.home() / ".cache" / "spt-whisper")


def cached_folder(name: str, fill: Callable[[Path], None]) -> Path:
    """Returns the folder `name` of the cache; where it is not there yet, `fill` makes it.

    Args:
        name: path below the cache folder.
        fill: writes the files into the empty folder that it is given. That folder gets its name
            when `fill` is done, so a killed process leaves nothing that passes for whole.

    Raises:
        InputError: the folder cannot be written.
    """
    target = cache_folder() / name
    if target.is_dir():
        return target
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.mkdir(parents=True)
        fill(temporary)
        _rename(temporary, target)
    except OSError as error:
        raise InputError(
            f"{target}: cannot be made ({error}); free the disk or set SPT_WHISPER_CACHE"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def files_key(files: Iterable[Path]) -> str:
    """Returns 64 hex digits that change with the path, size or time of change of any file."""
    states = [(path.resolve(), path.stat()) for path in sorted(files)]
    identity = repr([(str(path), state.st_size, state.st_mtime_ns) for path, state in states])
    return hashlib.sha256(identity.encode()).hexdigest()


def _rename(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError:
        if not target.is_dir():  # where it is, another process was faster and made the same
            raise
