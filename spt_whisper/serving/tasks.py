"""What goes from the front to a worker, and what comes back. All of it is pickled between processes of one service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from spt_whisper.serving.sources import ModelSource
from spt_whisper.transcription.transcript import Segment
from spt_whisper.whisper.options import DecodingOptions


@dataclass(frozen=True)
class Edition:
    """A source as its files were at some time."""

    source: ModelSource
    version: str


@dataclass(frozen=True)
class ServedModel:
    """What a client can name as `model`."""

    name: str
    edition: Edition
    key: str
    """Which of the source's own: a language of a bank, or empty."""
    window_seconds: float
    """The longest window that audio is cut to."""
    codes: frozenset[str] = frozenset()
    """Whisper's languages that may be asked for."""
    own_languages: Mapping[str, str | None] = field(default_factory=dict)
    """Language as the prompt or model names it -> its code, None where asking for it is asking for the prompt."""
    members: frozenset[str] = frozenset()
    """Of a bank: its languages, the keys of its other models."""


@dataclass(frozen=True)
class Look:
    """Which models has this source now?"""

    edition: Edition


@dataclass(frozen=True)
class FoundModels:
    """Answer to `Look`."""

    models: tuple[ServedModel, ...]


@dataclass(frozen=True)
class Window:
    """Decode one window of speech."""

    edition: Edition
    key: str
    start: float  # seconds into the recording
    waveform: np.ndarray  # 16 kHz mono, float32, (samples,)
    activity: np.ndarray  # see `SpeechWindow`
    language: str | None  # Whisper's code
    options: DecodingOptions


@dataclass(frozen=True)
class Spoken:
    """A segment, with what its window was decoded at."""

    segment: Segment  # times of the recording
    window_start: float  # seconds into the recording
    mean_log_probability: float
    no_speech_probability: float
    compression_ratio: float
    temperature: float


@dataclass(frozen=True)
class Decoded:
    """Answer to `Window`."""

    spoken: tuple[Spoken, ...]
    together: int  # windows in the batch


@dataclass(frozen=True)
class Refused:
    """Answer to either, where the client or the files are at fault."""

    reason: str


@dataclass(frozen=True)
class Failed:
    """Answer to `Window`, where nobody expected what happened; the worker's log has it."""


Task = Look | Window
Answer = FoundModels | Decoded | Refused | Failed
