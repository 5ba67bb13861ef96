"""Prompt vectors: the one type in which every kind of prompt reaches the model, one set per row of a batch.

Shapes: R rows of the batch (or 1, which serves every row), L, N and D as in `places.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spt_whisper.prompts.places import PLACES, SIDES, GatedPrefix, Pairs, Prefix, Slots


@dataclass(frozen=True)
class SideVectors:
    """What one side of Whisper (encoder or decoder) is given at each of `PLACES`; cross and language only the decoder."""

    input: Prefix | None = None
    attention: Prefix | None = None
    attention_gated: GatedPrefix | None = None
    attention_pairs: Pairs | None = None
    cross: Prefix | None = None
    cross_gated: GatedPrefix | None = None
    cross_pairs: Pairs | None = None
    feed_forward: Slots | None = None
    language: Prefix | None = None


@dataclass(frozen=True)
class PromptVectors:
    """The vectors of a batch: on both sides, at every place."""

    encoder: SideVectors = SideVectors()
    decoder: SideVectors = SideVectors()

    def named_tensors(self) -> dict[str, Tensor]:
        """Returns `side.place.part` -> tensor with the leading row dimension, masks left out."""
        return {
            f"{side}.{place}.{part}": getattr(given, part)
            for side, place, given in self._places()
            for part in given.parts()
        }

    @classmethod
    def from_named_tensors(
        cls, named: dict[str, Tensor], masks: dict[str, Tensor] | None = None
    ) -> PromptVectors:
        """Builds vectors from what `named_tensors` returns (masks by `side.place`)."""
        sides: dict[str, SideVectors] = {}
        for side in SIDES:
            places: dict[str, Any] = {}
            for name, place in PLACES.items():
                tensors = {part: named.get(f"{side}.{name}.{part}") for part in place.kind.parts()}
                if any(tensor is not None for tensor in tensors.values()):
                    mask = (masks or {}).get(f"{side}.{name}")
                    given = tensors if mask is None else {**tensors, "mask": mask}
                    places[name] = place.kind(**given)
            sides[side] = SideVectors(**places)
        return cls(**sides)

    def _places(self) -> Iterator[tuple[str, str, Any]]:
        """(side, place, what stands there) of everything that is there."""
        for side in SIDES:
            for place in PLACES:
                given = getattr(getattr(self, side), place)
                if given is not None:
                    yield side, place, given

    @property
    def parameter_count(self) -> int:
        """How many numbers the vectors are, of all rows together."""
        return sum(tensor.numel() for tensor in self.named_tensors().values())

    @property
    def rows(self) -> int:
        """R: how many rows the vectors describe (1 serves every row; 0 for no vectors at all)."""
        return next((tensor.shape[0] for tensor in self.named_tensors().values()), 0)

    def map(self, function: Callable[[Tensor], Tensor]) -> PromptVectors:
        """Returns vectors with the function applied to every tensor (masks are kept)."""
        named = {name: function(tensor) for name, tensor in self.named_tensors().items()}
        return PromptVectors.from_named_tensors(named, self._masks())

    def to(self, device: torch.device | str) -> PromptVectors:
        """Returns the vectors on a device."""
        named = {name: tensor.to(device) for name, tensor in self.named_tensors().items()}
        masks = {name: mask.to(device) for name, mask in self._masks().items()}
        return PromptVectors.from_named_tensors(named, masks)

    def select_rows(self, rows: Sequence[int]) -> PromptVectors:
        """Returns the vectors of some rows."""
        chosen = list(rows)
        return PromptVectors.from_named_tensors(
            {name: tensor[chosen] for name, tensor in self.named_tensors().items()},
            {name: mask[chosen] for name, mask in self._masks().items()},
        )

    def _masks(self) -> dict[str, Tensor]:
        found = (
            (side, place, getattr(given, "mask", None)) for side, place, given in self._places()
        )
        return {f"{side}.{place}": mask for side, place, mask in found if mask is not None}


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
        place = name.rpartition(".")[0]
        if place not in masks and PLACES[place.partition(".")[2]].kind.has_mask():
            lengths = [0 if part is None else part.shape[2] for part in parts]
            masks[place] = _length_mask(lengths, named[name].device)
    return PromptVectors.from_named_tensors(named, masks)


def concatenate(prompts: Sequence[PromptVectors]) -> PromptVectors:
    """Returns prompts of one row one after the other, `[P_1; P_2; ...]`, at every place that one of them has."""
    tables = [prompt.named_tensors() for prompt in prompts]
    names = dict.fromkeys(name for table in tables for name in table)
    return PromptVectors.from_named_tensors(
        {name: torch.cat([table[name] for table in tables if name in table], 2) for name in names}
    )


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
