"""Rows of noise with untrained prompts, and the engine that decodes them to a forced text."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from forced_text import forced_text, some_text

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.engines.engine import Row
from spt_whisper.engines.torch import TorchEngine
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import DecodingOptions

LANGUAGE = "es"
PROMPTS = {
    "feed-forward N=64": PromptConfig(site="feed_forward", length=64),
    "attention N=16": PromptConfig(site="attention", length=16),
    "input N=16": PromptConfig(site="input", length=16),
}


def add_flags(parser: argparse.ArgumentParser, window: float) -> None:
    """Adds the flags of what is decoded."""
    parser.add_argument("--window", type=float, default=window, help="seconds (%(default)s)")
    parser.add_argument("--tokens", type=int, default=60, help="written by each row (%(default)s)")


def load_whisper(settings: argparse.Namespace) -> FrozenWhisper:
    """Loads the Whisper that the flags name."""
    dtype = getattr(torch, settings.dtype)
    return FrozenWhisper.from_pretrained(settings.model, settings.device, dtype)


def untrained_prompt(whisper: FrozenWhisper, config: PromptConfig, seed: int = 0) -> Prompt:
    """Returns a prompt with random vectors, which takes as long as a trained one."""
    vectors = start_vectors(config, whisper.shape, torch.Generator().manual_seed(seed))
    card = PromptCard(whisper.name, whisper.fingerprint, whisper.shape, (LANGUAGE,), (LANGUAGE,))
    return Prompt(config, vectors, card, f"untrained {seed}")


@dataclass
class Decoding:
    """Decodes rows of noise, each of which writes the same number of tokens."""

    whisper: FrozenWhisper
    window: float  # seconds
    length: int  # tokens written by each row

    def __post_init__(self) -> None:
        self.engine = TorchEngine(self.whisper)
        self.text = some_text(self.whisper, self.length)
        self.options = DecodingOptions(extra_tokens=self.length + 1)
        generator = torch.Generator().manual_seed(0)
        self.waveform = 0.1 * torch.randn(round(self.window * SAMPLE_RATE), generator=generator)

    def __call__(self, prompts: Sequence[Prompt | None]) -> None:
        """Decodes one batch, a row for each prompt (None: bare Whisper).

        Raises:
            RuntimeError: a row wrote another text than it was forced to, so that times cannot be compared.
        """
        rows = [Row(self.waveform, prompt, (LANGUAGE,)) for prompt in prompts]
        with forced_text(self.whisper, self.text):
            results = self.engine.decode_batch(rows, self.window, self.options)
        lengths = {len(result.hypothesis.tokens) for result in results}
        if any(list(result.hypothesis.tokens) != self.text for result in results):
            raise RuntimeError(
                f"rows wrote {sorted(lengths)} tokens, wanted the {self.length} forced ones in each"
            )
