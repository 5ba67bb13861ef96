"""Any audio file -> a 16 kHz mono waveform, and the constants of Whisper's input."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.errors import InputError

if TYPE_CHECKING:  # torch takes seconds to import, and readers want the constants and durations only
    import numpy as np
    import torch

SAMPLE_RATE = 16_000  # samples a second
HOP_LENGTH = 160  # samples from one log-mel frame to the next
FRAMES_PER_SECOND = SAMPLE_RATE // HOP_LENGTH  # 100 log-mel frames, one each 10 ms
STATES_PER_SECOND = FRAMES_PER_SECOND // 2  # 50 encoder states: the second convolution halves
WINDOW_SECONDS = 30  # the window Whisper was trained on: 480,000 samples, 3000 frames, 1500 states

BLOCK_SECONDS = 60  # soundfile reads and mixes down block by block, to hold one channel in memory
# libsndfile's length of a file whose header does not tell (a FLAC that was written to a pipe)
UNKNOWN_FRAMES = 2**62
# What PyAV may open. Playlists and scripts (hls, concat, dash) are not among them: they name
# other files and addresses, which reading an audio file must never open.
CONTAINERS = (
    "mov,mp4,m4a,matroska,webm,ogg,mp3,aac,wav,w64,flac,aiff,caf,asf,amr,amrnb,amrwb,avi,flv,"
    "mpeg,mpegts,ac3,eac3,au,ape,wv,tta,dsf"
)


@dataclass(frozen=True)
class _Decoded:
    samples: np.ndarray  # (samples,) float32, channels averaged
    sample_rate: int


class _UndecodableError(Exception):
    """One decoder cannot read the file; the next one may."""


def load_audio(
    path: str | Path, start: float | None = None, end: float | None = None
) -> torch.Tensor:
    """Reads `path`, or the part from `start` to `end` in seconds, as 16 kHz mono.

    An `end` behind the end of the file means the end of the file.

    Returns:
        Waveform, float32, shape (samples,), full scale at -1 and 1.

    Raises:
        InputError: the file is missing, empty, no audio, without samples in the part asked for,
            or holds NaN or infinite samples.
    """
    path = _existing_file(path)
    _check_part(path, start, end)
    decoded = _first_decoder(path, lambda decode: decode(path, start or 0.0, end))
    if not decoded.samples.size:
        part = "" if start is None and end is None else f" from {start or 0:g} s to {end or 'its end'}"
        raise InputError(f"{path}: the audio{part} has no samples; give a file or a part with sound")
    return _resample(path, _checked_tensor(path, decoded), decoded.sample_rate)


def audio_duration(path: str | Path) -> float:
    """Length of `path` in seconds, from its header where that tells, else by decoding.

    Raises:
        InputError: the file is missing, empty or no audio.
    """
    path = _existing_file(path)
    try:
        seconds = _soundfile_duration(path)
    except _UndecodableError:
        seconds = _first_decoder(path, lambda decode: _av_duration(path), only_last=True)
    if seconds is None:
        decoded = _first_decoder(path, lambda decode: decode(path, 0.0, None))
        seconds = decoded.samples.size / decoded.sample_rate
    return seconds
