"""A model's fingerprint: SHA-256 over names and float16 values of its weights, remembered for files on disk."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from spt_whisper.atomic import write_text
from spt_whisper.cache import files_key

TIED = "proj_out.weight"  # the embedding, under another name
_HEX = re.compile(r"[0-9a-f]{64}")


def fingerprint_weights(model: nn.Module) -> str:
    """Returns the fingerprint of a Whisper of transformers: equal for float32 and float16 files of one model."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if name != TIED:
            digest.update(name.encode())
            digest.update(tensor.detach().to("cpu", torch.float16).contiguous().numpy().tobytes())
    return digest.hexdigest()


def remembered(files: Sequence[Path], memory: Path, compute: Callable[[], str]) -> str:
    """Returns the fingerprint noted for files of this path, size and time of change, else computes and notes it.

    Args:
        files: the weight files; without any, nothing is noted.
        memory: folder of the notes.
        compute: gives the fingerprint.
    """
    if not files:
        return compute()
    note = memory / files_key(files)
    if note.is_file() and _HEX.fullmatch(text := note.read_text(encoding="utf-8")):
        return text
    fingerprint = compute()
    try:
        write_text(note, fingerprint)
    except OSError:  # a cache that cannot be written: it is computed again next time
        return fingerprint
    return fingerprint
