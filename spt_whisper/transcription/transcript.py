"""What was said in one audio file, in segments with times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, pairwise

from spt_whisper.text.scripts import CHARACTERS_PER_WORD, script_of
from spt_whisper.whisper.words import AlignedWord


@dataclass(frozen=True)
class Segment:
    """One stretch of speech."""

    start: float  # seconds from the beginning of the file
    end: float  # seconds
    text: str
    words: tuple[AlignedWord, ...] = ()  # in order; none where they were not aligned
    languages: tuple[str, ...] = ()  # Whisper's codes that were used
    prompt: str | None = None  # name of the prompt that was on; None: bare Whisper
    confidence: float | None = None  # of the choice of the prompt; None where nothing was chosen

    def later(self, seconds: float) -> Segment:
        """Returns the same segment later in time, its words too."""
        words = (
            replace(word, start=seconds + word.start, end=seconds + word.end) for word in self.words
        )
        return replace(self, start=seconds + self.start, end=seconds + self.end, words=tuple(words))


@dataclass(frozen=True)
class Transcript:
    """The transcript of one audio file."""

    audio: str  # the file, as the user named it
    duration: float  # seconds
    segments: tuple[Segment, ...]  # in the order of time
    languages: tuple[str, ...]  # Whisper's codes, that of the most time first
    prompt: str | None  # name of the prompt that was on for the most time; None: bare Whisper

    @property
    def text(self) -> str:
        """All segments in one line; no blank stands between two in scripts that have none."""
        texts = [text for segment in self.segments if (text := segment.text.strip())]
        blanks = ["" if _unspaced(*pair) else " " for pair in pairwise(texts)]
        return "".join(chain.from_iterable(zip(texts, [*blanks, ""], strict=True))) if texts else ""


def _unspaced(before: str, after: str) -> bool:
    return {script_of(before[::-1]), script_of(after)} <= CHARACTERS_PER_WORD.keys()
