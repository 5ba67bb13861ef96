"""Decoded windows back into recordings, each as soon as its last window is decoded, and into their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from spt_whisper.engines.engine import RowResult
from spt_whisper.errors import InputError
from spt_whisper.transcription.piece_router import PromptedPiece
from spt_whisper.transcription.pieces import End, Piece
from spt_whisper.transcription.segments import split_segments, with_words
from spt_whisper.transcription.transcript import Segment, Transcript
from spt_whisper.whisper.tokens import Tokens

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Written:
    """The segments of one window."""

    number: int  # of the window: its place by recording and time among all windows of the run
    recording: int
    segments: tuple[Segment, ...]


def segments_in(own: PromptedPiece, result: RowResult, tokens: Tokens) -> tuple[Segment, ...]:
    """Returns what was written in a window, with the recording's times.

    Nothing begins before the window's speech or ends behind it, but for a segment of silence alone: Whisper has a text that
    follows silence begin with the silence.
    """
    window = own.piece.window
    segments = split_segments(result.hypothesis.tokens, tokens, window.seconds)
    if result.words:
        segments = with_words(segments, result.words)
    return tuple(
        replace(
            segment.within(*window.speech_span).later(window.start),
            languages=result.languages,
            prompt=own.row.prompt.name if own.row.prompt else None,
            confidence=own.confidence,
        )
        for segment in segments
    )


def written_in(
    found: Mapping[int, RowResult], windows: Sequence[PromptedPiece], first: int, tokens: Tokens
) -> list[Written]:
    """Returns what was written in a batch.

    Args:
        found: results by their windows' places among `windows`.
        windows: of a pool, in order of recording and time.
        first: number of the first of them.
        tokens: Whisper's.
    """
    return [
        Written(
            first + place,
            windows[place].piece.recording,
            segments_in(windows[place], result, tokens),
        )
        for place, result in found.items()
    ]


class DueEnds:
    """The ends in a pool of pieces, each due once the windows of its recording are decoded."""

    def __init__(
        self,
        pool: Sequence[Piece | End],
        windows: Sequence[PromptedPiece],
        on_end: Callable[[End], None],
    ) -> None:
        """Takes the pool, the windows that are decoded for it, and what is told the ends that are due."""
        self._tell = on_end
        self._ends = [piece for piece in pool if isinstance(piece, End)]
        self._missing = Counter(own.piece.recording for own in windows)

    def after(self, written: Sequence[Written]) -> list[End]:
        """Returns the ends that are due with these windows, each once."""
        self._missing.subtract(own.recording for own in written)
        due = [end for end in self._ends if not self._missing[end.recording]]
        self._ends = [end for end in self._ends if self._missing[end.recording]]
        for end in due:
            self._tell(end)
        return due


class Assembly:
    """Recordings that have not ended: their windows come in any order."""

    def __init__(self) -> None:
        """Holds none yet."""
        self._windows: dict[int, list[Written]] = {}

    def add(self, written: Written) -> None:
        """Takes a window."""
        self._windows.setdefault(written.recording, []).append(written)

    def finish(self, end: End) -> Transcript | InputError:
        """Returns the transcript of a recording all of whose windows are here, or why it has none."""
        windows = self._windows.pop(end.recording, [])
        windows.sort(key=lambda own: own.number)
        segments = [segment for own in windows for segment in own.segments]
        return end.error or transcript_of(end, segments)


def numbered_segments(
    events: Iterable[Written | End],
) -> Iterator[tuple[int, tuple[Segment, ...]]]:
    """Yields the segments of each window of one recording with the window's number.

    Raises:
        InputError: the recording could not be read, or not to its end.
    """
    for event in events:
        if not isinstance(event, End):
            yield event.number, event.segments
        elif event.error:
            raise event.error


def in_order(numbered: Iterable[tuple[int, _Item]]) -> Iterator[_Item]:
    """Yields items in the order of their numbers, which are 0, 1, 2 and so on, each once; holds those that come early."""
    early: dict[int, _Item] = {}
    following = 0
    for number, item in numbered:
        early[number] = item
        while following in early:
            yield early.pop(following)
            following += 1


def transcript_of(end: End, segments: Sequence[Segment]) -> Transcript:
    """Returns a recording's transcript; languages and prompt are those of the most time, each counted by itself."""
    asked = end.request.read_prompt.name if end.request.read_prompt else None
    timed = [(own, own.end - own.start) for own in segments]
    languages = _by_time((code, seconds) for own, seconds in timed for code in own.languages)
    prompts = _by_time((own.prompt, seconds) for own, seconds in timed) or [asked]
    return Transcript(end.request.name, end.duration, tuple(segments), tuple(languages), prompts[0])


def _by_time(spent: Iterable[tuple[_Item, float]]) -> list[_Item]:
    """Each item once, that of the most seconds first; where these are the same, the one that came first."""
    total: dict[_Item, float] = {}
    for item, seconds in spent:
        total[item] = total.get(item, 0.0) + seconds
    return sorted(total, key=lambda item: -total[item])
