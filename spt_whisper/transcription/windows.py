"""A stream of audio -> windows of speech, each short enough for the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice, tee

import numpy as np
import torch
from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE, WINDOW_SECONDS
from spt_whisper.errors import InputError
from spt_whisper.transcription.silero import SpeechProbability
from spt_whisper.transcription.voice_activity import (
    FRAME_SAMPLES,
    VoiceActivityOptions,
    speech_flags,
)

LONGEST_PAUSE_SECONDS = 2.0  # within a window: in long silence Whisper repeats itself or invents
_LEVEL_RATIO = 10.0  # 20 dB; Whisper's log-mel reaches 80 dB down from a window's loudest bin, and the tail of speech needs most of it
_CUT_SHARE = 1 / 3  # a window without a pause is cut in this last part of it
_CUT_FRAMES = (
    5  # at the middle of the 160 ms that are least like speech: a stop's closure is shorter
)
_SCORED_SAMPLES = 30 * SAMPLE_RATE  # at once, so that a block of any length needs little memory


@dataclass(frozen=True)
class SpeechWindow:
    """A part of a recording that holds speech."""

    start: float
    """Seconds from the start of the recording."""
    waveform: Tensor
    """(samples,) at 16 kHz."""
    activity: np.ndarray
    """Of each of its frames how much it is like speech, and whether it is speech (1 or 0), (frames, 2)."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.waveform.shape[0] / SAMPLE_RATE

    @property
    def end(self) -> float:
        """Seconds from the start of the recording."""
        return self.start + self.seconds

    @property
    def speech_span(self) -> tuple[float, float]:
        """Where its first speech begins and its last ends, in seconds from its start."""
        frames = np.flatnonzero(self.activity[:, 1])
        begin, end = (
            int(frame) * FRAME_SAMPLES / SAMPLE_RATE for frame in (frames[0], frames[-1] + 1)
        )
        return begin, min(end, self.seconds)

    def cut_again(self, longest_seconds: float) -> Iterator[SpeechWindow]:
        """Yields the same speech in windows of at most `longest_seconds`; what is speech is not asked again."""
        samples = self.waveform.split(FRAME_SAMPLES)
        frames = (
            Frame(own, score, bool(speech))
            for own, (score, speech) in zip(samples, self.activity.tolist(), strict=True)
        )
        for window in merge_frames(frames, longest_seconds):
            yield replace(window, start=self.start + window.start)


@dataclass(frozen=True)
class Frame:
    """32 ms of a recording."""

    samples: Tensor
    """(512,), the last of a recording may have fewer."""
    score: float
    """How much it is like speech: where a window must be cut, it is cut where this is least."""
    speech: bool
    """Whether it must be in a window."""


def speech_windows(
    blocks: Iterable[Tensor], longest_seconds: float, options: VoiceActivityOptions | None
) -> Iterator[SpeechWindow]:
    """Cuts a recording into windows; memory holds a block and a window, however long it is.

    Stretches of speech, with the pauses between them, share a window as long as it stays within `longest_seconds` and
    no pause is longer than 2 s; stretches that are over 20 dB quieter than the loudest of their window are made louder. A
    stretch that does not fit is cut at the point in the window's last third that is least like speech. Each sample of speech
    is in exactly one window; audio without speech gets none. A recording that contains speech and is no longer than
    `longest_seconds` is one window as it is, silence included, so that a clip's input does not depend on voice activity.

    Args:
        blocks: the recording, 16 kHz mono, each (samples,).
        longest_seconds: the longest window.
        options: what counts as speech; None turns voice activity off: everything does, and cuts are where it is quiet.

    Raises:
        InputError: `longest_seconds` is under 1 or over Whisper's 30.
    """
    if not 1 <= longest_seconds <= WINDOW_SECONDS:
        raise InputError(
            f"longest_seconds: found {longest_seconds:g}, wanted 1 to {WINDOW_SECONDS}"
        )
    return merge_frames(_frames(blocks, options), longest_seconds)


def merge_frames(frames: Iterable[Frame], longest_seconds: float) -> Iterator[SpeechWindow]:
    """As `speech_windows`, from frames whose speech is known."""
    longest_samples = round(longest_seconds * SAMPLE_RATE)
    longest = longest_samples // FRAME_SAMPLES
    frames = iter(frames)
    head = list(islice(frames, longest + 2))  # more than fits, if there is more
    if sum(frame.samples.shape[0] for frame in head) <= longest_samples:
        if any(frame.speech for frame in head):
            yield SpeechWindow(0.0, torch.cat([frame.samples for frame in head]), _activity(head))
        return
    yield from _merge(chain(head, frames), longest)


def _merge(frames: Iterable[Frame], longest: int) -> Iterator[SpeechWindow]:
    """Windows of at most `longest` frames, which begin and end with speech."""
    longest_pause = round(LONGEST_PAUSE_SECONDS * SAMPLE_RATE / FRAME_SAMPLES)
    held: list[Frame] = []  # from the first speech that is in no window yet
    pause = 0  # silent frames at the end of `held`
    for index, frame in enumerate(frames):
        if frame.speech:
            if len(held) >= longest:
                end, rest = _cut(held)
                yield _window_of_speech(index - len(held), held[:end])
                held = held[rest:]
            held.append(frame)
            pause = 0
        elif held:
            held.append(frame)
            pause += 1
            if pause > longest_pause:
                yield _window_of_speech(index + 1 - len(held), held[:-pause])
                held, pause = [], 0
    if held:
        yield _window_of_speech(index + 1 - len(held), held[: len(held) - pause])


def _cut(frames: list[Frame]) -> tuple[int, int]:
    """Where to divide a full window: the end of what goes, and the first frame of what stays.

    The last pause stays out of both; without one, the cut is at the middle of the least speech-like 160 ms of the last
    third.
    """
    speech = np.array([frame.speech for frame in frames])
    silent = np.flatnonzero(~speech)
    if silent.size:
        rest = int(silent[-1]) + 1
        return int(np.flatnonzero(speech[:rest])[-1]) + 1, rest
    first = len(frames) - max(_CUT_FRAMES, int(len(frames) * _CUT_SHARE))
    scores = np.array([frame.score for frame in frames[first:]])
    smooth = np.convolve(scores, np.ones(_CUT_FRAMES), mode="valid")
    cut = first + int(smooth.argmin()) + _CUT_FRAMES // 2
    return cut, cut


def _window_of_speech(first: int, frames: list[Frame]) -> SpeechWindow:
    """A window in which no stretch of speech is over 20 dB quieter than the loudest: those that are get louder.

    A stretch's pause behind it gets louder too.
    """
    speech = np.flatnonzero([frame.speech for frame in frames])
    stretches = np.split(speech, np.flatnonzero(np.diff(speech) > 1) + 1)
    levels = [_level(frames, stretch) for stretch in stretches]
    ends = [int(stretch[0]) for stretch in stretches[1:]] + [len(frames)]
    parts, begin = [], 0
    for level, end in zip(levels, ends, strict=True):
        gain = max(1.0, max(levels) / (_LEVEL_RATIO * level))
        part = torch.cat([frame.samples for frame in frames[begin:end]])
        parts.append(part if gain == 1 else gain * part)
        begin = end
    start = first * FRAME_SAMPLES / SAMPLE_RATE
    return SpeechWindow(start, torch.cat(parts), _activity(frames))


def _activity(frames: list[Frame]) -> np.ndarray:
    """See `SpeechWindow`."""
    return np.array([(frame.score, frame.speech) for frame in frames])


def _level(frames: list[Frame], stretch: np.ndarray) -> float:
    """Root mean square of some of the frames; never 0."""
    power = torch.cat([frames[index].samples for index in stretch]).square().mean()
    return max(float(power.sqrt()), 1e-6)


def _frames(blocks: Iterable[Tensor], options: VoiceActivityOptions | None) -> Iterator[Frame]:
    if options is None:
        return (Frame(samples, score, True) for samples, score in _scored(blocks, _loudness))
    scored, again = tee(_scored(blocks, SpeechProbability()))
    flags = speech_flags((score for _, score in again), options)
    return (
        Frame(samples, score, speech)
        for (samples, score), speech in zip(scored, flags, strict=True)
    )


def _scored(
    blocks: Iterable[Tensor], score: Callable[[Tensor], Tensor]
) -> Iterator[tuple[Tensor, float]]:
    """Yields frames (512,) with their scores; `score` gets (frames, 512), the last one filled up with silence."""
    rest = torch.zeros(0)
    for block in chain.from_iterable(block.split(_SCORED_SAMPLES) for block in blocks):
        joined = torch.cat([rest, block])
        whole = joined.shape[0] // FRAME_SAMPLES * FRAME_SAMPLES
        frames, rest = joined[:whole].view(-1, FRAME_SAMPLES), joined[whole:].clone()
        if whole:
            yield from zip(frames, score(frames).tolist(), strict=True)
    if rest.shape[0]:
        filled = torch.nn.functional.pad(rest, (0, FRAME_SAMPLES - rest.shape[0]))
        yield rest, score(filled[None]).item()


def _loudness(frames: Tensor) -> Tensor:
    """(frames, 512) -> root mean square (frames,)."""
    return frames.square().mean(dim=1).sqrt()
