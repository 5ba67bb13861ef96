"""One recording, heard twice: by bare Whisper, and with a prompt on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spt_whisper.audio import SAMPLE_RATE, audio_duration, stream_audio
from spt_whisper.demo.choices import Choice
from spt_whisper.demo.settings import DemoConfig
from spt_whisper.errors import InputError
from spt_whisper.prompts.base import base_for
from spt_whisper.transcription.request import Request
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.transcription.transcript import Transcript
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.precision import dtype_of

_LANGUAGES_SHOWN = 3


@dataclass(frozen=True)
class Comparison:
    """What was heard in one recording."""

    languages: dict[str, float]
    """Whisper's most probable languages of the first 30 s of speech: code -> probability, highest first."""
    bare: Transcript
    prompted: Transcript | None
    """None: the page offers no prompt."""


@dataclass(frozen=True)
class Comparer:
    """A Whisper, and how it is asked."""

    whisper: Whisper
    decoding: DecodingOptions
    voice_activity: VoiceActivityOptions | None
    most_seconds: float

    def compare(self, audio: Path, choice: Choice | None) -> Comparison:
        """Transcribes `audio` without and with a prompt; their windows share batches.

        Raises:
            InputError: the file cannot be read, is too long, or holds no speech.
        """
        self._check_length(audio)
        heard = self.whisper.detect_language(audio, _LANGUAGES_SHOWN, self.voice_activity)
        requests = [Request(audio), *([choice.request(audio)] if choice else [])]
        options = replace(self.decoding, timestamps=True)
        transcripts = []
        for found in self.whisper.transcribe_many(
            requests, options, voice_activity=self.voice_activity
        ):
            if isinstance(found, InputError):
                raise found
            transcripts.append(found)
        bare, *prompted = transcripts
        return Comparison(heard, bare, prompted[0] if prompted else None)

    def _check_length(self, audio: Path) -> None:
        """Refuses what is too long by its header, and what is by its samples: headers lie."""
        seconds, samples = audio_duration(audio), 0
        self._refuse_over(seconds, f"{audio}: is {seconds:.0f} s long")
        for block in stream_audio(audio):
            samples += block.shape[0]
            self._refuse_over(samples / SAMPLE_RATE, f"{audio}: is longer than its header says")

    def _refuse_over(self, seconds: float, found: str) -> None:
        if seconds > self.most_seconds:
            raise InputError(
                f"{found}, wanted {self.most_seconds:.0f} s at most; cut it, or transcribe it on the command line"
            )


def load_comparer(config: DemoConfig, choices: Sequence[Choice]) -> Comparer:
    """Loads the Whisper that `config` names, or that the prompts are for.

    Raises:
        InputError: there is no such model, or a prompt is of another.
    """
    prompts = [prompt for choice in choices for prompt in choice.prompts]
    name = base_for(config.model, prompts)
    whisper = Whisper.from_pretrained(name, config.device, dtype_of(config.precision))
    for prompt in prompts:
        prompt.check_base(whisper.frozen)
    return Comparer(whisper, config.decoding, config.voice_activity, 60 * config.max_minutes)
