"""What a transcription is told: one declaration for flags, YAML, help and code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from spt_whisper.errors import InputError
from spt_whisper.whisper.options import DecodingOptions


@dataclass(frozen=True)
class TranscribeConfig:
    """What is transcribed, with what, and where it goes."""

    audio: list[str]
    """Audio files of up to 30 s: wav, flac, ogg, opus, mp3, m4a, mp4, webm."""
    prompt: str | None = None
    """Folder or hub id of a prompt."""
    bank: str | None = None
    """Folder of a bank, of which the language's prompt is taken."""
    model: str | None = None
    """Whisper to use; by default the prompt's base, else base."""
    language: str | None = None
    """Whisper language code; by default the prompt's, else what Whisper hears. With a bank, the language as the bank
    names it, such as qug, or zh+en for mixed speech."""
    format: Literal["txt", "json", "srt", "vtt", "tsv"] = "txt"
    """Format of the transcripts."""
    output: str | None = None
    """Folder for one file per audio file; without it transcripts are printed."""
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    """How to decode; formats that show times turn timestamps on."""
    batch_size: int = 8
    """Files decoded together."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise InputError(f"batch_size: found {self.batch_size}, wanted 1 or more")
        if self.prompt and self.bank:
            raise InputError("transcribe: a prompt and a bank given; wanted one of them")
        names = Counter(Path(audio).name for audio in self.audio)
        twice = [name for name, count in names.items() if count > 1]
        if self.output and twice:
            raise InputError(
                f"transcribe: {len(twice)} file names are there twice ({twice[0]}), so one transcript would "
                "overwrite another; give each folder its own call and --output"
            )
