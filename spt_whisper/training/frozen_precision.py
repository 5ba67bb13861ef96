"""Frozen weights in the format in which autocast multiplies, while a run lasts.

Autocast casts the float32 weights of a product anew at every step, and autograd keeps each copy until the gradient has come
back. Whisper is frozen, so one cast is enough: the products are the same to the bit, and a GPU holds about half of a large model's
bytes. All that is no product (embeddings, norms) stays float32, as does what trains.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

NARROW = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}  # by Lightning's precision


@contextmanager
def narrowed(model: nn.Module, precision: str) -> Iterator[None]:
    """Inside the block, weights of linear layers and convolutions that do not train are in the format of `precision`.

    The float32 weights wait where they are, and come back at the end: move the model to a GPU inside the block, and the GPU
    never holds them.

    Args:
        model: a Whisper of transformers, in float32.
        precision: Lightning's name; nothing is done for one without autocast.
    """
    waiting: list[tuple[nn.Linear | nn.Conv1d, str, nn.Parameter]] = []
    if precision in NARROW:
        products = (each for each in model.modules() if isinstance(each, nn.Linear | nn.Conv1d))
        for module in products:
            for name, weight in module.named_parameters(recurse=False):
                if not weight.requires_grad:
                    narrow = weight.detach().to(NARROW[precision])
                    waiting.append((module, name, weight))
                    setattr(module, name, nn.Parameter(narrow, requires_grad=False))
    try:
        yield
    finally:
        for module, name, weight in waiting:
            setattr(module, name, weight)
