"""An audio file of any container -> mono blocks at the file's own rate, by libsndfile or FFmpeg."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, groupby
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.audio.riff import is_cut_short
from spt_whisper.errors import InputError

if TYPE_CHECKING:  # both take time to import, and many want the constants only
    import av
    import numpy as np
    import soundfile

_BLOCK_FRAMES = 65_536  # read from libsndfile at once: 2 MiB for 8 channels
# libsndfile's length of a file whose header does not tell it (a FLAC written to a pipe)
UNKNOWN_FRAMES = 2**62
_OGG_PAGE = b"OggS"
_OGG_HEADER = 27  # bytes; the last of them is the number of segments
# Containers whose packets have times of their own; elsewhere FFmpeg counts what went before.
CLOCKED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts", "asf", "flv")
# Seconds that a clock may be ahead of the sound: less is rounding, or what an encoder puts in front; more is a broken clock.
_GAP_SECONDS = (0.1, 600.0)
_RUN_UP = (
    5.0  # seconds that are decoded before a cut: a codec's first frames lean on those before them
)
_HALF = Fraction(1, 2)
_BEGINS = 2  # flag of the first page of a stream
# What PyAV may open. Playlists (hls, concat, dash) are left out on purpose: they name other files
# and addresses, and reading an audio file must never open those.
_CONTAINERS = (
    "mov,mp4,m4a,matroska,webm,ogg,mp3,aac,wav,w64,flac,aiff,caf,asf,amr,avi,flv,mpeg,mpegts,"
    "ac3,eac3,au,ape,wv,tta"
)

logger = logging.getLogger(__name__)


class UndecodableError(Exception):
    """This decoder cannot read the file, or not all of it; the next one may."""


@dataclass(frozen=True)
class DecodedBlock:
    """Audio as it stands in the file, but for its channels, which are averaged."""

    samples: np.ndarray
    """(samples,) float32, full scale at -1 and 1."""
    rate: int
    """Samples a second."""


def decode_blocks(path: Path, begin: float, end: float | None) -> Iterator[DecodedBlock]:
    """Yields `path` from `begin` to `end` (None: its end), in seconds; nothing where it has no samples there.

    Where libsndfile gives up, FFmpeg goes on. Of a file that is damaged or cut short, what can be read is read, and a
    warning says so.

    Raises:
        InputError: neither decoder can read anything of it.
    """
    reached, reason, damaged = begin, "", False
    for decode in (_soundfile_blocks, _av_blocks):
        try:
            for block in decode(path, reached, end):
                yield block
                reached += block.samples.size / block.rate
            break
        except UndecodableError as error:
            reason, damaged = str(error), reached > begin
    else:
        if not damaged:
            raise unreadable(path, reason)
    if damaged:
        logger.warning(
            "%s: damaged or cut short (%s); what can be read, up to %.1f s, is used",
            path, reason, reached,
        )  # fmt: skip


def existing_file(path: str | Path) -> Path:
    """`path`, if something that is not empty stands there.

    Raises:
        InputError: it is missing, empty or a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give an audio file")
    if not path.exists():
        raise InputError(f"{path}: no such file; give an existing audio file")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes); give an audio file")
    return path


def unreadable(path: Path, reason: object) -> InputError:
    """The error for a file that no decoder can read."""
    return InputError(
        f"{path}: cannot be read as audio ({reason}); "
        "give wav, flac, ogg, opus, mp3, m4a, mp4 or webm"
    )


@contextmanager
def open_av(path: Path) -> Iterator[av.container.InputContainer]:
    """Opens `path` by FFmpeg, as a file with sound.

    Raises:
        UndecodableError: FFmpeg cannot open it or, in the block, read it; it has no audio stream, or none that FFmpeg
            can decode.
    """
    import av

    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(str(path.absolute()), options=options) as container:
            if not container.streams.audio:
                raise UndecodableError("it has no audio stream")
            if container.streams.audio[0].codec_context is None:
                raise UndecodableError("FFmpeg has no decoder for its sound")
            yield container
    except (av.FFmpegError, ValueError, IndexError) as error:  # PyAV's own, of damaged files
        raise UndecodableError(_reason(error)) from error


@contextmanager
def open_soundfile(path: Path, end: float | None = None) -> Iterator[soundfile.SoundFile]:
    """Opens `path` by libsndfile, where that has all of it up to `end` (None: its end), in seconds.

    Raises:
        UndecodableError: libsndfile cannot open it or, in the block, read it; or it might take a part for the whole: an MP3,
            whose length it guesses, a chain of Ogg streams, a header that was never completed.
    """
    import soundfile

    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:  # names need not be UTF-8
            inside = end is not None and end * file.samplerate <= file.frames
            guessed = file.format == "MP3" and not inside
            if guessed or not file.frames or _is_chain(path):
                raise UndecodableError("its header does not say how long it is")
            yield file
    except soundfile.LibsndfileError as error:
        raise UndecodableError(error.error_string) from error
    except TypeError as error:  # samples without a header, by its name: soundfile wants their rate
        raise UndecodableError("it has no header") from error


def _is_chain(path: Path) -> bool:
    """Whether an Ogg file has streams behind each other, as of a radio: one that begins where another was under way."""
    if path.stat().st_size < len(_OGG_PAGE) or not path.is_file():
        return False
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as pages:
        place, begun = 0, False
        while place + _OGG_HEADER <= len(pages) and pages[place : place + 4] == _OGG_PAGE:
            begins = bool(pages[place + 5] & _BEGINS)
            if begins and begun:
                return True
            begun = begun or not begins
            segments = pages[place + _OGG_HEADER - 1]
            sizes = pages[place + _OGG_HEADER : place + _OGG_HEADER + segments]
            place += _OGG_HEADER + segments + sum(sizes)
    return False


def _soundfile_blocks(path: Path, begin: float, end: float | None) -> Iterator[DecodedBlock]:
    with open_soundfile(path, end) as file:
        rate: int = file.samplerate
        position = round(begin * rate)
        last = file.frames if end is None else min(file.frames, round(end * rate))
        if position >= file.frames:
            return
        if position:
            file.seek(position)
        while position < last:
            wanted = min(_BLOCK_FRAMES, last - position)
            frames = file.read(wanted, dtype="float32", always_2d=True)
            if not len(frames):
                break
            yield DecodedBlock(frames.mean(axis=1), rate)  # (frames, channels) -> (frames,)
            position += len(frames)
    if position < last < UNKNOWN_FRAMES:
        raise UndecodableError(
            f"its header says {last / rate:.1f} s, it has {position / rate:.1f} s"
        )
    if (end is None or end * rate > last) and is_cut_short(path):
        raise UndecodableError("its header says more than it has")


def _av_blocks(path: Path, begin: float, end: float | None) -> Iterator[DecodedBlock]:
    with open_av(path) as container:
        first, frames = _av_frames_from(container, begin)
        blocks = _av_decoded(container, first, frames)
        yield from blocks if end is None and not begin else _part(blocks, first, begin, end)


def _av_frames_from(
    container: av.container.InputContainer, begin: float
) -> tuple[Fraction, Iterator[av.AudioFrame]]:
    """The frames from some time before `begin` on, and the second at which they begin, silence in front included."""
    import av

    frames = _av_frames(container)
    if container.format.name != CLOCKED[0] or begin <= 2 * _RUN_UP:
        return Fraction(0), frames
    origin = container.start_time or 0
    container.seek(origin + int((begin - _RUN_UP) * av.time_base))
    for frame in frames:
        if frame.pts is not None and frame.time_base is not None:
            at = frame.pts * frame.time_base - Fraction(origin, av.time_base)
            # sound that begins behind the cut has silence in front from 0 on, as in the whole
            return at if at <= begin else Fraction(0), chain([frame], frames)
    return Fraction(0), frames  # there is nothing


def _part(
    blocks: Iterable[DecodedBlock], position: Fraction, begin: float, end: float | None
) -> Iterator[DecodedBlock]:
    """Yields what lies between two seconds of blocks that begin at `position`."""
    for block in blocks:
        first = _index(Fraction(begin) - position, block.rate)
        last = None if end is None else _index(Fraction(end) - position, block.rate)
        kept = block.samples[first:last]
        position += Fraction(block.samples.size, block.rate)
        if kept.size:
            yield DecodedBlock(kept, block.rate)
        if end is not None and position >= end:
            return


def _index(seconds: Fraction, rate: int) -> int:
    """The sample nearest to a time, halves upwards wherever a block begins; 0 for times before it."""
    return max(0, math.floor(seconds * rate + _HALF))


def _av_decoded(
    container: av.container.InputContainer, first: Fraction, frames: Iterator[av.AudioFrame]
) -> Iterator[DecodedBlock]:
    """Yields frames, the first of which begins at second `first`, as blocks, channels averaged.

    The format may change on the way, as in files that were put behind each other. Where the clock of a container that tells its
    length runs ahead of the sound (which begins late, or pauses), there is silence.
    """
    import av
    import numpy as np

    clocked = container.format.name in CLOCKED
    length = (container.duration or 0) / av.time_base if clocked else 0.0
    origin = (container.start_time or 0) / av.time_base
    shortest, longest = _GAP_SECONDS
    position = float(first)
    for (_, _, rate), run in groupby(
        frames, lambda f: (f.format.name, f.layout.name, f.sample_rate)
    ):
        to_float = av.AudioResampler(format="fltp")
        for frame in run:
            gap = 0.0 if frame.time is None else frame.time - origin - position
            if shortest < gap <= longest and position + gap <= length:
                missing = round(gap * rate)
                for done in range(0, missing, _BLOCK_FRAMES):
                    silence = np.zeros(min(_BLOCK_FRAMES, missing - done), np.float32)
                    yield DecodedBlock(silence, rate)
                position += gap
            for part in to_float.resample(frame):
                samples = part.to_ndarray().mean(axis=0)  # (channels, samples) -> (samples,)
                position += samples.size / rate
                yield DecodedBlock(samples, rate)


def _av_frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """Yields the frames of the first audio stream; damaged packets are skipped and told at the end."""
    import av

    failure = ""
    for packet in container.demux(container.streams.audio[0]):
        try:
            yield from packet.decode()
        except av.InvalidDataError as error:
            failure = failure or _reason(error)
    if failure:
        raise UndecodableError(failure)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
