"""How long an audio file is, from its header where that tells it."""

from __future__ import annotations

from pathlib import Path

from spt_whisper.audio.decoding import (
    CLOCKED,
    UNKNOWN_FRAMES,
    UndecodableError,
    decode_blocks,
    existing_file,
    open_av,
    open_soundfile,
    unreadable,
)

_UNTOLD = ("aac", "amr")  # no header tells a length: FFmpeg guesses it from the first packets
_SUMMED = ("mp3", "ogg")  # headers may tell the length of a part, or a guess: packets are added up
# seconds that an encoder puts in front and behind at most, which a header leaves out
_PADDING = 0.25


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
    with open_soundfile(path) as file:
        return file.frames / file.samplerate if file.frames < UNKNOWN_FRAMES else None


def _duration_av(path: Path) -> float | None:
    import av

    with open_av(path) as container:
        if container.format.name in _UNTOLD:
            return None
        stream = container.streams.audio[0]
        told = None if container.duration is None else container.duration / av.time_base
        if stream.time_base is None:
            return told
        if stream.duration is not None:
            late = stream.start_time if container.format.name in CLOCKED else None
            origin = (container.start_time or 0) / av.time_base
            begin = 0.0 if late is None else float(late * stream.time_base) - origin
            told = begin + float(stream.duration * stream.time_base)
        if container.format.name not in _SUMMED:
            return told
        summed = sum(packet.duration or 0 for packet in container.demux(stream)) * stream.time_base
        return told if told and abs(told - summed) < _PADDING else float(summed)
