"""Encoder states of a frozen encoder, computed once and kept in memory, up to a bound."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import torch
from rich.progress import track
from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE, STATES_PER_SECOND, load_audio
from spt_whisper.errors import InputError
from spt_whisper.features import log_mel
from spt_whisper.training.batch import AudioKey, Example
from spt_whisper.whisper.loading import FrozenWhisper

logger = logging.getLogger(__name__)
_BYTES = 2  # float16


def encode_once(
    whisper: FrozenWhisper,
    examples: Sequence[Example],
    window_seconds: float,
    gigabytes: float,
    batch_size: int = 8,
) -> dict[AudioKey, Tensor]:
    """Returns `Example.audio_key` -> states (S, D), float16 on the CPU, for as many examples as fit the bound.

    Args:
        whisper: the model, without prompts.
        examples: what to encode.
        window_seconds: the window.
        gigabytes: the bound; the rest is computed again in every epoch, and said so.
        batch_size: utterances encoded together.
    """
    size = round(window_seconds * STATES_PER_SECOND) * whisper.config.d_model * _BYTES
    fitting = examples[: int(gigabytes * 1e9 / size)]
    logger.info(
        "the encoder carries no prompt: states of %d of %d utterances are computed once and kept (%.2f GB)",
        len(fitting), len(examples), len(fitting) * size / 1e9,
    )  # fmt: skip
    kept: dict[AudioKey, Tensor] = {}
    groups = range(0, len(fitting), batch_size)
    for first in _with_progress(groups):
        group = fitting[first : first + batch_size]
        states = encode_audio(
            whisper, [load_example(example, window_seconds) for example in group], window_seconds
        )
        for example, row in zip(group, states, strict=True):
            kept[example.audio_key] = row.to("cpu", torch.float16).clone()
    return kept


@torch.no_grad()
def encode_audio(
    whisper: FrozenWhisper, waveforms: Sequence[Tensor], window_seconds: float
) -> Tensor:
    """Waveforms -> encoder states (B, S, D), without gradient."""
    mels = whisper.config.num_mel_bins
    return whisper.encode(log_mel(waveforms, window_seconds, mels, whisper.device))


def load_example(example: Example, window_seconds: float) -> Tensor:
    """Returns the waveform of an example, (samples,).

    Raises:
        InputError: it cannot be read, or is longer than the window though its corpus says otherwise.
    """
    utterance = example.utterance
    waveform = load_audio(utterance.audio, utterance.start, utterance.end)
    if waveform.shape[0] > window_seconds * SAMPLE_RATE:
        raise InputError(
            f"{utterance.audio} (utterance {utterance.id}): {waveform.shape[0] / SAMPLE_RATE:.2f} s of audio, "
            f"but the corpus says {example.duration:.2f} s and the window is {window_seconds:g} s; mend the duration"
        )
    return waveform


def _with_progress(groups: Sequence[int]) -> Iterable[int]:
    return track(groups, description="encoding audio", transient=True)
