"""Settings of the demo: one declaration for flags, YAML, help and code."""

from __future__ import annotations

from dataclasses import dataclass, field

from spt_whisper.errors import InputError, check_named
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.precision import Precision


@dataclass(frozen=True)
class DemoConfig:
    """Which Whisper and prompts the page offers, where it is served, and how much it takes."""

    prompt: list[str] = field(default_factory=list)
    """Folders or hub ids of prompts; the page offers each of them."""
    bank: str | None = None
    """Folder or hub id of a bank; the page offers each of its languages, and automatic choice by sound."""
    model: str | None = None
    """Whisper to use; by default the prompts' base, else base."""
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    """How to decode; the times of segments are always written."""
    voice_activity: VoiceActivityOptions | None = field(default_factory=VoiceActivityOptions)
    """What counts as speech, which alone is decoded; null: all of the audio is."""
    precision: Precision = "float32"
    """Numbers that Whisper computes with: float32, or the faster bfloat16 or, on a GPU, float16."""
    device: str | None = None
    """cpu, cuda or cuda:1; by default a GPU if there is one."""
    host: str = "127.0.0.1"
    """Address to listen on. Anything but 127.0.0.1 lets others in; the page asks for no password."""
    port: int = 7860
    """Port to listen on; 0: any that is free."""
    max_minutes: float = 10.0
    """Longest audio that is accepted."""
    max_megabytes: int = 200
    """Largest file that is accepted, in MB of 1,000,000 bytes."""

    def __post_init__(self) -> None:
        check_named(bank=self.bank)
        if not 0 <= self.port <= 65535:
            raise InputError(f"port: found {self.port}, wanted 0 to 65535")
        for name in ("max_minutes", "max_megabytes"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name}: found {getattr(self, name):g}, wanted more than 0")
