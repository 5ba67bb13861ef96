"""Settings of a service: what it offers, where it listens, and its limits. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field

from spt_whisper.errors import InputError, check_named
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.whisper.precision import Precision

HOSTS = ("127.0.0.1", "0.0.0.0", "::")  # what LitServe can bind to


@dataclass(frozen=True)
class Limits:
    """What a client may ask for; above these it gets an error, and the service goes on."""

    requests: int = 64
    """Transcriptions running or waiting at once; others get 429 and a Retry-After."""
    upload_megabytes: float = 25.0
    """Largest request (413)."""
    upload_seconds: float = 60.0
    """Longest time for a request's body to arrive (408)."""
    audio_seconds: float = 7200.0
    """Longest audio, counted while it is decoded (400)."""
    request_seconds: float = 600.0
    """Longest time for a transcript, once the upload is there (504)."""
    retry_seconds: int = 2
    """Retry-After of a 429."""
    connections: int = 512
    """Open connections; others get 503."""
    stop_seconds: int = 60
    """How long running requests may take to finish after SIGTERM."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"limits.{name}: found {value}, wanted more than 0")


@dataclass(frozen=True)
class ServeConfig:
    """What is offered, with what, and where."""

    prompt: list[str] = field(default_factory=list)
    """Folders or hub ids of prompts; each is a model by its folder's name, or by NAME=DIR."""
    prompts_folder: str | None = None
    """Folder of prompts, each a model by its folder's name; new and changed ones are taken without a restart."""
    bank: str | None = None
    """Folder or hub id of a bank: each of its languages is a model, and the bank itself is one that chooses by listening."""
    model: str | None = None
    """Whisper to use; by default the first prompt's base, else base. It is offered by its name and as whisper-1."""
    host: str = "127.0.0.1"
    """Address: 127.0.0.1 (this machine only), 0.0.0.0 or ::."""
    port: int = 8000
    """Port, 1024 to 65535."""
    keys_file: str | None = None
    """File of bearer keys, one per line; or the environment variable SPT_WHISPER_API_KEYS. Without either, no key is required."""
    batch_size: int = 8
    """Windows decoded together, of any requests; 1: no batching."""
    batch_wait_seconds: float = 0.02
    """How long a batch waits to fill up."""
    workers: int = 1
    """Processes with a Whisper of their own, for each device."""
    device: str = "auto"
    """cpu, cuda (all of its devices) or auto: cuda where there is one."""
    precision: Precision = "float32"
    """Numbers that Whisper computes with: float32, bfloat16 or float16."""
    voice_activity: VoiceActivityOptions | None = field(default_factory=VoiceActivityOptions)
    """What counts as speech, which alone is decoded; null: all of the audio is."""
    reload_seconds: float = 5.0
    """How often the files of prompts and banks are checked."""
    limits: Limits = field(default_factory=Limits)
    """What a client may ask for."""

    def __post_init__(self) -> None:
        check_named(
            prompts_folder=self.prompts_folder,
            bank=self.bank,
            keys_file=self.keys_file,
            model=self.model,
        )
        for name in ("batch_size", "workers", "reload_seconds"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name}: found {getattr(self, name)}, wanted more than 0")
        if self.batch_wait_seconds < 0:
            raise InputError(
                f"batch_wait_seconds: found {self.batch_wait_seconds:g}, wanted 0 or more"
            )
        if self.host not in HOSTS:
            raise InputError(f"host: found {self.host!r}, wanted one of {', '.join(HOSTS)}")
        if not 1024 <= self.port <= 65535:
            raise InputError(f"port: found {self.port}, wanted 1024 to 65535")
        if self.device not in ("auto", "cpu", "cuda"):
            raise InputError(f"device: found {self.device!r}, wanted auto, cpu or cuda")
