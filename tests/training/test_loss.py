"""The loss in chunks: the same numbers and gradient as in one, and no logits that outlive their chunk."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spt_whisper.training.batch import IGNORED
from spt_whisper.training.loss import LossSums, sum_loss

VOCABULARY = 50


def sums(chunk: int) -> tuple[LossSums, torch.Tensor, list[int]]:
    """The sums, the gradient of the states, and how many numbers each tensor has that is kept for it."""
    torch.manual_seed(0)
    project = nn.Linear(8, VOCABULARY).requires_grad_(False)
    hidden = torch.randn(3, 6, 8, requires_grad=True)
    labels = torch.randint(VOCABULARY, (3, 6))
    labels[:, :2] = labels[2] = IGNORED  # 8 positions are learned, of 2 utterances
    kept: list[int] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        found = sum_loss(project, hidden, labels, 0.1, chunk)
    found.loss.backward()
    assert hidden.grad is not None
    return found, hidden.grad, kept


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_chunks_add_up_to_the_whole(chunk: int) -> None:
    whole, gradient, kept = sums(1000)
    assert max(kept) >= 8 * VOCABULARY
    found, own, kept = sums(chunk)
    for name, tensor in vars(whole).items():
        torch.testing.assert_close(getattr(found, name), tensor)
    torch.testing.assert_close(own, gradient)
    assert (int(found.tokens), int(found.utterances)) == (8, 2)
    assert chunk == 8 or max(kept) < chunk * VOCABULARY


def test_a_batch_without_a_label_adds_nothing() -> None:
    hidden = torch.randn(2, 3, 8, requires_grad=True)
    found = sum_loss(nn.Linear(8, 5), hidden, torch.full((2, 3), IGNORED))
    found.entropy.backward()  # another process may have labels: all go back together
    assert [float(tensor.detach()) for tensor in vars(found).values()] == [0, 0, 0, 0]
    assert hidden.grad is not None
    assert not hidden.grad.any()
