"""Dropout of feed-forward slots: at each step some are left out, so that none leans on another."""

from __future__ import annotations

import random
from dataclasses import replace

import torch

from spt_whisper.prompts.vectors import PromptVectors, SideVectors

SLOT_DROPOUT = 0.2  # of a whole prompt that meets few utterances often: docs/lab-book.md, 15 and 16
MANY_EPOCHS = 15


def thin_out(vectors: PromptVectors, share: float, seed: int, step: int) -> PromptVectors:
    """Leaves out slots and scales up the others (Srivastava et al., JMLR 2014, with a layer's slots as its units).

    The draw is a function of (seed, step): a resumed run draws what an unbroken one draws, and processes that share a batch
    draw the same. All rows of a batch lack the same slots.

    Args:
        vectors: of a batch; what is no slot stays as it is.
        share: of each layer's slots, from 0 to below 1, on average.
        seed: of the run.
        step: of the optimizer.
    """
    drawn = random.Random(f"slots/{seed}/{step}").getrandbits(63)
    draw = torch.Generator().manual_seed(drawn)
    return PromptVectors(
        *(_thinned(side, share, draw) for side in (vectors.encoder, vectors.decoder))
    )


def _thinned(side: SideVectors, share: float, draw: torch.Generator) -> SideVectors:
    slots = side.feed_forward
    if slots is None:
        return side
    kept = torch.rand(slots.bias.shape[1:], generator=draw) >= share  # (L, N)
    scale = (kept / (1 - share)).to(slots.value)
    return replace(side, feed_forward=replace(slots, value=slots.value * scale[..., None]))
