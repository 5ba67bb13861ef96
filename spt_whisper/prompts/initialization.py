"""How a prompt starts: from a normal distribution or from activations captured in frozen Whisper (given as tensors)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.prompts.places import PLACES
from spt_whisper.prompts.vectors import PromptVectors


def start_vectors(
    config: PromptConfig,
    shape: ModelShape,
    generator: torch.Generator,
    captured: Mapping[str, Tensor] | None = None,
) -> PromptVectors:
    """Returns the vectors (R = 1) from which training starts.

    Gates, and biases and values of feed-forward slots, start at 0, which leaves Whisper exactly as it was.

    Args:
        config: the prompt.
        shape: the sizes of Whisper.
        generator: the source of randomness.
        captured: for `start: capture` and the language site, `side.place.part` -> (L, N, D) from `whisper.capture`.
    """
    named = {}
    for name, size in config.tensor_shapes(shape).items():
        _, place, part = name.split(".")
        if captured is not None and name in captured:
            named[name] = captured[name].detach().clone()
        elif part in PLACES[place].kind.at_zero:
            named[name] = torch.zeros(size)
        else:
            named[name] = torch.randn(size, generator=generator) * config.start_deviation
    return PromptVectors.from_named_tensors({name: tensor[None] for name, tensor in named.items()})
