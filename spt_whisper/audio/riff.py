"""Whether a WAV file has all of the sound that its header tells: libsndfile reads what is there, and says nothing."""

from __future__ import annotations

import struct
from pathlib import Path

_HEADER = 8  # bytes of a chunk's: its name and the number of bytes that follow
_UNTOLD = 0x7FFF_F000  # bytes; as much, or more, is what SoX, ALSA and FFmpeg write to a pipe, and 0 what others do


def is_cut_short(path: Path) -> bool:
    """Whether the data chunk of a RIFF file tells more bytes than the file has."""
    if not path.is_file():  # a pipe cannot be looked at twice
        return False
    there = path.stat().st_size
    with path.open("rb") as file:
        riff, _, wave = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
        if (riff, wave) != (b"RIFF", b"WAVE"):
            return False
        place = file.tell()
        while place + _HEADER <= there:
            file.seek(place)
            name, told = struct.unpack("<4sI", file.read(_HEADER))
            place += _HEADER + told
            if name == b"data":
                return told < _UNTOLD and place > there
            place += told % 2  # chunks begin at even bytes
    return False
