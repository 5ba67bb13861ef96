from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.openai_checkpoint import write_openai_checkpoint
from tests.tiny_model import tiny_whisper


def test_openai_whisper_computes_the_same_from_our_weights(tmp_path: Path) -> None:
    openai_whisper = pytest.importorskip("whisper", reason="openai-whisper is not installed")
    frozen = tiny_whisper()
    path = write_openai_checkpoint(frozen, tmp_path / "tiny.pt")
    model = openai_whisper.load_model(str(path), device="cpu")
    features, tokens = torch.randn(2, 80, 3000), torch.tensor([[1, 2, 3], [3, 2, 1]])
    with torch.inference_mode():
        ours = frozen.model(input_features=features, decoder_input_ids=tokens).logits
        theirs = model(features, tokens)
    torch.testing.assert_close(theirs, ours, atol=1e-3, rtol=1e-3)
