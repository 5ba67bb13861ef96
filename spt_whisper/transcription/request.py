"""What is asked for one recording: its audio, and what is to be used on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.audio.stream import stream_audio
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.files import Prompt

Audio = str | Path | Tensor


@dataclass(frozen=True)
class Request:
    """One recording, of any length."""

    audio: Audio
    """A file, or a 16 kHz mono waveform (samples,)."""
    prompt: Prompt | None = None
    """The prompt of every window; None: bare Whisper, or what the bank is found to have."""
    language: str | None = None
    """Whisper code; by default the prompt's, else what Whisper hears in each window."""
    bank: Bank | None = None
    """Each window gets the prompt of the language of this bank that it sounds like, or none."""

    @property
    def name(self) -> str:
        """What to call it."""
        return "waveform" if isinstance(self.audio, Tensor) else str(self.audio)

    @property
    def window_seconds(self) -> float:
        """The longest window that its speech is cut to: the prompt's; a language is heard in Whisper's own 30 s."""
        return self.prompt.card.window_seconds if self.prompt else float(WINDOW_SECONDS)

    def blocks(self) -> Iterator[Tensor]:
        """Yields the audio in blocks (samples,).

        Raises:
            InputError: it cannot be read, or a waveform has the wrong shape.
        """
        if not isinstance(self.audio, Tensor):
            yield from stream_audio(self.audio)
            return
        waveform = self.audio.float().cpu()
        if waveform.dim() != 1 or waveform.shape[0] == 0:
            raise InputError(
                f"waveform: shape {tuple(waveform.shape)}, wanted (samples,), 16 kHz mono"
            )
        if not bool(waveform.isfinite().all()):
            raise InputError("waveform: holds NaN or infinite samples; record it again")
        yield waveform
