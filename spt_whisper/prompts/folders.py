"""A folder of tensors and settings: what it may be called, written whole or not at all, read strictly, never unpickled.

<kind>.safetensors   name -> float32 tensor
<kind>.json          {"format_version": 1, "library_version", ...}
README.md            for people and for the Hugging Face Hub
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
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
from spt_whisper.prompts.card import AUTO
from spt_whisper.prompts.safe_files import check_file

FORMAT_VERSION = 1
_TAKEN_NAMES = ("", AUTO, "null", "~")  # as --language they mean something else
_MADE = {  # folders that `fit` makes in its output, named as their flags: files by which each is known
    "prompt": ("prompt.json",),
    "bank": ("*/part.json", "*/prompt.json"),
    "model": ("spt_whisper.json",),
}
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


def composed(language: str) -> str:
    """Returns the name of a language as banks compare it: each letter and its accents in one (NFC)."""
    return unicodedata.normalize("NFC", language)


def one_on_disk(language: str) -> str:
    """Returns what is the same of two names where a disk that ignores case would have one folder for both."""
    return composed(composed(language).casefold())


def check_names(languages: Sequence[str], bank: Path, reserved: str) -> None:
    """Refuses languages that cannot each name a folder of their own.

    Args:
        languages: those of one bank.
        bank: its folder, for messages.
        reserved: the name of the folder that is no language's.

    Raises:
        InputError: names the language, or the two that would share a folder.
    """
    known: dict[str, str] = {}
    for language in languages:
        folder = one_on_disk(language)
        if Path(language).name != language or language.startswith(".") or folder == reserved:
            raise InputError(f"language {language!r}: cannot name a folder of bank {bank}")
        if folder in _TAKEN_NAMES:
            raise InputError(
                f"language {language!r}: means something else as --language; give it another name in the corpus"
            )
        if folder in known:
            raise InputError(
                f"bank {bank}: {known[folder]} and {language} are one name where a disk ignores case; rename one in the corpus"
            )
        known[folder] = language


def what_instead(folder: Path, name: str, flags: bool) -> str | None:
    """Says what to name instead of a folder that is not what it was taken for; None: it holds nothing of ours.

    Args:
        folder: what was named.
        name: how it was named.
        flags: whether a prompt was wanted, to write the others as flags (`--bank DIR`); a bank may be named without one.
    """
    dashes = "--" if flags else ""
    if (folder / "part.json").is_file():
        parent = folder.parent if folder.name not in ("", "..") else folder.resolve().parent
        return f"it is a part of bank {parent}; wanted {dashes}bank {parent} --language {_language_in(folder)}"
    if (folder / "prompt.json").is_file():
        return f"it is a prompt; wanted {dashes}prompt {name}"
    made = [kind for kind in _MADE if _is_a(kind, folder / kind)]
    if made:
        return "wanted " + " or ".join(f"{dashes}{kind} {folder / kind}" for kind in made)
    if flags and _is_a("bank", folder):
        return f"it is a bank; wanted --bank {name} --language NAME"
    return None


def _is_a(kind: str, folder: Path) -> bool:
    return any(path.is_file() for mark in _MADE[kind] for path in folder.glob(mark))


def _language_in(part: Path) -> str:
    """The language that a part is of; where it cannot be read, its folder's name."""
    try:
        settings = json.loads((part / "part.json").read_text(encoding="utf-8"))
        return str(settings["card"]["languages"][0])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return part.resolve().name


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
