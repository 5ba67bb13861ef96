"""A soft prompt in training: the parameters from which prompt vectors are made, and nothing else."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.reparameterization import ResidualMLP
from spt_whisper.prompts.vectors import PromptVectors


class SoftPrompt(nn.Module):
    """Learned vectors of one prompt; everything that is a parameter here trains, and nothing elsewhere does."""

    def __init__(
        self, config: PromptConfig, start: PromptVectors, generator: torch.Generator | None = None
    ) -> None:
        """Takes the vectors to start from (R = 1), such as `initialization.start_vectors` gives.

        Args:
            config: the prompt.
            start: the start, one row.
            generator: randomness of the reparameterization's weights.
        """
        super().__init__()
        self.config = config
        self.vectors = nn.ModuleDict()
        self.networks = nn.ModuleDict()
        for name, tensor in start.named_tensors().items():
            side, site, part = name.split(".")
            parts = _child(_child(self.vectors, side, nn.ModuleDict()), site, nn.ParameterDict())
            parts[part] = nn.Parameter(tensor[0].detach().clone())
            if config.parameterization == "residual_mlp" and part == "vector":
                layers, _, width = tensor.shape[1:]
                network = ResidualMLP(
                    layers, width, config.bottleneck or width // 2, generator or torch.Generator()
                )
                self.networks[f"{side}_{site}"] = network

    def forward(self) -> PromptVectors:
        """Returns the vectors (R = 1) with gradient."""
        named = {}
        vectors: Any = self.vectors  # side -> site -> part
        for side, sites in vectors.items():
            for site, parts in sites.items():
                for part, tensor in parts.items():
                    if f"{side}_{site}" in self.networks:
                        tensor = self.networks[f"{side}_{site}"](tensor)  # noqa: PLW2901
                    named[f"{side}.{site}.{part}"] = tensor[None]
        return PromptVectors.from_named_tensors(named)

    @torch.no_grad()
    def fold(self) -> PromptVectors:
        """Returns plain vectors on the CPU, in float32, without gradient: what is saved and used."""
        return self.forward().map(lambda tensor: tensor.detach().float().cpu().clone())

    @property
    def trained_numbers(self) -> int:
        """How many numbers train."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def stored_numbers(self) -> int:
        """How many numbers the folded prompt holds."""
        return sum(tensor.numel() for tensor in self.fold().named_tensors().values())


def _child(parent: Any, name: str, new: nn.Module) -> Any:
    if name not in parent:
        parent[name] = new
    return parent[name]
