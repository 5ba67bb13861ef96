"""Evidence that what was in a bank stays as it was: hashes of its files, of transcripts with it, and of Whisper's weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from spt_whisper.engines.engine import Row
from spt_whisper.engines.torch import TorchEngine
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.hub import FILES
from spt_whisper.whisper.fingerprint import fingerprint_weights
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import single_pass


@dataclass(frozen=True)
class Evidence:
    """What must be the same before and after: hashes over what older prompts are read from, transcripts and Whisper's weights."""

    files: str
    transcripts: str
    weights: str


def older_files(bank: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file that a member of the bank is read from, by its path there; not of notes or cards."""
    paths = (path for name in FILES for path in bank.glob(f"*/{name}"))
    members = (path for path in paths if path.is_file() and not path.parent.name.startswith("."))
    return {
        path.relative_to(bank).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(members)
    }


def evidence_of(
    bank: Bank,
    older: Mapping[str, str],
    whisper: FrozenWhisper,
    probes: Sequence[Tensor],
    window_seconds: float,
    languages: Sequence[str],
) -> Evidence:
    """Returns hashes of the older files and of what the older prompts, and bare Whisper, write of the probes.

    Args:
        bank: as it is now.
        older: `older_files` at the start.
        whisper: the model.
        probes: waveforms, (samples,).
        window_seconds: the window in which they are decoded.
        languages: those that the bank had at the start.
    """
    engine, texts = TorchEngine(whisper), []
    for language in [None, *languages]:
        prompt = bank.prompt(language) if language else None
        rows = [Row(waveform, prompt) for waveform in probes]
        results = engine.decode_batch(rows, window_seconds, single_pass()) if rows else []
        texts.append([language, *(result.hypothesis.text for result in results)])
    now = older_files(bank.folder)
    files = [[name, now.get(name)] for name in older]
    return Evidence(_digest(files), _digest(texts), fingerprint_weights(whisper.model))


def check_same(before: Evidence, after: Evidence, folder: Path) -> None:
    """Refuses an addition by which something older has changed.

    Args:
        before: of the bank without the new language.
        after: of the bank with it.
        folder: the new language's, for the message.

    Raises:
        RuntimeError: names what has changed.
    """
    changed = [name for name, digest in vars(before).items() if digest != getattr(after, name)]
    if changed:
        raise RuntimeError(
            f"bank {folder.parent}: older {' and '.join(changed)} changed; {folder} is taken out"
        )


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()
