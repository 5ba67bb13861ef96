"""Decoded windows back into recordings: segments with the recording's times, in order, and transcripts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from spt_whisper.engines.engine import RowResult
from spt_whisper.transcription.pieces import End
from spt_whisper.transcription.routed import PromptedPiece
from spt_whisper.transcription.segments import split_segments, with_words
from spt_whisper.transcription.transcript import Segment, Transcript
from spt_whisper.whisper.tokens import Tokens


@dataclass(frozen=True)
class Written:
    """The segments of one window."""

    recording: int
    start: float  # of the window
    segments: tuple[Segment, ...]


def written_in(own: PromptedPiece, result: RowResult, tokens: Tokens) -> Written:
    """Returns what was written in a window, with the recording's times."""
    window = own.piece.window
    segments = split_segments(result.hypothesis.tokens, tokens, window.seconds)
    if result.words:
        segments = with_words(segments, result.words)
    placed = (
        replace(
            segment.later(window.start),
            languages=result.languages,
            prompt=own.row.prompt.name if own.row.prompt else None,
            confidence=own.confidence,
        )
        for segment in segments
    )
    return Written(own.piece.recording, window.start, tuple(placed))


def in_order(written: Sequence[Written], ends: Sequence[End]) -> Iterator[Written | End]:
    """Yields windows in the order of recordings and time, each recording's end behind its windows."""
    windows = sorted(written, key=lambda own: (own.recording, own.start))
    events: list[Written | End] = [*windows, *ends]
    yield from sorted(events, key=lambda event: event.recording)  # keeps the order of a recording's


def transcript_of(end: End, segments: Sequence[Segment]) -> Transcript:
    """Returns a recording's transcript; languages and prompt are those of the most time."""
    spent: dict[tuple[tuple[str, ...], str | None], float] = {}
    for segment in segments:
        key = (segment.languages, segment.prompt)
        spent[key] = spent.get(key, 0.0) + segment.end - segment.start
    asked = end.request.prompt.name if end.request.prompt else None
    ranked = sorted(spent, key=lambda key: -spent[key]) or [((), asked)]
    languages = dict.fromkeys(itertools.chain.from_iterable(codes for codes, _ in ranked))
    return Transcript(
        end.request.name, end.duration, tuple(segments), tuple(languages), ranked[0][1]
    )
