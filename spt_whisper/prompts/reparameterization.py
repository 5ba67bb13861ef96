"""Networks through which prompt vectors are learned, and which are folded away before saving.

A network takes the vectors of one place, (L, N, D), and gives as many; at its start it is the identity.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.places import PLACES


class ResidualMLP(nn.Module):
    """`x + LayerNorm(W2 relu(W1 x))`, one network for each layer.

    Razdaibiedina et al., Findings of ACL 2023 (arXiv 2305.03937); one per layer and site as in TS-Whisper
    (arXiv 2312.08079). The LayerNorm's weight starts at 0, so that a careful start survives.
    """

    trains_vectors = True

    def __init__(
        self, layers: int, width: int, bottleneck: int, generator: torch.Generator
    ) -> None:
        """Takes L, D, the hidden width and the source of randomness."""
        super().__init__()
        self.down = nn.Parameter(_uniform((layers, width, bottleneck), width, generator))
        self.down_bias = nn.Parameter(torch.zeros(layers, 1, bottleneck))
        self.up = nn.Parameter(_uniform((layers, bottleneck, width), bottleneck, generator))
        self.up_bias = nn.Parameter(torch.zeros(layers, 1, width))
        self.norm_weight = nn.Parameter(torch.zeros(layers, 1, width))
        self.norm_bias = nn.Parameter(torch.zeros(layers, 1, width))

    def forward(self, vector: Tensor) -> Tensor:
        """(L, N, D) -> (L, N, D)."""
        hidden = torch.relu(torch.baddbmm(self.down_bias, vector, self.down))
        hidden = torch.baddbmm(self.up_bias, hidden, self.up)
        normalized = nn.functional.layer_norm(hidden, hidden.shape[-1:])
        return vector + normalized * self.norm_weight + self.norm_bias


class LowRank(nn.Module):
    """`start + A B`, one pair for each layer; the start itself stays as it is. A starts at 0."""

    trains_vectors = False

    def __init__(
        self, layers: int, length: int, width: int, rank: int, generator: torch.Generator
    ) -> None:
        """Takes L, N, D, the rank r and the source of randomness."""
        super().__init__()
        self.left = nn.Parameter(torch.zeros(layers, length, rank))
        self.right = nn.Parameter(_uniform((layers, rank, width), width, generator))

    def forward(self, vector: Tensor) -> Tensor:
        """(L, N, D) -> (L, N, D)."""
        return vector + self.left @ self.right  # the sum in float32 under autocast, too


Network = ResidualMLP | LowRank


def build_network(
    config: PromptConfig, place: str, part: str, shape: torch.Size, generator: torch.Generator
) -> Network | None:
    """Returns the network for one part of a place, (L, N, D); None where the part is learned directly."""
    chosen = _NETWORKS.get(config.parameterization)
    if chosen is None or place == "language" or part in PLACES[place].kind.numbers:
        return None
    return chosen(config, part, shape, generator)


def _residual_mlp(
    config: PromptConfig, part: str, shape: torch.Size, generator: torch.Generator
) -> Network | None:
    if part != "vector":
        return None
    layers, _, width = shape
    return ResidualMLP(layers, width, config.bottleneck or width // 2, generator)


def _low_rank(
    config: PromptConfig, part: str, shape: torch.Size, generator: torch.Generator
) -> Network:
    layers, length, width = shape
    return LowRank(layers, length, width, config.rank, generator)


_NETWORKS: dict[str, Callable[..., Network | None]] = {
    "residual_mlp": _residual_mlp,
    "low_rank": _low_rank,
}


def _uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator) -> Tensor:
    bound = fan_in**-0.5
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)
