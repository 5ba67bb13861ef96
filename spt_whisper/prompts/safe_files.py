"""What may lie in the folder of a prompt: plain safetensors, JSON and Markdown of bounded size; no links, no pickles.

Only safetensors and JSON are ever fetched and read; Markdown (the model cards) is only written and pushed. A folder with a
pickle is refused all the same: whoever put it there expects somebody to load it, and loading a pickle runs what it says.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from spt_whisper.errors import InputError

LARGEST = {".json": 2**20, ".md": 2**20, ".safetensors": 2**30}
"""Bytes that a file may have, by its ending: what is read is held in memory."""
_PICKLES = frozenset(
    [".bin", ".ckpt", ".dill", ".joblib", ".pckl", ".pickle", ".pkl", ".pt", ".pt2", ".pth"]
)
_PICKLE_STARTS = (b"PK\x03\x04", *(bytes([0x80, protocol]) for protocol in range(2, 6)))
"""First bytes of what `torch.save` writes and of pickles since protocol 2."""


def check_entries(folder: Path, entries: Iterable[Path]) -> None:
    """Refuses a folder with a pickle or a link among its entries.

    The links of the hub's cache are let through: there, every file is one into `blobs` of the same repository.

    Raises:
        InputError: names the entry.
    """
    for entry in entries:
        if entry.is_symlink() and not _is_cached(entry):
            raise InputError(f"{entry}: is a link; put the file itself into {folder}")
        if entry.suffix.lower() in _PICKLES or _starts_as_pickle(entry):
            _refuse_pickle(str(entry))


def check_offered(source: str, sizes: Mapping[str, int]) -> None:
    """Refuses files before they are fetched.

    Args:
        source: what offers them, for the message.
        sizes: path inside the repository -> bytes.

    Raises:
        InputError: names the pickle, or the file that is too large.
    """
    for path, size in sizes.items():
        suffix = PurePosixPath(path).suffix.lower()
        if suffix in _PICKLES:
            _refuse_pickle(f"{source}: {path}")
        if size > LARGEST.get(suffix, size):
            raise InputError(
                f"{source}: {path} has {size} bytes; wanted at most {LARGEST[suffix]}; take another"
            )


def check_file(path: Path, largest: int | None = None) -> None:
    """Refuses what is no file, or larger than so many bytes, by default those that a file of its ending may have.

    Raises:
        InputError: says which.
    """
    if not path.is_file():
        raise InputError(f"{path}: missing, or no file; restore it")
    size, largest = path.stat().st_size, largest or LARGEST[path.suffix]
    if size > largest:
        raise InputError(f"{path}: {size} bytes; wanted at most {largest}; restore the file")


def _refuse_pickle(name: str) -> None:
    raise InputError(
        f"{name}: is or may hold a pickle, which can run any code; wanted safetensors, JSON and Markdown alone: remove it"
    )


def _starts_as_pickle(entry: Path) -> bool:
    if entry.suffix in LARGEST or not entry.is_file():
        return False
    with entry.open("rb") as file:
        return file.read(4).startswith(_PICKLE_STARTS)


def _is_cached(link: Path) -> bool:
    """Whether a link leads from `snapshots` to `blobs` of one repository in the hub's cache."""
    blobs = Path(os.path.realpath(link)).parent  # unlike `resolve`, takes a ring of links too
    snapshots = blobs.parent / "snapshots"
    return blobs.name == "blobs" and link.parent.resolve().is_relative_to(snapshots)
