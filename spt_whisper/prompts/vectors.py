"""Prompt vectors: the one type in which every kind of prompt reaches the model, one set per row of a batch.

Shapes: R rows of the batch (or 1, which serves every row), L layers (1 at the input site), N prompt length, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from spt_whisper.prompts.config import SIDES


@dataclass(frozen=True)
class Prefix:
    """Vectors that stand in front of a side's input or of each layer's self-attention."""

    vector: Tensor  # (R, L, N, D)
    mask: Tensor | None = (
        None  # (R, N), False where a row's prompt is shorter than N; None: no such place
    )


@dataclass(frozen=True)
class Slots:
    """More slots of each feed-forward memory: `FFN(x) + gelu(x key^T + bias) value` (He et al., ICLR 2022)."""

    key: Tensor  # (R, L, N, D)
    bias: Tensor  # (R, L, N)
    value: Tensor  # (R, L, N, D); a slot whose value is 0 is exactly no slot


@dataclass(frozen=True)
class SideVectors:
    """What one side of Whisper (encoder or decoder) is given."""

    input: Prefix | None = None
    attention: Prefix | None = None
    feed_forward: Slots | None = None


@dataclass(frozen=True)
class PromptVectors:
    """The vectors of a batch: on both sides, at every site."""

    encoder: SideVectors = SideVectors()
    decoder: SideVectors = SideVectors()

    def named_tensors(self) -> dict[str, Tensor]:
        """Returns `side.site.name` -> tensor with the leading row dimension, masks left out."""
        named = {}
        for side in SIDES:
            for site in fields(SideVectors):
                part = getattr(getattr(self, side), site.name)
                names = [] if part is None else [f.name for f in fields(part) if f.name != "mask"]
                named.update({f"{side}.{site.name}.{name}": getattr(part, name) for name in names})
        return named

    @classmethod
    def from_named_tensors(
        cls, named: dict[str, Tensor], masks: dict[str, Tensor] | None = None
    ) -> PromptVectors:
        """Builds vectors from what `named_tensors` returns (masks by `side.site`)."""
        sides: dict[str, SideVectors] = {}
        for side in SIDES:
            sites: dict[str, Prefix | Slots] = {}
            for site in ("input", "attention"):
                if f"{side}.{site}.vector" in named:
                    mask = (masks or {}).get(f"{side}.{site}")
                    sites[site] = Prefix(named[f"{side}.{site}.vector"], mask)
            if f"{side}.feed_forward.key" in named:
                parts = (named[f"{side}.feed_forward.{name}"] for name in ("key", "bias", "value"))
                sites["feed_forward"] = Slots(*parts)
            sides[side] = SideVectors(**sites)  # type: ignore[arg-type]
        return cls(**sides)

    @property
    def rows(self) -> int:
        """R: how many rows the vectors describe (1 serves every row; 0 for no vectors at all)."""
        return next((tensor.shape[0] for tensor in self.named_tensors().values()), 0)

    @property
    def decoder_positions(self) -> list[int]:
        """How many decoder positions each row's input prompt takes."""
        prefix = self.decoder.input
        if prefix is None:
            return [0] * self.rows
        if prefix.mask is None:
            return [prefix.vector.shape[2]] * self.rows
        return [int(count) for count in prefix.mask.sum(dim=1)]

    def map(self, function: Callable[[Tensor], Tensor]) -> PromptVectors:
        """Returns vectors with the function applied to every tensor (masks are kept)."""
        named = {name: function(tensor) for name, tensor in self.named_tensors().items()}
        return PromptVectors.from_named_tensors(named, self._masks())

    def to(self, device: torch.device | str) -> PromptVectors:
        """Returns the vectors on a device."""
        named = {name: tensor.to(device) for name, tensor in self.named_tensors().items()}
        masks = {name: mask.to(device) for name, mask in self._masks().items()}
        return PromptVectors.from_named_tensors(named, masks)

    def _masks(self) -> dict[str, Tensor]:
        masks = {}
        for side in SIDES:
            for site in ("input", "attention"):
                part = getattr(getattr(self, side), site)
                if part is not None and part.mask is not None:
                    masks[f"{side}.{site}"] = part.mask
        return masks


def stack(rows: Sequence[PromptVectors | None]) -> PromptVectors:
    """Stacks prompts of one row each into a batch; None is a row without a prompt.

    Shorter prompts are filled up: slots with values of 0 (which add exactly 0), prefixes under a mask.

    Args:
        rows: for each row of the batch its vectors (R = 1) or None.

    Returns:
        Vectors with R = len(rows), or with R = 1 where every row has the very same prompt.
    """
    if rows and all(row is rows[0] for row in rows):
        return rows[0] or PromptVectors()
    tables = [row.named_tensors() if row is not None else {} for row in rows]
    named: dict[str, Tensor] = {}
    masks: dict[str, Tensor] = {}
    for name in dict.fromkeys(name for table in tables for name in table):
        parts = [table.get(name) for table in tables]
        named[name] = _stack_padded(parts)
        if name.endswith(".vector"):
            lengths = [0 if part is None else part.shape[2] for part in parts]
            masks[name.removesuffix(".vector")] = _length_mask(lengths, named[name].device)
    return PromptVectors.from_named_tensors(named, masks)


def _stack_padded(parts: Sequence[Tensor | None]) -> Tensor:
    """(1, L, N_r, ...) for each row or None -> (R, L, max N, ...), zeros where there is nothing."""
    present = [part for part in parts if part is not None]
    length = max(part.shape[2] for part in present)
    layers, rest = present[0].shape[1], present[0].shape[3:]
    stacked = present[0].new_zeros((len(parts), layers, length, *rest))
    for row, part in enumerate(parts):
        if part is not None:
            stacked[row, :, : part.shape[2]] = part[0]
    return stacked


def _length_mask(lengths: Sequence[int], device: torch.device) -> Tensor:
    """Lengths of R rows -> (R, max length), True where the row has a vector."""
    places = torch.arange(max(lengths), device=device)
    return places[None, :] < torch.tensor(lengths, device=device)[:, None]
