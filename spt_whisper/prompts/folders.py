"""A folder of tensors and settings: written whole or not at all, read strictly, never unpickled.

<kind>.safetensors   name -> float32 tensor
<kind>.json          {"format_version": 1, "library_version", ...}
README.md            for people and for the Hugging Face Hub
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from spt_whisper.atomic import check_nothing_lost, check_own, replacing_folder
from spt_whisper.errors import InputError
from spt_whisper.prompts.safe_files import check_file

FORMAT_VERSION = 1
_LARGEST_HEADER = 2**20  # bytes; the list of some tens of tensors has some thousand


@dataclass(frozen=True)
class Versions:
    """What every settings file opens with."""

    format_version: int
    library_version: str


def write_folder(
    target: Path, kind: str, tensors: Mapping[str, Tensor], settings: dict[str, Any], readme: str
) -> Path:
    """Writes a folder under a temporary name, then puts it in place; returns it.

    Args:
        target: the folder.
        kind: stem of its files (`prompt` or `part`).
        tensors: what it holds.
        settings: JSON values; the versions are added.
        readme: Markdown.

    Raises:
        InputError: the folder holds something else, or a tensor is not finite.
    """
    check_target(target, kind)
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(
                f"{target}: tensor {name} is not finite, so nothing is written; lower the learning rate"
            )
    from spt_whisper import __version__

    versions = {"format_version": FORMAT_VERSION, "library_version": __version__}
    text = (
        json.dumps({**versions, **settings}, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    )
    with replacing_folder(target) as made:
        plain = {name: tensor.contiguous() for name, tensor in tensors.items()}
        save_file(plain, made / f"{kind}.safetensors", metadata={"format": "pt"})
        (made / f"{kind}.json").write_text(text, encoding="utf-8")
        (made / "README.md").write_text(readme, encoding="utf-8")
    return target


def check_target(folder: Path, kind: str) -> None:
    """Refuses to write where other files would be lost than those of an older folder of the same kind.

    Raises:
        InputError: names the folder.
    """
    files = (f"{kind}.json", f"{kind}.safetensors", "README.md")
    check_own(folder, files[0], kind)
    if folder.exists():
        check_nothing_lost(
            folder, kind, (path for path in folder.iterdir() if path.name not in files)
        )


def digest_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Returns the SHA-256 of named tensors as float32, 64 hex digits."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().float().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def read_tensors(path: Path, wanted: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Returns the tensors of a folder, exactly those that are wanted.

    Names, shapes and types are checked in the file's header, before any number is read.

    Raises:
        InputError: the file is damaged, or a tensor is missing, unknown, of another shape or not finite.
    """
    check_file(path)
    _check_path(path)
    try:
        _check_header(path)
        with safe_open(path, framework="pt") as file:
            declared = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  no mapping
            _check_declared(path, declared, wanted)
            # copies: without them, prompts would change with the file, or crash where it is cut
            tensors = {name: file.get_tensor(name).clone() for name in declared}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: is damaged ({error}); restore the file") from error
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{path}: tensor {name} holds NaN or infinity; train the prompt again")
    return tensors


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Puts a file's name in front of what is wrong in the block: settings there that do not go together."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _check_path(path: Path) -> None:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:  # safetensors opens no such file
        raise InputError(
            f"{path}: the path is not UTF-8; give the folder, or one above it, another name"
        ) from error


def _check_header(path: Path) -> None:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > _LARGEST_HEADER:
        raise InputError(
            f"{path}: is damaged (a header of {length} bytes, wanted at most {_LARGEST_HEADER}); restore the file"
        )


def _check_declared(
    path: Path, declared: Mapping[str, Any], wanted: Mapping[str, tuple[int, ...]]
) -> None:
    missing, unknown = sorted(set(wanted) - set(declared)), sorted(set(declared) - set(wanted))
    if missing or unknown:
        raise InputError(
            f"{path}: missing tensors {missing[:10]}, unknown tensors {unknown[:10]}; restore the file, or train again "
            "if an older version wrote it"
        )
    for name, tensor in declared.items():
        shape, kind = tuple(tensor.get_shape()), tensor.get_dtype()
        if shape != wanted[name] or kind != "F32":
            raise InputError(
                f"{path}: tensor {name} is {shape} {kind}, wanted {wanted[name]} F32; restore the file"
            )
