"""The numbers that Whisper computes with. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bfloat16", "float16"]  # as PyTorch names them


def dtype_of(precision: Precision) -> torch.dtype:
    """Returns PyTorch's own format of a name."""
    import torch

    return getattr(torch, precision)
