"""Windows: how many seconds of audio the encoder takes at once, and which of several a stretch of audio gets."""

from __future__ import annotations

from collections.abc import Sequence

from spt_whisper.audio.constants import STATES_PER_SECOND, WINDOW_SECONDS
from spt_whisper.errors import InputError


def check_windows(windows: Sequence[float], name: str = "window_seconds") -> None:
    """Checks windows of seconds.

    Args:
        windows: the windows.
        name: the setting they come from, for messages.

    Raises:
        InputError: there is none, one is not a window of the encoder, or they do not ascend.
    """
    if not all(type(window) in (int, float) for window in windows):
        raise InputError(f"{name}: found {list(windows)}, wanted numbers")
    found = ", ".join(f"{window:g}" for window in windows) or "none"
    if not windows or not all(0 < window <= WINDOW_SECONDS for window in windows):
        raise InputError(f"{name}: found {found}, wanted more than 0 and at most {WINDOW_SECONDS}")
    if any(abs(w * STATES_PER_SECOND - round(w * STATES_PER_SECOND)) > 1e-6 for w in windows):
        raise InputError(f"{name}: found {found}, wanted a multiple of {1 / STATES_PER_SECOND:g}")
    if any(left >= right for left, right in zip(windows, windows[1:], strict=False)):
        raise InputError(f"{name}: found {found}, wanted the shortest first, each once")


def audio_states(seconds: float, window_states: int) -> int:
    """Returns how many of a window's encoder states hold the audio, at least one; those after them hold silence."""
    return min(max(1, round(seconds * STATES_PER_SECOND)), window_states)


def shortest_window(seconds: float, windows: Sequence[float]) -> float:
    """Returns the shortest of ascending windows that holds so many seconds; where none does, the longest."""
    return next((window for window in windows if seconds <= window), windows[-1])
