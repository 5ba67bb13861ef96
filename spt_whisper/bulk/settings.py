"""Settings of a bulk transcription: what is transcribed, with what, and how it is spread."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from spt_whisper.errors import InputError, check_named
from spt_whisper.transcription.settings import check_window
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.precision import Precision

# Settings that every row of an output folder shares.
_OF_THE_FOLDER = (
    "prompt", "bank", "model", "language", "decoding", "voice_activity", "window_seconds", "precision",
)  # fmt: skip


@dataclass(frozen=True)
class BulkConfig:
    """How the rows are spread over workers."""

    workers: int | None = None
    """Workers, each with a Whisper of its own; by default one per GPU, or without GPUs as many as the cores allow."""
    cores: int = 1
    """CPU cores of each worker."""
    shard_rows: int = 32
    """Maximum rows in a shard, which is one file and what a worker loses when it is stopped."""

    def __post_init__(self) -> None:
        for name in ("workers", "cores", "shard_rows"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"bulk.{name}: found {value}, wanted 1 or more")


@dataclass(frozen=True)
class BulkJob:
    """A manifest, what transcribes it, and the folder of its shards."""

    manifest: str
    """JSONL or CSV: id, audio, and where wanted start, end, language and prompt; audio paths from its folder."""
    output: str
    """Folder for the shards, `part-*.jsonl`; rows that are in it are not transcribed again."""
    prompt: str | None = None
    """Folder or hub id of the prompt of rows that name none."""
    bank: str | None = None
    """Folder or hub id of a bank, which gives rows that name no prompt that of their language."""
    model: str | None = None
    """Whisper to use; by default the first prompt's base, else base."""
    language: str | None = None
    """Language of rows that name none: a Whisper code, or one of the prompt or bank."""
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    batch_size: int = 8
    """Windows decoded together."""
    voice_activity: VoiceActivityOptions | None = field(default_factory=VoiceActivityOptions)
    """What counts as speech, which alone is decoded; None: all of the audio is."""
    window_seconds: float | None = None
    """The window; by default each prompt's, or 30 s for bare Whisper."""
    precision: Precision = "float32"
    """Numbers that Whisper computes with: float32, bfloat16 or float16."""
    bulk: BulkConfig = field(default_factory=BulkConfig)

    def __post_init__(self) -> None:
        check_named(prompt=self.prompt, bank=self.bank)
        check_window(self.window_seconds)
        if self.batch_size < 1:
            raise InputError(f"batch_size: found {self.batch_size}, wanted 1 or more")
        if self.prompt and self.bank:
            raise InputError("transcribe: a prompt and a bank given; wanted one of them")

    @property
    def of_the_folder(self) -> dict[str, Any]:
        """The settings that all shards of a folder have in common, as JSON values."""
        settings = asdict(self)
        return {name: settings[name] for name in _OF_THE_FOLDER}
