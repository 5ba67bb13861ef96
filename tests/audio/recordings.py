"""Audio files for the tests, and what is heard in them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
import soundfile
import torch

FREQUENCY = 440.0
SECONDS = 2.0


def sine(rate: int, seconds: float = SECONDS, frequency: float = FREQUENCY) -> np.ndarray:
    times = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def strongest_frequency(waveform: torch.Tensor) -> float:
    spectrum = torch.fft.rfft(waveform * torch.hann_window(len(waveform))).abs()
    return float(spectrum.argmax()) * 16_000 / len(waveform)


def write_with_av(
    path: Path,
    codec: str,
    rate: int,
    channels: int = 1,
    gaps: Sequence[tuple[float, float]] = (),
    seconds: float = SECONDS,
) -> None:
    """A sine by FFmpeg; `gaps` are (second, length): from there on the clock is so much later."""
    layout = {1: "mono", 2: "stereo"}[channels]
    samples = np.tile(sine(rate, seconds), (channels, 1))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        adapt = av.AudioResampler(stream.format, layout, rate, frame_size=stream.frame_size or 1024)
        parts = [*adapt.resample(frame), *adapt.resample(None)]
        starts = accumulate((part.samples for part in parts), initial=0)
        for part, first in zip(parts, starts, strict=False):
            late = sum(length for second, length in gaps if first / rate >= second)
            part.pts, part.time_base = first + round(late * rate), Fraction(1, rate)
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def write_sine(path: Path, rate: int) -> None:
    if path.suffix == ".m4a":
        write_with_av(path, "aac", rate)
    else:
        soundfile.write(path, sine(rate), rate)
