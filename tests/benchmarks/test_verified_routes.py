"""The check of routes by likelihood: texts of any length in one batch score as alone, and few controls may exceed."""

from __future__ import annotations

import pytest
import torch

from benchmarks.verified_routes import kept, likelihoods
from tests.tiny_model import tiny_whisper


@torch.inference_mode()
def test_a_text_scores_in_a_batch_as_alone() -> None:
    whisper = tiny_whisper(seed=3)
    states = torch.randn(2, 50, 32, generator=torch.Generator().manual_seed(0))
    starts = [whisper.tokens.start(("es",)), whisper.tokens.start(("es",), placeholders=3)]
    texts = [(5, 6, 7, 8, 9), (10,)]
    together = likelihoods(whisper, states, starts, texts)
    for row, (start, text) in enumerate(zip(starts, texts, strict=True)):
        tokens = torch.tensor([[*start, *text, whisper.tokens.end]])
        logits = whisper.model(encoder_outputs=(states[row : row + 1],), decoder_input_ids=tokens)
        gains = logits.logits[0].log_softmax(dim=-1)
        steps = range(len(start), tokens.shape[1])
        mean = sum(float(gains[step - 1, tokens[0, step]]) for step in steps) / len(steps)
        assert together[row] == pytest.approx(mean, abs=1e-4)


def test_what_is_kept_lies_above_all_but_two_per_cent_of_the_others() -> None:
    others = [float(number) for number in range(100)]  # two may exceed: 98 and 99
    assert kept([96.0, 97.0, 97.5, 100.0], others) == 0.5
    assert kept([0.5, 0.4], [0.45]) == 0.5
