"""Sounds without speech, made from a seed, and how much Whisper writes there: every character is made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.transcription.transcriber import DEFAULT_ACTIVITY
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.whisper.options import DecodingOptions, single_pass

SECONDS = 5.0  # of a piece
QUIETEST = -50.0  # dB: RMS of the first piece of a sound, full scale being 0
LOUDEST = -20.0  # dB: of the last
HARMONICS = 8  # of hum
PARTIALS = 4  # of a note
CHORD_SECONDS = 0.625
ROOTS = (48, 60)  # MIDI notes, from and below
TRIADS = ((0, 4, 7), (0, 3, 7))  # major and minor, semitones above the root


@dataclass(frozen=True)
class Guards:
    """What keeps Whisper from writing where nobody speaks."""

    options: DecodingOptions
    voice_activity: VoiceActivityOptions | None


GUARDS: dict[str, Guards] = {
    "as transcribe": Guards(DecodingOptions(), DEFAULT_ACTIVITY),
    "no voice activity": Guards(DecodingOptions(), None),  # the no-speech threshold is on
    "none": Guards(single_pass(), None),
}


@dataclass(frozen=True)
class Writing:
    """How much one system wrote on the pieces of one sound."""

    sound: str
    guards: str
    system: str
    characters: tuple[int, ...]  # a piece each, the quietest first

    @property
    def mean(self) -> float:
        """Characters a piece."""
        return sum(self.characters) / len(self.characters)

    @property
    def written(self) -> int:
        """Pieces that have a text."""
        return sum(count > 0 for count in self.characters)


def _times(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _silence(generator: np.random.Generator) -> np.ndarray:
    return np.zeros_like(_times(SECONDS))


def _white_noise(generator: np.random.Generator) -> np.ndarray:
    return generator.standard_normal(_times(SECONDS).size)


def _pink_noise(generator: np.random.Generator) -> np.ndarray:
    """White noise whose power falls as 1 / frequency."""
    spectrum = np.fft.rfft(_white_noise(generator))
    spectrum[0] = 0.0
    spectrum[1:] /= np.sqrt(np.arange(1, spectrum.size))
    return np.fft.irfft(spectrum)


def _hum(generator: np.random.Generator) -> np.ndarray:
    """Harmonics of 50 or 60 Hz."""
    mains = generator.choice((50.0, 60.0))
    return sum(
        np.sin(2 * np.pi * order * mains * _times(SECONDS) + phase) / order
        for order, phase in enumerate(generator.uniform(0, 2 * np.pi, HARMONICS), start=1)
    )


def _chords(generator: np.random.Generator) -> np.ndarray:
    """Major and minor triads on roots that are drawn, one after the other, each dying away."""
    return np.concatenate([_chord(generator) for _ in range(round(SECONDS / CHORD_SECONDS))])


def _chord(generator: np.random.Generator) -> np.ndarray:
    times = _times(CHORD_SECONDS)
    root, triad = generator.integers(*ROOTS), TRIADS[generator.integers(len(TRIADS))]
    hertz = [440.0 * 2 ** ((root + step - 69) / 12) for step in triad]
    tones = (
        np.sin(2 * np.pi * order * own * times) / order
        for own in hertz
        for order in range(1, PARTIALS + 1)
    )
    return sum(tones) * np.exp(-3.0 * times)


SOUNDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "digital silence": _silence,
    "white noise": _white_noise,
    "pink noise": _pink_noise,
    "hum": _hum,
    "synthetic chords": _chords,
}


def pieces(sound: str, count: int, seed: int = 0) -> list[Tensor]:
    """Returns so many pieces of a sound, (samples,) each, 16 kHz, one louder than the other; equal on every call."""
    place = list(SOUNDS).index(sound)
    return [
        _at_level(SOUNDS[sound](np.random.default_rng([seed, place, number])), level)
        for number, level in enumerate(np.linspace(QUIETEST, LOUDEST, count))
    ]


def _at_level(waveform: np.ndarray, decibels: float) -> Tensor:
    rms = np.sqrt(np.mean(waveform**2))
    gain = 10 ** (decibels / 20) / rms if rms else 1.0
    return torch.from_numpy((waveform * gain).clip(-1, 1).astype(np.float32))


def count_characters(guards: str, system: str, texts: Sequence[str]) -> list[Writing]:
    """Returns a row for each sound.

    Args:
        guards: name of those that were on.
        system: what wrote the texts.
        texts: of the pieces of every sound, as many of each, in the order of the table.
    """
    own = len(texts) // len(SOUNDS)
    lengths = [len(text) for text in texts]
    return [
        Writing(sound, guards, system, tuple(lengths[place * own : (place + 1) * own]))
        for place, sound in enumerate(SOUNDS)
    ]
