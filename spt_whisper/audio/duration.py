"""How long an audio file is, from its header where that tells it."""

from __future__ import annotations

import os
from pathlib import Path

from spt_whisper.audio.decoding import (
    UNKNOWN_FRAMES,
    UndecodableError,
    decode_blocks,
    existing_file,
    open_av,
    unreadable,
)


def audio_duration(path: str | Path) -> float:
    """Length of `path` in seconds: from its header where that tells it, else by decoding.

    Raises:
        InputError: the file is missing, empty or no audio.
    """
    path = existing_file(path)
    try:
        seconds = _duration_soundfile(path)
    except UndecodableError:  # libsndfile's reason says little
        try:
            seconds = _duration_av(path)
        except UndecodableError as error:
            raise unreadable(path, error) from error
    if seconds is not None:
        return seconds
    return sum(block.samples.size / block.rate for block in decode_blocks(path, 0.0, None))


def _duration_soundfile(path: Path) -> float | None:
    import soundfile

    try:
        header = soundfile.info(os.fsencode(path))
    except soundfile.LibsndfileError as error:
        raise UndecodableError(error.error_string) from error
    return header.frames / header.samplerate if header.frames < UNKNOWN_FRAMES else None


def _duration_av(path: Path) -> float | None:
    import av

    with open_av(path) as container:
        stream = container.streams.audio[0]
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return None if container.duration is None else container.duration / av.time_base
