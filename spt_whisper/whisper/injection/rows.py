"""Rows of prompts and rows of a batch: one prompt for all, or each prompt for the beams of its row."""

from __future__ import annotations

from torch import Tensor


def expand(tensor: Tensor, rows: int) -> Tensor:
    """(R, ...) -> (rows, ...): one prompt for all, or each prompt for its beams, which stand side by side."""
    if tensor.shape[0] == 1:
        return tensor.expand(rows, *tensor.shape[1:])
    return (
        tensor
        if tensor.shape[0] == rows
        else tensor.repeat_interleave(rows // tensor.shape[0], dim=0)
    )


def check_rows(batch: Tensor, prompts: Tensor) -> None:
    """Raises RuntimeError where a batch (B, ...) is not a multiple of the prompts' rows (R, ...)."""
    if batch.shape[0] % prompts.shape[0]:
        raise RuntimeError(
            f"prompts: {prompts.shape[0]} rows of prompts met a batch of {batch.shape[0]} rows; "
            "give one prompt for all rows, or one a row"
        )
