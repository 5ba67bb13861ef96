"""The fingerprint of utterances: equal on every machine where the same speech and texts lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError


def fingerprint_splits(splits: Mapping[str, Sequence[Utterance]]) -> str:
    """Returns the SHA-256 of the utterances of each split, 64 hex digits; of audio files it takes the size alone.

    Raises:
        InputError: an audio file is missing.
    """
    return digest_json({name: [_facts(u) for u in split] for name, split in splits.items()})


def fingerprint_folder(folder: Path) -> str:
    """Returns the SHA-256 of the names and sizes of all files in a folder, 64 hex digits."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return digest_json({str(path.relative_to(folder)): path.stat().st_size for path in files})


def digest_json(value: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of a JSON object, 64 hex digits, whatever the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _facts(utterance: Utterance) -> dict[str, Any]:
    facts = {name: value for name, value in vars(utterance).items() if name != "audio"}
    try:
        return {**facts, "bytes": utterance.audio.stat().st_size}
    except OSError as error:
        raise InputError(
            f"{utterance.audio} (utterance {utterance.id}): cannot be read ({error.strerror}); "
            "restore the audio file, or take its row out of the corpus"
        ) from error
