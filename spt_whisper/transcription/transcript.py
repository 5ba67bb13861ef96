"""What was said in one audio file, in segments with times."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """One stretch of speech."""

    start: float  # seconds from the beginning of the file
    end: float  # seconds
    text: str


@dataclass(frozen=True)
class Transcript:
    """The transcript of one audio file."""

    audio: str  # the file, as the user named it
    duration: float  # seconds
    segments: tuple[Segment, ...]  # in the order of time
    languages: tuple[str, ...]  # codes, the main one first
    prompt: str | None  # name of the prompt that was attached; None: plain Whisper

    @property
    def text(self) -> str:
        """All segments in one line."""
        return " ".join(segment.text.strip() for segment in self.segments).strip()
