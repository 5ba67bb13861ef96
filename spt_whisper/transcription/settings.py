"""Settings of a transcription: one declaration for flags, YAML, help and code."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.audio.window import check_windows
from spt_whisper.errors import InputError, check_named
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.transcription.writers import WRITERS
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.precision import Precision

ALL_FORMATS = "all"
_TIMED_FORMATS = frozenset(WRITERS) - {"txt"}
# Where things lie and how fast they go; model, prompt and bank count by what is in them, formats and words by
# what they ask of `options`.
_NOT_IN_THE_TEXT = frozenset(
    {
        "audio",
        "prompt",
        "bank",
        "model",
        "device",
        "format",
        "output",
        "overwrite",
        "words",
        "batch_size",
    }
)


@dataclass(frozen=True)
class TranscribeConfig:
    """What is transcribed, with what, and where it goes."""

    audio: list[str]
    """Audio and video files, folders with such files, and globs."""
    prompt: str | None = None
    """Folder or hub id of a prompt."""
    bank: str | None = None
    """Folder or hub id of a bank, which gives the prompt of the language, or with `--language auto` for each window that of the
    language it sounds like."""
    model: str | None = None
    """Whisper to use; by default the prompt's base, else base."""
    language: str | None = None
    """Whisper language code; by default the prompt's, else the one that Whisper hears. With a prompt or a bank, also the language as
    they name it, such as qug, or zh+en for mixed speech."""
    format: str = "txt"
    """Format of the transcripts: txt, json, srt, vtt or tsv; several with commas between them; or all."""
    output: str | None = None
    """Folder for the transcripts, AUDIO.FORMAT each; a file that is finished there is left out the next time. Without
    it transcripts are printed, in one format."""
    overwrite: bool = False
    """Whether to make every transcript again, even those that are finished or that you have edited."""
    words: bool = False
    """Whether each word gets its times, which json shows."""
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    """How to decode; formats that show times turn timestamps on."""
    voice_activity: VoiceActivityOptions | None = field(default_factory=VoiceActivityOptions)
    """What counts as speech, which alone is decoded; null: all of the audio is."""
    window_seconds: float | None = None
    """The window; by default the prompt's (of several the shortest that holds the speech), or 30 s for bare Whisper."""
    batch_size: int = 8
    """Windows decoded together."""
    precision: Precision = "float32"
    """Numbers that Whisper computes with: float32, or the faster bfloat16 or, on a GPU, float16, which may change a word
    here and there."""
    device: str | None = None
    """cpu, cuda or cuda:1; by default a GPU if there is one."""

    def __post_init__(self) -> None:
        check_named(prompt=self.prompt, bank=self.bank)
        if self.batch_size < 1:
            raise InputError(f"batch_size: found {self.batch_size}, wanted 1 or more")
        check_window(self.window_seconds)
        if self.prompt and self.bank:
            raise InputError("transcribe: a prompt and a bank given; wanted one of them")
        unknown = [name for name in self.formats if name not in WRITERS]
        if unknown or not self.formats:
            raise InputError(
                f"format: found {self.format!r}, wanted {', '.join(WRITERS)} (several with commas between them) "
                f"or {ALL_FORMATS}"
            )
        if len(self.formats) > 1 and not self.output:
            raise InputError(
                f"format: found {self.format!r} and no output; name a folder with --output, or one format to print"
            )

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats, each once, in the order given."""
        if self.format.strip() == ALL_FORMATS:
            return tuple(WRITERS)
        names = (name.strip() for name in self.format.split(","))
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def options(self) -> DecodingOptions:
        """How to decode: as `decoding` says, with the times that the formats and `words` ask for."""
        timed = not _TIMED_FORMATS.isdisjoint(self.formats)
        return replace(
            self.decoding,
            timestamps=self.decoding.timestamps or timed,
            word_timestamps=self.decoding.word_timestamps or self.words,
        )

    @property
    def text_settings(self) -> dict[str, Any]:
        """Every setting on which a text depends beside audio, model and prompt, as JSON values."""
        settings = {**asdict(self), "decoding": asdict(self.options)}
        return {name: settings[name] for name in settings if name not in _NOT_IN_THE_TEXT}


def check_window(seconds: float | None) -> None:
    """Refuses what speech cannot be cut to; None is each prompt's own window.

    Raises:
        InputError: says what is wanted.
    """
    if seconds is None:
        return
    if not 1 <= seconds <= WINDOW_SECONDS:
        raise InputError(f"window_seconds: found {seconds:g}, wanted 1 to {WINDOW_SECONDS}")
    check_windows((seconds,))
