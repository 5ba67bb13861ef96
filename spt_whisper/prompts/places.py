"""The places of a prompt: what can stand where in Whisper. Imports nothing heavy.

Shapes: R rows of the batch (or 1, which serves every row), L layers (1 at sites that are there once a side), N prompt length,
D width.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

if TYPE_CHECKING:  # torch takes seconds to import, and help needs none
    from torch import Tensor

SIDES: tuple[str, ...] = ("encoder", "decoder")
Site = Literal["input", "attention", "cross", "feed_forward", "language"]


@dataclass(frozen=True)
class Kind:
    """What stands at a place: tensors, each with a vector or a number at each of the N positions."""

    numbers: ClassVar[tuple[str, ...]] = ()  # parts without D
    at_zero: ClassVar[tuple[str, ...]] = ()  # parts that start at 0

    @classmethod
    def parts(cls) -> tuple[str, ...]:
        """Returns the names of the tensors, in order."""
        return tuple(field.name for field in fields(cls) if field.name != "mask")

    @classmethod
    def has_mask(cls) -> bool:
        """Returns whether a mask tells which positions count; where there is none, zeros count for nothing."""
        return any(field.name == "mask" for field in fields(cls))


@dataclass(frozen=True)
class Prefix(Kind):
    """Vectors in front of a side's input, of a layer's attention, or in place of the language tokens."""

    vector: Tensor  # (R, L, N, D)
    mask: Tensor | None = None  # (R, N), False where a row has fewer than N; None: no such row


@dataclass(frozen=True)
class GatedPrefix(Kind):
    """Vectors with a softmax of their own: `sum_i softmax(q k)_i tanh(gate_i) v_i` is added to the attention."""

    numbers = ("gate",)
    at_zero = ("gate",)

    vector: Tensor  # (R, L, N, D)
    gate: Tensor  # (R, L, N)
    mask: Tensor | None = None


@dataclass(frozen=True)
class Pairs(Kind):
    """Keys and values in front of a layer's own, behind its projections."""

    key: Tensor  # (R, L, N, D)
    value: Tensor  # (R, L, N, D)
    mask: Tensor | None = None


@dataclass(frozen=True)
class Slots(Kind):
    """More slots of each feed-forward memory: `FFN(x) + gelu(x key^T + bias) value` (He et al., ICLR 2022)."""

    numbers = ("bias",)
    at_zero = ("bias", "value")

    key: Tensor  # (R, L, N, D)
    bias: Tensor  # (R, L, N)
    value: Tensor  # (R, L, N, D); a slot whose value is 0 is exactly no slot


@dataclass(frozen=True)
class Place:
    """A site, and one kind of what can stand there."""

    site: Site
    kind: type[Kind]
    sides: tuple[str, ...] = SIDES
    """Which sides of Whisper have it."""
    in_layers: bool = True
    """Whether each layer has it; else it is there once a side."""
    single: bool = False
    """Whether it has one vector by default; else as many as any site."""
    captured: bool = False
    """Whether vectors there may start from what Whisper's own layers see there."""


PLACES: dict[str, Place] = {
    "input": Place("input", Prefix, in_layers=False, captured=True),
    "attention": Place("attention", Prefix, captured=True),
    "attention_gated": Place("attention", GatedPrefix, captured=True),
    "attention_pairs": Place("attention", Pairs, captured=True),
    "cross": Place("cross", Prefix, sides=("decoder",), captured=True),
    "cross_gated": Place("cross", GatedPrefix, sides=("decoder",), captured=True),
    "cross_pairs": Place("cross", Pairs, sides=("decoder",), captured=True),
    "feed_forward": Place("feed_forward", Slots),
    "language": Place("language", Prefix, sides=("decoder",), in_layers=False, single=True),
}  # a site's first kind has its name
SITES: tuple[str, ...] = get_args(Site)
ATTENTION_SITES = tuple(place.site for place in PLACES.values() if place.kind is Pairs)
LANGUAGE_VECTOR = "decoder.language.vector"  # name of the tensor of a soft language token
