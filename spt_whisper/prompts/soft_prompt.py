"""A soft prompt in training: the parameters from which prompt vectors are made, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.places import PLACES
from spt_whisper.prompts.reparameterization import build_network
from spt_whisper.prompts.vectors import PromptVectors


class SoftPrompt(nn.Module):
    """Learned vectors of one prompt; the parameters here that ask for a gradient train, and nothing elsewhere does."""

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
        self.vectors = nn.ParameterDict()
        self.networks = nn.ModuleDict()
        for name, tensor in start.named_tensors().items():
            _, place, part = name.split(".")
            network = build_network(
                config, place, part, tensor.shape[1:], generator or torch.Generator()
            )
            trains = network is None or network.trains_vectors
            own = tensor[0].detach().clone()
            self.vectors[parameter_key(name)] = nn.Parameter(own, requires_grad=trains)
            if network is not None:
                self.networks[parameter_key(name)] = network

    def forward(self) -> PromptVectors:
        """Returns the vectors (R = 1) with gradient."""
        return PromptVectors.from_named_tensors(
            {key.replace("/", "."): self._made(key)[None] for key in self.vectors}
        )

    def by_site(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yields the parameters, each with the site of the vectors that it makes."""
        for key, vectors in self.vectors.items():
            own = self.networks[key].parameters() if key in self.networks else ()
            for parameter in (vectors, *own):
                yield site_of(key), parameter

    def _made(self, key: str) -> Tensor:
        vectors = self.vectors[key]
        return self.networks[key](vectors) if key in self.networks else vectors

    @torch.no_grad()
    def fold(self) -> PromptVectors:
        """Returns plain vectors on the CPU, in float32, without gradient: what is saved and used."""
        return self.forward().map(lambda tensor: tensor.detach().float().cpu().clone())


def parameter_key(name: str) -> str:
    """Returns a tensor's name as torch takes it for a parameter: without dots."""
    return name.replace(".", "/")


def site_of(key: str) -> str:
    """Returns the site at which the tensor of a parameter stands."""
    return PLACES[key.split("/")[1]].site
