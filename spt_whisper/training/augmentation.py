"""Augmentation of training speech: speed, noise and rooms on the waveform, masks on the log-mel (SpecAugment).

Every draw is a function of (seed, epoch, utterance id), so that a resumed run hears what an unbroken one hears.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import torch
import torchaudio.functional
from torch import Tensor

from spt_whisper.audio import FRAMES_PER_SECOND, SAMPLE_RATE, load_audio
from spt_whisper.errors import InputError
from spt_whisper.training.batch import ROUNDED
from spt_whisper.training.recipe import AugmentConfig

_AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")


def draw_for(seed: int, epoch: int, utterance: str) -> random.Random:
    """Returns the source of randomness of one utterance in one epoch."""
    return random.Random(f"augment/{seed}/{epoch}/{utterance}")


def draw_speed(config: AugmentConfig, draw: random.Random, seconds: float, window: float) -> float:
    """Returns the speed factor for an utterance of so many seconds; 1 where none fits the window."""
    longest = seconds + ROUNDED  # what is not slower fits as it did
    fitting = [factor for factor in config.speed if factor >= 1 or longest / factor <= window]
    return draw.choice(fitting) if fitting else 1.0


def augment_waveform(
    waveform: Tensor, speed: float, config: AugmentConfig, draw: random.Random
) -> Tensor:
    """Returns the waveform (samples,) at another speed, in a room, in noise, as far as drawn.

    Args:
        waveform: 16 kHz mono, (samples,).
        speed: factor; the result has samples / speed samples.
        config: what may be done.
        draw: the source of randomness.
    """
    if speed != 1.0:
        waveform = torchaudio.functional.speed(waveform, SAMPLE_RATE, speed)[0]
    if config.rooms is not None and draw.random() < config.share:
        waveform = _in_room(waveform, load_audio(draw.choice(_recordings(config.rooms))))
    if config.noise is not None and draw.random() < config.share:
        noise = _as_long_as(waveform, load_audio(draw.choice(_recordings(config.noise))), draw)
        ratio = torch.tensor(draw.uniform(*config.noise_snr))
        if noise.any() and waveform.any():  # digital silence has no ratio to anything
            waveform = torchaudio.functional.add_noise(waveform, noise, ratio)
    return waveform


def mask_log_mel(features: Tensor, frames: int, config: AugmentConfig, seed: int) -> Tensor:
    """Returns log-mel features of one utterance with bands and stretches set to the mean of its speech.

    Args:
        features: (mels, window frames).
        frames: how many of them hold speech; the silence behind it is not masked.
        config: how many masks, how wide.
        seed: of torchaudio's draws, which are made on a forked stream.
    """
    if not frames:  # less than 10 ms
        return features
    speech = features[None, :, :frames]
    mean = float(speech.mean())
    longest = round(config.time_width * FRAMES_PER_SECOND)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(config.frequency_masks):
            speech = torchaudio.functional.mask_along_axis(speech, config.frequency_width, mean, 1)
        for _ in range(config.time_masks):
            speech = torchaudio.functional.mask_along_axis(speech, longest, mean, 2, p=0.2)
    return torch.cat([speech[0], features[:, frames:]], dim=1)


def _in_room(waveform: Tensor, response: Tensor) -> Tensor:
    """Convolved with a room's impulse response from its peak on; as long and as loud as before. A silent response is none."""
    if not response.any():
        return waveform
    response = response[int(response.abs().argmax()) :]
    wet = torchaudio.functional.fftconvolve(waveform, response)[: waveform.shape[0]]
    return wet * (waveform.norm() / wet.norm().clamp_min(1e-8))


def _as_long_as(waveform: Tensor, noise: Tensor, draw: random.Random) -> Tensor:
    """A drawn part of the noise, repeated where it is shorter."""
    length = waveform.shape[0]
    if noise.shape[0] < length:
        noise = noise.repeat(-(-length // noise.shape[0]))
    first = draw.randrange(noise.shape[0] - length + 1)
    return noise[first : first + length]


@cache
def _recordings(folder: str) -> tuple[Path, ...]:
    found = sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in _AUDIO_SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise InputError(
            f"data.augment: no audio in {folder}; wanted files of {' '.join(_AUDIO_SUFFIXES)}"
        )
    return tuple(found)
