"""Activation checkpointing: a layer keeps its input alone, and is run again where the gradient comes back to it.

Chen et al., "Training deep nets with sublinear memory cost" (arXiv 1604.06174). The prompts' hooks are off by then, since a step
takes them off before its gradient is asked for, so they are put on again for each layer. transformers' own way works in training
mode alone, in which the frozen model never is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch.utils.checkpoint import checkpoint


@contextmanager
def recomputed(model: Any, prompts: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """Inside the block, no layer of encoder and decoder keeps its activations for the gradient.

    Args:
        model: a Whisper of transformers.
        prompts: puts the block's prompts on again.
    """
    layers = [*model.model.encoder.layers, *model.model.decoder.layers]
    for layer in layers:
        layer.forward = partial(
            checkpoint, layer.forward, use_reentrant=False, context_fn=lambda: (nullcontext(), prompts())
        )  # fmt: skip
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # what its class has is there again
