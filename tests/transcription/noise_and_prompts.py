"""Noise to transcribe, and prompts of random vectors that change what is written."""

from __future__ import annotations

import torch
from torch import Tensor

from spt_whisper import Prompt, PromptConfig, Whisper
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.initialization import start_vectors


def noise(seconds: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(round(seconds * 16_000), generator=generator) * 0.1


def wild_prompt(
    whisper: Whisper, seed: int, language: str = "qug", window: float = 2.0, **settings: object
) -> Prompt:
    frozen = whisper.frozen
    config = PromptConfig(length=4, start="normal", **settings)
    generator = torch.Generator().manual_seed(seed)
    vectors = start_vectors(config, frozen.shape, generator).map(
        lambda tensor: torch.randn(tensor.shape, generator=generator)
    )
    card = PromptCard(
        frozen.name, frozen.fingerprint, frozen.shape, (language,), ("es",), (window,)
    )
    return Prompt(config, vectors, card, f"prompt {seed}")
