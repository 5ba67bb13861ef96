"""What is asked for one recording: its audio, and what is to be used on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.audio.stream import stream_audio
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.card import MIX
from spt_whisper.prompts.files import Prompt

Audio = str | Path | Tensor | np.ndarray
_LOUDEST = 100.0  # far above what clips, far below speech whose full scale is 32768
_WANTED = "wanted floats with full scale at -1 and 1; divide 16-bit samples by 32768"


@dataclass(frozen=True)
class Request:
    """One recording, of any length."""

    audio: Audio
    """A file, or a 16 kHz mono waveform (samples,) of floats, full scale at -1 and 1."""
    prompt: Prompt | str | Path | None = None
    """The prompt of every window, or its folder or hub id; None: bare Whisper, or what the bank is found to have."""
    language: str | None = None
    """Whisper code, or several joined by + (`zh+en`); by default the prompt's, else what Whisper hears in each window."""
    bank: Bank | str | Path | None = None
    """Each window gets the prompt of the language of this bank (or its folder or hub id) that it sounds like, or none."""

    def __post_init__(self) -> None:
        if self.bank is not None and self.language is not None:
            raise InputError(
                f"language {self.language}: found a bank beside it, which hears the language of each window; leave one out"
            )

        if self.bank is not None and self.prompt is not None:
            name = self.prompt.name if isinstance(self.prompt, Prompt) else self.prompt
            raise InputError(
                f"prompt {name}: found a bank beside it, which gives each window a prompt; leave one out"
            )

    @property
    def codes(self) -> tuple[str, ...] | None:
        """Whisper's codes of the language that was asked for."""
        return tuple(self.language.split(MIX)) if self.language else None

    @property
    def read_prompt(self) -> Prompt | None:
        """The prompt, of a request whose folder or hub id has been read (`arguments.Opened`)."""
        assert not isinstance(self.prompt, str | Path)
        return self.prompt

    @property
    def name(self) -> str:
        """What to call it."""
        return str(self.audio) if isinstance(self.audio, str | Path) else "waveform"

    @property
    def window_seconds(self) -> float:
        """The longest window that its speech is cut to: the prompt's; a language is heard in Whisper's own 30 s."""
        prompt = self.read_prompt
        return prompt.card.window_seconds if prompt else float(WINDOW_SECONDS)

    def blocks(self) -> Iterator[Tensor]:
        """Yields the audio in blocks (samples,).

        Raises:
            InputError: it cannot be read, or a waveform has the wrong shape or scale or holds no finite floats.
        """
        if isinstance(self.audio, str | Path):
            yield from stream_audio(self.audio)
            return
        waveform = _floats(self.audio)
        if waveform.dim() != 1 or waveform.shape[0] == 0:
            raise InputError(
                f"waveform: shape {tuple(waveform.shape)}, wanted (samples,), 16 kHz mono"
            )
        if not bool(waveform.isfinite().all()):
            raise InputError("waveform: holds NaN or infinite samples; record it again")
        loud = waveform[waveform.abs() > _LOUDEST]
        if len(loud):
            raise InputError(f"waveform: found a sample of {float(loud[0]):.0f}, {_WANTED}")
        yield waveform


def _floats(audio: Tensor | np.ndarray) -> Tensor:
    """The samples as float32; PyTorch takes no array whose samples or bytes stand in another order, nor a wider one."""
    if isinstance(audio, np.ndarray) and np.issubdtype(audio.dtype, np.floating):
        with np.errstate(
            over="ignore"
        ):  # what is too large becomes infinite, and is refused as such
            samples = np.ascontiguousarray(audio, dtype=np.float32)
        return torch.from_numpy(samples.reshape(audio.shape))
    if not isinstance(audio, Tensor) or not audio.is_floating_point():
        raise InputError(
            f"waveform: found {getattr(audio, 'dtype', type(audio).__name__)}, {_WANTED}"
        )
    return audio.cpu().float()
