"""Any audio file -> a 16 kHz mono waveform, and the constants of Whisper's input."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from spt_whisper.errors import InputError

if TYPE_CHECKING:  # torch takes seconds to import, and many want the constants and durations only
    import av
    import numpy as np
    import soundfile
    import torch

SAMPLE_RATE = 16_000  # samples a second
HOP_LENGTH = 160  # samples from one log-mel frame to the next
FRAMES_PER_SECOND = SAMPLE_RATE // HOP_LENGTH  # 100: one log-mel frame each 10 ms
STATES_PER_SECOND = FRAMES_PER_SECOND // 2  # 50: the second convolution halves the frames
WINDOW_SECONDS = 30  # what Whisper was trained on: 480,000 samples, 3000 frames, 1500 states

_BLOCK_SECONDS = 60  # soundfile reads and mixes down in blocks, so that memory holds one channel
# libsndfile's length of a file whose header does not tell it (a FLAC written to a pipe)
_UNKNOWN_FRAMES = 2**62
# What PyAV may open. Playlists (hls, concat, dash) are left out on purpose: they name other files
# and addresses, and reading an audio file must never open those.
_CONTAINERS = (
    "mov,mp4,m4a,matroska,webm,ogg,mp3,aac,wav,w64,flac,aiff,caf,asf,amr,avi,flv,mpeg,mpegts,"
    "ac3,eac3,au,ape,wv,tta"
)

_Result = TypeVar("_Result")
_Decoded: TypeAlias = "tuple[np.ndarray, int]"  # (samples,) float32 mono; samples a second


class _UndecodableError(Exception):
    """This decoder cannot read the file; the next one may."""


def load_audio(
    path: str | Path, start: float | None = None, end: float | None = None
) -> torch.Tensor:
    """Reads `path`, or its part from `start` to `end` in seconds, as 16 kHz mono.

    An `end` behind the end of the file means the end of the file.

    Returns:
        Waveform, float32, shape (samples,), full scale at -1 and 1.

    Raises:
        InputError: the file is missing, empty or no audio; it has no sample in the part asked
            for; it holds samples that are not finite.
    """
    import torch

    path = _existing_file(path)
    begin = _checked_begin(path, start, end)
    samples, sample_rate = _first_of(
        path,
        lambda: _decode_soundfile(path, begin, end),
        lambda: _decode_av(path, begin, end),
    )
    if not samples.size:
        part = "" if start is None and end is None else f" behind {begin:g} s"
        raise InputError(f"{path}: no audio samples{part}; give a file (or a part) with sound")
    waveform = torch.from_numpy(samples)  # (samples,)
    if not torch.isfinite(waveform).all():
        raise InputError(f"{path}: holds NaN or infinite samples; convert or record it again")
    return _resample(path, waveform, sample_rate)


def audio_duration(path: str | Path) -> float:
    """Length of `path` in seconds: from its header where that tells it, else by decoding.

    Raises:
        InputError: the file is missing, empty or no audio.
    """
    path = _existing_file(path)
    seconds = _first_of(path, lambda: _duration_soundfile(path), lambda: _duration_av(path))
    if seconds is not None:
        return seconds
    samples, sample_rate = _first_of(
        path, lambda: _decode_soundfile(path, 0.0, None), lambda: _decode_av(path, 0.0, None)
    )
    return samples.size / sample_rate


def _existing_file(path: str | Path) -> Path:
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give an audio file")
    if not path.exists():
        raise InputError(f"{path}: no such file; give an existing audio file")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes); give an audio file")
    return path


def _checked_begin(path: Path, start: float | None, end: float | None) -> float:
    begin = 0.0 if start is None else start
    if not (math.isfinite(begin) and begin >= 0):
        raise InputError(f"{path}: start is {begin} s; give 0 or more")
    if end is not None and not (math.isfinite(end) and end > begin):
        raise InputError(f"{path}: end is {end} s; give more than its start, {begin:g} s")
    return begin


def _first_of(path: Path, *decoders: Callable[[], _Result]) -> _Result:
    """Result of the first decoder that can read `path`; libsndfile's reason says little."""
    reason = ""
    for decode in decoders:
        try:
            return decode()
        except _UndecodableError as error:
            reason = str(error)
    raise InputError(
        f"{path}: cannot be read as audio ({reason}); "
        "give wav, flac, ogg, opus, mp3, m4a, mp4 or webm"
    )


def _decode_soundfile(path: Path, begin: float, end: float | None) -> _Decoded:
    import numpy as np
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate: int = file.samplerate
            first = round(begin * rate)
            last = None if end is None else round(end * rate)
            if first:
                if first >= file.frames:
                    return np.zeros(0, dtype=np.float32), rate
                file.seek(first)
            blocks = list(_mono_blocks(file, None if last is None else last - first))
    except soundfile.LibsndfileError as error:
        raise _UndecodableError(error.error_string) from error
    return np.concatenate([*blocks, np.zeros(0, dtype=np.float32)]), rate


def _mono_blocks(file: soundfile.SoundFile, wanted: int | None) -> Iterator[np.ndarray]:
    """Blocks (samples,) from where `file` stands: `wanted` samples in all, or to its end."""
    block_frames = _BLOCK_SECONDS * file.samplerate
    while wanted is None or wanted > 0:
        frames = block_frames if wanted is None else min(block_frames, wanted)
        block = file.read(frames, dtype="float32", always_2d=True)
        if not len(block):
            return
        yield block.mean(axis=1)  # (frames, channels) -> (frames,)
        wanted = None if wanted is None else wanted - len(block)


def _duration_soundfile(path: Path) -> float | None:
    import soundfile

    try:
        header = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        raise _UndecodableError(error.error_string) from error
    return header.frames / header.samplerate if header.frames < _UNKNOWN_FRAMES else None


def _decode_av(path: Path, begin: float, end: float | None) -> _Decoded:
    import av
    import numpy as np

    blocks = [np.zeros(0, dtype=np.float32)]
    position = 0  # samples decoded so far
    try:
        with _open_av(path) as container:
            rate = container.streams.audio[0].rate
            first = round(begin * rate)
            last = math.inf if end is None else round(end * rate)
            for block in _av_blocks(container):
                kept = block[max(0, first - position) : max(0, int(min(last, 1e18)) - position)]
                blocks.append(kept)
                position += block.size
                if position >= last:
                    break
    except (av.FFmpegError, ValueError) as error:
        raise _UndecodableError(_av_reason(error)) from error
    return np.concatenate(blocks), rate


def _av_blocks(container: av.container.InputContainer) -> Iterator[np.ndarray]:
    """Blocks (samples,) of the first audio stream, float32, channels averaged."""
    import av

    stream = container.streams.audio[0]
    to_float = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
    for frame in container.decode(stream):
        for part in to_float.resample(frame):
            yield part.to_ndarray().mean(axis=0)  # (channels, samples) -> (samples,)


def _duration_av(path: Path) -> float | None:
    import av

    try:
        with _open_av(path) as container:
            stream = container.streams.audio[0]
            if stream.duration is not None and stream.time_base is not None:
                return float(stream.duration * stream.time_base)
            return None if container.duration is None else container.duration / av.time_base
    except (av.FFmpegError, ValueError) as error:
        raise _UndecodableError(_av_reason(error)) from error


def _open_av(path: Path) -> av.container.InputContainer:
    import av

    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    container = av.open(str(path.absolute()), options=options)
    if not container.streams.audio:
        container.close()
        raise _UndecodableError("it has no audio stream")
    return container


def _av_reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _resample(path: Path, waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """(samples,) at `sample_rate` -> (samples,) at 16 kHz."""
    if sample_rate == SAMPLE_RATE:
        return waveform
    try:
        from torchaudio.functional import resample
    except (ImportError, OSError) as error:  # OSError: built for another torch
        raise InputError(
            f"{path}: has {sample_rate} Hz, and torchaudio, which resamples, cannot be imported "
            f"({error}); install the torchaudio of your torch version or give {SAMPLE_RATE} Hz"
        ) from error
    return resample(waveform, sample_rate, SAMPLE_RATE)
