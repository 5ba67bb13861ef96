"""Short tones and files of text, for corpora in their true layout."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile

from spt_whisper.errors import InputError

SAMPLES = 1600  # 0.1 s


def tone(kind: str = "WAV") -> bytes:
    """An audio file of 0.1 s at 16 kHz."""
    file = io.BytesIO()
    soundfile.write(file, 0.1 * np.sin(np.arange(SAMPLES) * 0.1), 16_000, format=kind)
    return file.getvalue()


def write_tone(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tone(path.suffix[1:].upper()))
    return path


def write_lines(path: Path, *lines: str, end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())
    return path


def is_one_line(error: InputError) -> bool:
    return "\n" not in str(error)
