"""Encoder states of a frozen encoder, computed once and kept in memory, up to a bound."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import accumulate

import torch
from rich.progress import track
from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE, STATES_PER_SECOND, load_audio
from spt_whisper.errors import InputError
from spt_whisper.features import log_mel
from spt_whisper.training.batch import ROUNDED, Example, StatesKey
from spt_whisper.training.states_store import StatesStore
from spt_whisper.training.window_batches import by_window
from spt_whisper.whisper.loading import FrozenWhisper

logger = logging.getLogger(__name__)
_BYTES = 2  # float16
_BATCH = 8  # utterances encoded together


def encode_once(
    whisper: FrozenWhisper,
    examples: Sequence[Example],
    gigabytes: float,
    store: StatesStore | None = None,
) -> dict[StatesKey, Tensor]:
    """Returns `Example.states_key` -> states (S, D) of its window, float16 on the CPU, for as many as fit the bound.

    Args:
        whisper: the model, without prompts.
        examples: what to encode.
        gigabytes: the bound; the rest is computed again in every epoch, and said so.
        store: where states are looked for first, and kept for the next run.
    """
    sizes = list(accumulate(_bytes_of(example, whisper) for example in examples))
    count = bisect_right(sizes, gigabytes * 1e9)
    logger.info(
        "the encoder carries no prompt: states of %d of %d utterances are computed once and kept (%.2f GB)",
        count, len(examples), sizes[count - 1] / 1e9 if count else 0.0,
    )  # fmt: skip
    kept: dict[StatesKey, Tensor] = {}
    encode = partial(_encode_half, whisper)
    groups = list(by_window(examples[:count], lambda example: example.window, _BATCH))
    for group in _with_progress(groups):
        waveforms = [load_example(example) for example in group]
        window = group[0].window
        states = store.states(waveforms, window, encode) if store else encode(waveforms, window)
        for example, row in zip(group, states, strict=True):
            kept[example.states_key] = row
    return kept


def _encode_half(
    whisper: FrozenWhisper, waveforms: Sequence[Tensor], window_seconds: float
) -> list[Tensor]:
    """States (S, D) of each waveform, float16 on the CPU, in memory of their own."""
    states = encode_audio(whisper, waveforms, window_seconds)
    return [row.to("cpu", torch.float16).clone() for row in states]


def _bytes_of(example: Example, whisper: FrozenWhisper) -> int:
    return round(example.window * STATES_PER_SECOND) * whisper.config.d_model * _BYTES


@torch.no_grad()
def encode_audio(
    whisper: FrozenWhisper, waveforms: Sequence[Tensor], window_seconds: float
) -> Tensor:
    """Waveforms -> encoder states (B, S, D), without gradient."""
    mels = whisper.config.num_mel_bins
    return whisper.encode(log_mel(waveforms, window_seconds, mels, whisper.device))


def load_example(example: Example) -> Tensor:
    """Returns the waveform of an example, (samples,), without what a rounded duration leaves beyond its window.

    Raises:
        InputError: it cannot be read, or is longer than its window though its corpus says otherwise.
    """
    utterance = example.utterance
    waveform = load_audio(utterance.audio, utterance.start, utterance.end)
    if waveform.shape[0] > (example.window + ROUNDED) * SAMPLE_RATE:
        raise InputError(
            f"{utterance.audio} (utterance {utterance.id}): {waveform.shape[0] / SAMPLE_RATE:.2f} s of audio, "
            f"but the corpus says {example.duration:.2f} s and the window is {example.window:g} s; fix the duration"
        )
    return waveform[: round(example.window * SAMPLE_RATE)]


def _with_progress(groups: Sequence[list[Example]]) -> Iterable[list[Example]]:
    return track(groups, description="encoding audio", transient=True)
