"""The settings of a soft prompt: where it stands, how long it is, how it is parameterized, how it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spt_whisper.errors import InputError

Side = Literal["encoder", "decoder", "entire"]
Site = Literal["input", "attention", "feed_forward"]
SIDES: tuple[str, ...] = ("encoder", "decoder")
SITES: tuple[str, ...] = ("input", "attention", "feed_forward")
DEFAULT_LENGTH = 48


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a Whisper that a prompt must fit."""

    width: int
    """D, the width of the activations."""
    encoder_layers: int
    decoder_layers: int

    def layers(self, side: str) -> int:
        """Returns the number of layers of one side."""
        return self.encoder_layers if side == "encoder" else self.decoder_layers


@dataclass(frozen=True)
class PromptConfig:
    """Where a soft prompt stands in Whisper and how it is learned."""

    side: Side = "entire"
    """Encoder, decoder, or both ("entire")."""
    site: Site | list[Site] = "feed_forward"
    """In front of the side's input, in front of every layer's self-attention, as slots of every layer's
    feed-forward memory, or a list of these."""
    length: int | dict[str, int] = DEFAULT_LENGTH
    """N, the number of vectors (per layer at the attention and feed_forward sites); a mapping gives each site
    its own."""
    parameterization: Literal["none", "residual_mlp"] = "none"
    """Train the vectors themselves, or through `x + LayerNorm(W2 relu(W1 x))` (input and attention sites)."""
    bottleneck: int | None = None
    """Hidden width of the residual MLP; half the model's width by default."""
    start: Literal["normal", "capture"] = "capture"
    """Start input and attention vectors from a normal distribution, or from activations that frozen Whisper
    shows on training speech and text. Feed-forward slots need no capture: their values start at 0."""
    start_deviation: float = 0.02
    """Standard deviation of the normal start, of slot keys too (Whisper base's own fc1 rows have 0.025)."""

    def __post_init__(self) -> None:
        unknown = [site for site in self.sites if site not in SITES]
        if not self.sites or unknown or len(set(self.sites)) != len(self.sites):
            raise InputError(
                f"prompt.site: found {self.site!r}, wanted one or a set of {', '.join(SITES)}"
            )
        if self.side not in (*SIDES, "entire"):
            raise InputError(f"prompt.side: found {self.side!r}, wanted encoder, decoder or entire")
        if isinstance(self.length, dict) and set(self.length) != set(self.sites):
            raise InputError(
                f"prompt.length: names {sorted(self.length)}, wanted exactly the sites {sorted(self.sites)}"
            )
        for site in self.sites:
            if not 1 <= self.length_at(site) <= 1024:
                raise InputError(
                    f"prompt.length: found {self.length_at(site)} at {site}, wanted 1 to 1024"
                )
        if self.parameterization == "residual_mlp" and self.sites == ("feed_forward",):
            raise InputError(
                "prompt.parameterization: residual_mlp needs a site input or attention; "
                "feed_forward slots are learned directly"
            )

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites as a tuple."""
        return (self.site,) if isinstance(self.site, str) else tuple(self.site)

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides as a tuple."""
        return SIDES if self.side == "entire" else (self.side,)

    def length_at(self, site: str) -> int:
        """Returns N at one site."""
        return self.length[site] if isinstance(self.length, dict) else self.length

    @property
    def decoder_positions(self) -> int:
        """How many decoder positions the prompt takes (only a decoder input prompt takes any)."""
        return self.length_at("input") if "decoder" in self.sides and "input" in self.sites else 0

    def tensor_shapes(self, shape: ModelShape) -> dict[str, tuple[int, ...]]:
        """Returns the name and shape of every tensor of the folded prompt."""
        shapes: dict[str, tuple[int, ...]] = {}
        for side in self.sides:
            for site in self.sites:
                length = self.length_at(site)
                layers = 1 if site == "input" else shape.layers(side)
                if site == "feed_forward":
                    shapes[f"{side}.{site}.key"] = (layers, length, shape.width)
                    shapes[f"{side}.{site}.bias"] = (layers, length)
                    shapes[f"{side}.{site}.value"] = (layers, length, shape.width)
                else:
                    shapes[f"{side}.{site}.vector"] = (layers, length, shape.width)
        return shapes
