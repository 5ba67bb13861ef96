"""Where a row must stop though the model would go on: loops and budgets."""

from __future__ import annotations

from collections.abc import Sequence

from spt_whisper.text.hallucination import CYCLE_REPEATS, LONGEST_CYCLE
from spt_whisper.whisper.decoding.hypothesis import StopReason


def is_looping(tokens: Sequence[int]) -> bool:
    """Returns whether the last tokens are a cycle of length 1 to 8, repeated six times."""
    for cycle in range(1, LONGEST_CYCLE + 1):
        span = cycle * CYCLE_REPEATS
        if len(tokens) < span:
            return False
        tail = tokens[-span:]
        if all(tail[index] == tail[index - cycle] for index in range(cycle, span)):
            return True
    return False


def stop_reason(tokens: Sequence[int], budget: int) -> StopReason | None:
    """Returns why a row that has written tokens and not ended must stop: `loop`, `budget`, or None where it may go on."""
    if is_looping(tokens):
        return "loop"
    return "budget" if len(tokens) >= budget else None
