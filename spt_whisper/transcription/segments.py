"""Tokens with timestamps into segments, and words into the segments that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spt_whisper.transcription.transcript import Segment
from spt_whisper.whisper.tokens import TIMESTAMP_SECONDS, Tokens
from spt_whisper.whisper.words import AlignedWord


def split_segments(written: Sequence[int], tokens: Tokens, duration: float) -> tuple[Segment, ...]:
    """Splits `<|0.00|> text <|2.40|><|2.40|> text <|4.10|>` into segments.

    Args:
        written: what the decoder wrote, with or without timestamps.
        tokens: the model's tokens.
        duration: of the audio, in seconds: no segment ends later, and text without an end lasts to it.
    """
    segments: list[Segment] = []
    start, text = 0.0, list[int]()
    for token in written:
        if token < tokens.first_timestamp:
            text.append(token)
            continue
        time = min((token - tokens.first_timestamp) * TIMESTAMP_SECONDS, duration)
        if words := tokens.decode(text):
            segments.append(Segment(start, max(start, time), words))
        start, text = time, []
    if words := tokens.decode(text):
        segments.append(Segment(start, duration, words))
    return tuple(segments)


def with_words(segments: Sequence[Segment], words: Sequence[AlignedWord]) -> tuple[Segment, ...]:
    """Gives each segment its words, by the text: times of words and of segments come from different sources.

    Args:
        segments: from `split_segments`.
        words: from `align_words`, of the same tokens; no word reaches across a timestamp.
    """
    rest, filled = list(words), list[Segment]()
    for segment in segments:
        taken = 0
        while taken < len(rest) and len(_joined(rest[:taken])) < len(segment.text):
            taken += 1
        filled.append(replace(segment, words=tuple(rest[:taken])))
        rest = rest[taken:]
    return tuple(filled)


def _joined(words: Sequence[AlignedWord]) -> str:
    return "".join(word.text for word in words).strip()
