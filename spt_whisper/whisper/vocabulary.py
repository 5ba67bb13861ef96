"""What a Whisper may write: its tokens, how many it has, and those that it never writes."""

from __future__ import annotations

from dataclasses import dataclass

from spt_whisper.whisper.tokens import Tokens


@dataclass(frozen=True)
class Vocabulary:
    """The output side of one Whisper."""

    tokens: Tokens
    size: int  # V
    suppressed: tuple[int, ...] = ()  # the model's own list of symbols
    suppressed_first: tuple[int, ...] = ()  # not written as the first token
