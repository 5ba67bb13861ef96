"""Tokens with timestamps into segments."""

from __future__ import annotations

from collections.abc import Sequence

from spt_whisper.transcription.transcript import Segment
from spt_whisper.whisper.tokens import TIMESTAMP_SECONDS, Tokens


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
        segments.append(Segment(start, max(start, duration), words))
    return tuple(segments)
