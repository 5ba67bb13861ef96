from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import WhisperForConditionalGeneration

from benchmarks.openai_checkpoint import write_openai_checkpoint
from spt_whisper.whisper.loading import FrozenWhisper
from tests.tiny_model import tiny_tokenizer, tiny_whisper


def four_times_as_wide_inside() -> FrozenWhisper:
    """A tiny Whisper with the feed-forward width that openai-whisper builds: 4 D."""
    config = tiny_whisper().config
    config.encoder_ffn_dim = config.decoder_ffn_dim = 4 * config.d_model
    return FrozenWhisper(WhisperForConditionalGeneration(config), tiny_tokenizer(), "tiny")


def test_openai_whisper_computes_the_same_from_our_weights(tmp_path: Path) -> None:
    openai_whisper = pytest.importorskip("whisper", reason="openai-whisper is not installed")
    frozen = four_times_as_wide_inside()
    path = write_openai_checkpoint(frozen, tmp_path / "tiny.pt")
    model = openai_whisper.load_model(str(path), device="cpu")
    features, tokens = torch.randn(2, 80, 3000), torch.tensor([[1, 2, 3], [3, 2, 1]])
    with torch.inference_mode():
        ours = frozen.model(input_features=features, decoder_input_ids=tokens).logits
        theirs = model(features, tokens)
    torch.testing.assert_close(theirs, ours, atol=1e-3, rtol=1e-3)
