"""Residual prompt tuning: vectors learned through a small network that is folded away before saving.

Razdaibiedina et al., Findings of ACL 2023 (arXiv 2305.03937); per layer and site as in TS-Whisper (arXiv 2312.08079).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ResidualMLP(nn.Module):
    """`x + LayerNorm(W2 relu(W1 x))`, one network for each layer."""

    def __init__(
        self, layers: int, width: int, bottleneck: int, generator: torch.Generator
    ) -> None:
        """Starts as the identity: the LayerNorm's weight is 0, so that a careful start survives."""
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


def _uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator) -> Tensor:
    bound = fan_in**-0.5
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)
