"""Waveforms to log-mel features, on the model's device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from transformers import WhisperFeatureExtractor

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.errors import InputError


def log_mel(
    waveforms: Sequence[Tensor],
    window_seconds: float,
    mels: int,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Returns Whisper's log-mel features, each waveform filled up with silence to the window.

    Args:
        waveforms: 16 kHz mono, (samples,) each.
        window_seconds: the window; nothing is cut, a longer waveform is an error.
        mels: mel bins (80, or 128 for large-v3).
        device: where to compute.

    Returns:
        (B, mels, 100 * window_seconds).
    """
    samples = round(window_seconds * SAMPLE_RATE)
    for waveform in waveforms:
        if waveform.shape[0] > samples:
            raise InputError(
                f"audio of {waveform.shape[0] / SAMPLE_RATE:.1f} s does not fit a window of {window_seconds:g} s"
            )
    with torch.autocast(
        torch.device(device).type, enabled=False
    ):  # bfloat16 is too coarse for a spectrum
        features = _extractor(mels)(
            [waveform.numpy() for waveform in waveforms],
            sampling_rate=SAMPLE_RATE,
            padding="max_length",
            max_length=samples,
            truncation=False,
            return_tensors="pt",
            device=str(device),
        )
    return features.input_features.to(device)


@cache
def _extractor(mels: int) -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(feature_size=mels)
