"""Cross entropy as sums over tokens, which processes can add up to the figures of the whole batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, distributed
from torch.nn import functional

from spt_whisper.training.batch import IGNORED


@dataclass(frozen=True)
class LossSums:
    """What a batch amounts to, summed over its tokens and utterances; each a scalar."""

    entropy: Tensor  # cross entropy in nats, with gradient
    wrong: Tensor  # tokens that are not the most probable one
    tokens: Tensor
    utterances: Tensor  # those with a token

    @property
    def loss(self) -> Tensor:
        """Mean cross entropy of a token."""
        return self.entropy / self.tokens

    @property
    def token_error(self) -> Tensor:
        """Share of tokens that are not the most probable one."""
        return self.wrong / self.tokens

    def over_processes(self) -> LossSums:
        """Returns the sums over all processes, without gradient; of a single process its own."""
        sums = torch.stack([self.entropy.detach(), self.wrong, self.tokens, self.utterances])
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(sums)
        return LossSums(*sums)


def sum_loss(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> LossSums:
    """Returns the sums of a batch.

    Args:
        logits: of the positions that are learned, (tokens, vocabulary), float32.
        labels: (B, T), IGNORED where nothing is learned.
        smoothing: share of each token's probability that is spread over all tokens.
    """
    learned = labels != IGNORED
    wanted = labels[learned]
    return LossSums(
        functional.cross_entropy(logits, wanted, label_smoothing=smoothing, reduction="sum"),
        (logits.argmax(dim=-1) != wanted).float().sum(),
        learned.float().sum(),
        learned.any(dim=1).float().sum(),
    )
