"""A folder of tensors and settings: written whole or not at all, read strictly, never unpickled.

<kind>.safetensors   name -> float32 tensor
<kind>.json          {"format_version": 1, "library_version", ...}
README.md            for people and for the Hugging Face Hub
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from spt_whisper.atomic import replacing_folder
from spt_whisper.errors import InputError

FORMAT_VERSION = 1
_LARGEST_SETTINGS = 16 * 2**20  # bytes
_LARGEST_TENSORS = 2**30


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
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: is a file; name a folder")
    if target.exists() and any(target.iterdir()) and not (target / f"{kind}.json").exists():
        raise InputError(f"{target}: holds files that are not a {kind}; name another folder")
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


def digest_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Returns the SHA-256 of named tensors as float32, 64 hex digits."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().float().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def read_settings(path: Path) -> dict[str, Any]:
    """Returns the settings of a folder.

    Raises:
        InputError: the file is too large, no JSON, or of another format version.
    """
    if path.stat().st_size > _LARGEST_SETTINGS:
        raise InputError(f"{path}: {path.stat().st_size} bytes; wanted at most {_LARGEST_SETTINGS}")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not JSON ({error}); restore the file") from error
    version = settings.get("format_version") if isinstance(settings, dict) else None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path}: format version {version!r}, this program reads {FORMAT_VERSION}; install the version that wrote it"
        )
    return settings


def read_tensors(path: Path, wanted: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Returns the tensors of a folder, exactly those that are wanted.

    Raises:
        InputError: the file is damaged, or a tensor is missing, unknown, of another shape or not finite.
    """
    if not path.is_file() or path.stat().st_size > _LARGEST_TENSORS:
        raise InputError(
            f"{path}: missing or larger than {_LARGEST_TENSORS} bytes; restore the file"
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: is damaged ({error}); restore the file") from error
    if set(tensors) != set(wanted):
        raise InputError(
            f"{path}: missing tensors {sorted(set(wanted) - set(tensors))}, unknown tensors {sorted(set(tensors) - set(wanted))}"
        )
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != wanted[name] or tensor.dtype != torch.float32:
            raise InputError(
                f"{path}: tensor {name} is {tuple(tensor.shape)} {tensor.dtype}, wanted {wanted[name]} float32"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{path}: tensor {name} holds NaN or infinity; train the prompt again")
    return tensors
