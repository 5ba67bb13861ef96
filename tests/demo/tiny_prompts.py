"""Random prompts for the tiny Whisper, in memory and on disk."""

from __future__ import annotations

from pathlib import Path

import torch

from spt_whisper.prompts.card import LanguageKey, PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.whisper.loading import FrozenWhisper


def random_prompt(
    whisper: FrozenWhisper, seed: int, language: str = "qug", keyed: bool = True
) -> Prompt:
    """A prompt that changes what is written; `keyed`: a bank can choose it by ear."""
    config = PromptConfig(length=4, start="normal")
    generator = torch.Generator().manual_seed(seed)
    vectors = start_vectors(config, whisper.shape, generator).map(
        lambda tensor: torch.randn(tensor.shape, generator=generator)
    )
    width, codes = whisper.shape.width, len(whisper.tokens.languages)
    key = LanguageKey((-1.0,) * codes, (float(seed),) * width, (100.0,) * width)
    card = PromptCard(
        whisper.name, whisper.fingerprint, whisper.shape, (language,), ("es",), (2.0,), key=key if keyed else None
    )  # fmt: skip
    return Prompt(config, vectors, card, f"prompt {seed}")


def write_bank(
    folder: Path, whisper: FrozenWhisper, languages: tuple[str, ...], keyed: bool = True
) -> Path:
    """A bank of whole prompts."""
    for seed, language in enumerate(languages):
        random_prompt(whisper, seed, language, keyed).save_pretrained(folder / language)
    return folder
