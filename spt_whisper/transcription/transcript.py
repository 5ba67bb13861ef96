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

    def within(self, begin: float, end: float) -> Segment:
        """Returns the segment with its times and its words' times clipped to a span.

        A segment wholly outside the span keeps its times; a word wholly outside has the nearest ones of its segment.
        """
        start, stop = _overlap(self.start, self.end, begin, end) or (self.start, self.end)
        words = []
        for word in self.words:
            first, last = _overlap(word.start, word.end, begin, end) or (
                min(max(time, start), stop) for time in (word.start, word.end)
            )
            words.append(replace(word, start=first, end=last))
        return replace(self, start=start, end=stop, words=tuple(words))

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
        """All segments in one line; scripts without spaces get none between two segments."""
        texts = [text for segment in self.segments if (text := segment.text.strip())]
        blanks = ["" if _unspaced(*pair) else " " for pair in pairwise(texts)]
        return "".join(chain.from_iterable(zip(texts, [*blanks, ""], strict=True))) if texts else ""


def _overlap(start: float, end: float, first: float, last: float) -> tuple[float, float] | None:
    cut = max(start, first), min(end, last)
    return cut if cut[0] < cut[1] else None


def _unspaced(before: str, after: str) -> bool:
    return {script_of(before[::-1]), script_of(after)} <= CHARACTERS_PER_WORD.keys()
