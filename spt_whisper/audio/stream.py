"""An audio file of any length -> 16 kHz mono, in blocks or whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.audio.constants import SAMPLE_RATE
from spt_whisper.audio.decoding import DecodedBlock, decode_blocks, existing_file
from spt_whisper.errors import InputError

if TYPE_CHECKING:  # torch takes seconds to import, and many want the constants and durations only
    import numpy as np
    import torch

# Samples a second; a header with others is damaged, or would have a short block resampled to hours.
_LOWEST_RATE, _HIGHEST_RATE = 1_000, 1_000_000


def load_audio(
    path: str | Path, start: float | None = None, end: float | None = None
) -> torch.Tensor:
    """Reads `path`, or its part from `start` to `end` in seconds, as 16 kHz mono.

    An `end` after the end of the file means the end of the file.

    Returns:
        Waveform, float32, shape (samples,), full scale at -1 and 1.

    Raises:
        InputError: the file is missing, empty or no audio; it has no sample in the part asked
            for; it holds samples that are not finite.
    """
    import torch

    return torch.cat(list(stream_audio(path, start=start, end=end)))


def stream_audio(
    path: str | Path,
    block_seconds: float = 30.0,
    start: float | None = None,
    end: float | None = None,
) -> Iterator[torch.Tensor]:
    """Reads `path` as `load_audio` does, in blocks: joined, they are the same waveform to the bit.

    Memory holds one block, however long the file. Of a file that is damaged or cut short, what can be read is read,
    and a warning says so.

    Yields:
        Waveforms, float32, shape (block_seconds * 16,000,); the last may be shorter.

    Raises:
        InputError: as `load_audio`, when the first block is asked for; for samples that are not finite, when their block
            is.
    """
    import torch

    path = existing_file(path)
    begin = _checked_begin(path, start, end)
    parts = _resampled(_checked(path, decode_blocks(path, begin, end)))
    block = None
    for block in _regrouped(parts, round(block_seconds * SAMPLE_RATE)):
        yield torch.from_numpy(block)
    if block is None:
        part = "" if start is None and end is None else f" after {begin:g} s"
        raise InputError(f"{path}: no audio samples{part}; give a file (or a part) with sound")


def _checked_begin(path: Path, start: float | None, end: float | None) -> float:
    begin = 0.0 if start is None else start
    if not (math.isfinite(begin) and begin >= 0):
        raise InputError(f"{path}: start is {begin} s; give 0 or more")
    if end is not None and not (math.isfinite(end) and end > begin):
        raise InputError(f"{path}: end is {end} s; give more than its start, {begin:g} s")
    return begin


def _checked(path: Path, blocks: Iterable[DecodedBlock]) -> Iterator[DecodedBlock]:
    import numpy as np

    for block in blocks:
        if not _LOWEST_RATE <= block.rate <= _HIGHEST_RATE:
            raise InputError(
                f"{path}: has {block.rate} Hz, wanted {_LOWEST_RATE} to {_HIGHEST_RATE}; fix its header"
            )
        if not np.isfinite(block.samples).all():
            raise InputError(f"{path}: holds NaN or infinite samples; convert or record it again")
        yield block


def _resampled(blocks: Iterable[DecodedBlock]) -> Iterator[np.ndarray]:
    """Yields (samples,) at 16 kHz, by FFmpeg's resampler (openai-whisper's too), which keeps its state over blocks."""
    import av

    for rate, blocks_of_rate in groupby(blocks, key=lambda block: block.rate):
        if rate == SAMPLE_RATE:
            yield from (block.samples for block in blocks_of_rate)
            continue
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        for block in blocks_of_rate:
            frame = av.AudioFrame.from_ndarray(block.samples[None], format="flt", layout="mono")
            frame.sample_rate = rate
            yield from (part.to_ndarray()[0] for part in resampler.resample(frame))
        yield from (part.to_ndarray()[0] for part in resampler.resample(None))


def _regrouped(parts: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yields the samples of `parts` in blocks (size,); the last may be shorter."""
    import numpy as np

    block, filled = np.empty(size, np.float32), 0
    for part in parts:
        taken = 0
        while taken < part.size:
            piece = part[taken : taken + size - filled]
            block[filled : filled + piece.size] = piece
            filled, taken = filled + piece.size, taken + piece.size
            if filled == size:
                yield block
                block, filled = np.empty(size, np.float32), 0
    if filled:
        yield block[:filled]
