"""Cross entropy as sums over tokens, which processes can add up to the figures of the whole batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from spt_whisper.training.batch import IGNORED

CHUNK = 1024  # positions; their logits take 0.2 GB in float32


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


def sum_loss(
    project: Callable[[Tensor], Tensor],
    hidden: Tensor,
    labels: Tensor,
    smoothing: float = 0.0,
    chunk: int = CHUNK,
) -> LossSums:
    """Returns the sums of a batch, from logits of the positions that are learned alone.

    Args:
        project: (tokens, D) -> logits, (tokens, vocabulary).
        hidden: the decoder's last states, (B, T, D).
        labels: (B, T), IGNORED where nothing is learned.
        smoothing: share of each token's probability that is spread over all tokens.
        chunk: how many positions have logits at once; of several chunks these are computed again for the gradient.
    """
    learned = labels != IGNORED
    wanted = labels[learned]
    parts = zip(hidden[learned].split(chunk), wanted.split(chunk), strict=True)
    several = wanted.shape[0] > chunk

    def sums(states: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        logits = project(states).float()
        entropy = functional.cross_entropy(
            logits, tokens, label_smoothing=smoothing, reduction="sum"
        )
        return entropy, (logits.argmax(dim=-1) != tokens).float().sum()

    found = [
        checkpoint(sums, *part, use_reentrant=False, preserve_rng_state=False) if several else sums(*part)
        for part in parts
    ]  # fmt: skip
    entropy, wrong = (torch.stack(each).sum() for each in zip(*found, strict=True))
    return LossSums(entropy, wrong, learned.float().sum(), learned.any(dim=1).float().sum())
