"""Attention of a few queries on a processor, as in a step of decoding: two matrix products.

PyTorch's fused function is made for many queries. For one query over 1,500 states it takes about as long in float32, and five
times as long in bfloat16 (measured: `benchmarks/decoding_step.py`, docs/explanation/speed.md).
"""

from __future__ import annotations

import torch
from torch import Tensor

MOST_QUERIES = 8


def is_few(query: Tensor) -> bool:
    """Whether this way is the faster one for queries (B, heads, T, head width)."""
    return (
        query.device.type == "cpu"
        and query.shape[2] <= MOST_QUERIES
        and not torch.is_grad_enabled()
    )


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None
) -> Tensor:
    """Scaled dot-product attention.

    Args:
        query: (B, heads, T, head width).
        key: (B, heads, S, head width).
        value: as key.
        mask: None, or (B or 1, 1, T or 1, S), True where attention is allowed.
        scaling: factor of the scores; None: 1 / sqrt(head width).

    Returns:
        (B, heads, T, head width).
    """
    factor = query.shape[3] ** -0.5 if scaling is None else scaling
    scores = (factor * query) @ key.transpose(2, 3)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype) @ value
