"""Which frames of a recording are speech, from their probabilities, as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.errors import InputError

FRAME_SAMPLES = 512  # 32 ms at 16 kHz
_HYSTERESIS = 0.15  # speech that has begun ends this far under the threshold, as in silero-vad
_LOWEST = 0.01  # but no lower: the probabilities of silence are not quite 0


@dataclass(frozen=True)
class VoiceActivityOptions:
    """What counts as speech; times are rounded to frames of 32 ms."""

    threshold: float = 0.5
    """Probability from which a frame is speech; lower finds more, and more noise."""
    shortest_speech: float = 0.1
    """Seconds; what is shorter is dropped. Clicks are shorter than 0.1 s, but a "si" or "no" lasts less than the 0.25 s
    of silero-vad."""
    shortest_silence: float = 0.1
    """Seconds; a shorter silence is part of the speech around it: the closure of a stop takes up to 0.1 s."""
    padding: float = 0.2
    """Seconds added at both ends of speech: weak first and last consonants have low probabilities."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise InputError(f"threshold: found {self.threshold}, wanted between 0 and 1")
        for name in ("shortest_speech", "shortest_silence", "padding"):
            seconds = getattr(self, name)
            if not 0 <= seconds <= 10:
                raise InputError(f"{name}: found {seconds}, wanted 0 to 10 seconds")


def speech_flags(probabilities: Iterable[float], options: VoiceActivityOptions) -> Iterator[bool]:
    """Yields for each frame whether it is speech; as late as the longest of the options' times."""
    flags = _above(probabilities, options.threshold)
    flags = _without_short(flags, False, _frames(options.shortest_silence))
    flags = _without_short(flags, True, _frames(options.shortest_speech))
    return _padded(flags, _frames(options.padding))


def _frames(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE / FRAME_SAMPLES)


def _above(probabilities: Iterable[float], threshold: float) -> Iterator[bool]:
    lower = max(threshold - _HYSTERESIS, min(threshold, _LOWEST))
    speech = False
    for probability in probabilities:
        speech = probability >= (lower if speech else threshold)
        yield speech


def _without_short(flags: Iterable[bool], kind: bool, shortest: int) -> Iterator[bool]:
    """Turns runs of `kind` with fewer than `shortest` frames into the other kind; outside the recording is silence."""
    length = (
        0 if kind else shortest
    )  # of the run so far; its frames are held back until it is long enough
    for flag in flags:
        if flag is kind:
            length += 1
            if length == shortest:
                yield from repeat(kind, length)
            elif length > shortest:
                yield kind
        else:
            if length < shortest:
                yield from repeat(not kind, length)
            length = 0
            yield flag
    if length < shortest:
        yield from repeat(False, length)


def _padded(flags: Iterable[bool], padding: int) -> Iterator[bool]:
    """Makes `padding` frames before and behind each run of speech speech too."""
    held = 0  # silent frames that may yet lie just before speech
    left = 0  # silent frames that still lie just behind it
    for flag in flags:
        if flag:
            yield from repeat(True, held + 1)
            held, left = 0, padding
        elif left:
            yield True
            left -= 1
        elif held < padding:
            held += 1
        else:
            yield False
    yield from repeat(False, held)
