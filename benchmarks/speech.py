"""Speech to measure with: clips of a corpus as they are, and joined to one long recording."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from spt_whisper.audio import SAMPLE_RATE, WINDOW_SECONDS, load_audio
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.errors import InputError

PAUSE_SECONDS = 0.5  # silence between joined clips


@dataclass(frozen=True)
class Clip:
    """One recording and what is said in it."""

    waveform: np.ndarray  # (samples,), float32, 16 kHz
    text: str

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.waveform) / SAMPLE_RATE


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say which speech."""
    parser.add_argument("--data", required=True, metavar="DIR", help="folder with test.jsonl")
    parser.add_argument("--split", default="test", help="of the corpus (%(default)s)")
    parser.add_argument("--language", default="en", help="Whisper code of the speech (%(default)s)")
    parser.add_argument("--corpus-language", help="the corpus's own code, where it is another")


def read_clips(settings: argparse.Namespace, count: int | None = None) -> list[Clip]:
    """Returns the first clips of one language, each of up to 30 s.

    Raises:
        InputError: the corpus cannot be read, or has none.
    """
    wanted = settings.corpus_language or settings.language
    config = CorpusConfig(root=settings.data, test=settings.split, max_seconds=WINDOW_SECONDS)
    found = [item for item in read_split(config, "test") if item.languages == (wanted,)]
    if not found:
        raise InputError(
            f"{settings.data}: no clip in {wanted!r}; give --language, or --corpus-language where the corpus has "
            "a code of its own"
        )
    return [
        Clip(load_audio(item.audio, item.start, item.end).numpy(), item.text)
        for item in found[:count]
    ]


def looped(clips: list[Clip], seconds: float) -> Iterator[Clip]:
    """Yields clips, again from the first where they do not suffice, each with a pause, until so much time is full."""
    pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), dtype=np.float32)
    length = 0.0
    for clip in cycle(clips):
        if length >= seconds:
            return
        spoken = Clip(np.concatenate([clip.waveform, pause]), clip.text)
        length += spoken.seconds
        yield spoken


def joined(clips: list[Clip], seconds: float) -> Clip:
    """Returns one recording of at least so many seconds."""
    parts = list(looped(clips, seconds))
    return Clip(
        np.concatenate([part.waveform for part in parts]), " ".join(part.text for part in parts)
    )
