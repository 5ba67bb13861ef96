"""A tiny Whisper on disk, random prompts of any kind for it, and their exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from spt_whisper.export.formats import export
from spt_whisper.export.settings import ExportConfig
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.whisper.loading import FrozenWhisper
from tests.tiny_model import tiny_whisper

FRAMES = 3000
KINDS: dict[str, dict[str, Any]] = {
    "feed_forward": {},
    "encoder feed_forward": {"side": "encoder"},
    "decoder feed_forward": {"side": "decoder"},
    "decoder input": {"side": "decoder", "site": "input"},
    "language": {"side": "decoder", "site": "language"},
    "all that folds": {"side": "decoder", "site": ["input", "language", "feed_forward"]},
    "encoder input": {"side": "encoder", "site": "input"},
    "attention": {"site": "attention"},
    "gated attention": {"site": "attention", "gate": True},
    "attention pairs": {"site": "attention", "parameterization": "key_value"},
    "cross": {"side": "decoder", "site": "cross"},
    "gated cross": {"side": "decoder", "site": "cross", "gate": True},
    "cross pairs": {"side": "decoder", "site": "cross", "parameterization": "key_value"},
    "everything": {"site": ["input", "attention", "cross", "feed_forward", "language"]},
    "everything, gated": {"site": ["input", "attention", "cross", "feed_forward"], "gate": True},
    "everything, pairs": {
        "site": ["attention", "cross", "feed_forward", "language"],
        "parameterization": "key_value",
    },
}
FOLDING = list(KINDS)[:6]
NOT_FOLDING = list(KINDS)[6:]


def tiny_on_disk(folder: Path) -> FrozenWhisper:
    """A random Whisper, saved and read again."""
    if not folder.exists():
        made = tiny_whisper()
        made.model.save_pretrained(folder)
        made.tokens.tokenizer.save_pretrained(folder)
    return FrozenWhisper.from_pretrained(folder)


def random_prompt(whisper: FrozenWhisper, folder: Path, kind: str, length: int = 3) -> Prompt:
    """A prompt whose every number is random, saved and read again."""
    lengths = {**KINDS[kind], "length": length, "start": "normal"}
    config = PromptConfig(**lengths)
    generator = torch.Generator().manual_seed(length)
    start = start_vectors(config, whisper.shape, generator)
    vectors = start.map(lambda tensor: 0.5 * torch.randn(tensor.shape, generator=generator))
    card = PromptCard(whisper.name, whisper.fingerprint, whisper.shape, ("qug",), ("es",), (10.0,))
    Prompt(config, vectors, card).save_pretrained(folder)
    return Prompt.from_pretrained(folder)


def exported(prompt: Prompt, form: str, folder: Path, **settings: Any) -> Path:
    """The folder of an export."""
    return export(ExportConfig(prompt.name, form, str(folder), **settings))


def noise(seconds: float, seed: int = 0) -> torch.Tensor:
    """A waveform, (samples,)."""
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(round(16_000 * seconds), generator=generator)
