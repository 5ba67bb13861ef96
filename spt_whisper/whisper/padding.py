"""First tokens of several rows in one tensor: filled up on the left, so that all texts start at the same place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def left_padded(
    starts: Sequence[Sequence[int]], filling: int, device: torch.device
) -> tuple[Tensor, Tensor | None]:
    """Returns first tokens, (B, T), and where they are not filling, (B, T); None where nothing had to be filled."""
    longest = max(len(start) for start in starts)
    fill = [longest - len(start) for start in starts]
    rows = [[filling] * count + list(start) for count, start in zip(fill, starts, strict=True)]
    tokens = torch.tensor(rows, device=device)
    if not any(fill):
        return tokens, None
    places = torch.arange(longest, device=device)
    return tokens, places[None] >= torch.tensor(fill, device=device)[:, None]
