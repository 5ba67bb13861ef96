"""Bearer keys: from a file or the environment, never from the command line, which every user of the machine can read."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path

from spt_whisper.errors import InputError

ENVIRONMENT = "SPT_WHISPER_API_KEYS"
_SHORTEST = 16  # characters


@dataclass(frozen=True)
class Keys:
    """Which keys open the service; none at all: no key is asked for."""

    digests: tuple[bytes, ...]  # SHA-256, all of one length, so that comparing them tells nothing

    def open_with(self, authorization: str | None) -> bool:
        """Whether a header `Bearer KEY` holds one of the keys; each is compared, in constant time."""
        if not self.digests:
            return True
        scheme, _, key = (authorization or "").partition(" ")
        given = _digest(key.strip())
        same = [hmac.compare_digest(given, own) for own in self.digests]
        return any(same) and scheme.lower() == "bearer"


def read_keys(file: str | None) -> Keys:
    """Reads keys, one a line: from a file where one is named, else from the environment.

    Raises:
        InputError: the file holds none, or a key is so short that it could be guessed.
    """
    text = Path(file).read_text(encoding="utf-8") if file else os.environ.get(ENVIRONMENT, "")
    place = file or ENVIRONMENT
    keys = text.split()
    if file and not keys:
        raise InputError(f"keys_file {file}: holds no key; write one a line, or leave the flag out")
    for number, key in enumerate(keys, start=1):
        if len(key) < _SHORTEST:
            raise InputError(
                f"{place}: key {number} has {len(key)} characters, wanted {_SHORTEST} or more; "
                "make one with `openssl rand -hex 32`"
            )
    return Keys(tuple(_digest(key) for key in keys))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
