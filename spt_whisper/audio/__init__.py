"""Any audio file -> a 16 kHz mono waveform, whole or in blocks, and the constants of Whisper's input."""

from __future__ import annotations

from spt_whisper.audio.constants import (
    FRAMES_PER_SECOND,
    HOP_LENGTH,
    SAMPLE_RATE,
    STATES_PER_SECOND,
    WINDOW_SECONDS,
)
from spt_whisper.audio.duration import audio_duration
from spt_whisper.audio.stream import load_audio, stream_audio

__all__ = [
    "FRAMES_PER_SECOND", "HOP_LENGTH", "SAMPLE_RATE", "STATES_PER_SECOND", "WINDOW_SECONDS",
    "audio_duration", "load_audio", "stream_audio",
]  # fmt: skip
