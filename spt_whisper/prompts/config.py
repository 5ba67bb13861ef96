"""The settings of a soft prompt: where it stands, how long it is, how it is parameterized, how it starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from spt_whisper.errors import InputError
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.prompts.places import (
    ATTENTION_SITES,
    LANGUAGE_VECTOR,
    PLACES,
    SIDES,
    SITES,
    Site,
)

Side = Literal["encoder", "decoder", "entire"]
Parameterization = Literal["none", "residual_mlp", "low_rank", "key_value"]
DEFAULT_LENGTH = 48
# names of A and B of a language's part, behind that of the tensor that they change
LEFT, RIGHT = ".left", ".right"


@dataclass(frozen=True)
class PromptConfig:
    """Where a soft prompt stands in Whisper and how it is learned."""

    side: Side = "entire"
    """Encoder, decoder, or both ("entire")."""
    site: Site | list[Site] = "feed_forward"
    """In front of the side's input, in front of every layer's self-attention or (decoder) cross-attention, as slots
    of every layer's feed-forward memory, in place of the language token (decoder), or a list of these."""
    length: int | dict[str, int] = DEFAULT_LENGTH
    """N, the number of vectors (per layer but at the input); a mapping gives each site its own. The language site has
    one for each language token."""
    parameterization: Parameterization = "none"
    """Train the vectors themselves; through `x + LayerNorm(W2 relu(W1 x))` (residual_mlp; input, attention, cross); as
    `start + A B` (low_rank); or train keys and values after Whisper's own projections (key_value; attention, cross)."""
    bottleneck: int | None = None
    """Hidden width of the residual MLP; half the model's width by default."""
    rank: int = 8
    """Rank of A B."""
    gate: bool = False
    """Attention and cross vectors get a softmax of their own, scaled by tanh(gate) with a gate that starts at 0."""
    start: Literal["normal", "capture"] = "capture"
    """Start input, attention and cross vectors from a normal distribution, or from activations that frozen Whisper
    shows on training speech and text. Feed-forward slots need no capture: their values start at 0."""
    start_deviation: float = 0.02
    """Standard deviation of the normal start, of slot keys too (Whisper base's own fc1 rows have 0.025)."""

    def __post_init__(self) -> None:
        self._check_places()
        if isinstance(self.length, dict) and set(self.length) != set(self.sites):
            raise InputError(
                f"prompt.length: names {sorted(self.length)}, wanted exactly the sites {sorted(self.sites)}"
            )
        for site in self.sites:
            if not 1 <= self.length_at(site) <= 1024:
                raise InputError(
                    f"prompt.length: found {self.length_at(site)} at {site}, wanted 1 to 1024"
                )
        if self.rank < 1 or (self.bottleneck is not None and self.bottleneck < 1):
            raise InputError("prompt: wanted rank and bottleneck of at least 1")
        takers = _TAKERS[self.parameterization]
        if not takers & set(self.sites):
            raise InputError(
                f"prompt.parameterization: {self.parameterization} needs a site {' or '.join(sorted(takers))}; "
                f"found {', '.join(self.sites)}"
            )
        if self.gate and (
            not set(ATTENTION_SITES) & set(self.sites)
            or self.parameterization in ("key_value", "low_rank")
        ):
            raise InputError(
                "prompt.gate: needs a site attention or cross, and parameterization none or residual_mlp"
            )

    def _check_places(self) -> None:
        unknown = [site for site in self.sites if site not in SITES]
        if not self.sites or unknown or len(set(self.sites)) != len(self.sites):
            raise InputError(
                f"prompt.site: found {self.site!r}, wanted one or a set of {', '.join(SITES)}"
            )
        if self.side not in (*SIDES, "entire"):
            raise InputError(f"prompt.side: found {self.side!r}, wanted encoder, decoder or entire")
        for site in self.sites:
            sides = PLACES[site].sides
            if self.side not in (*sides, "entire"):
                raise InputError(
                    f"prompt.side: the {self.side} has no site {site}; wanted {' or '.join(sides)} or entire"
                )

    @property
    def _site_list(self) -> list[Site]:
        return [self.site] if isinstance(self.site, str) else list(self.site)

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites as a tuple."""
        return tuple(self._site_list)

    def sites_on(self, side: str) -> tuple[str, ...]:
        """Returns the sites that the prompt has on one side (none where it does not stand there)."""
        if self.side not in (side, "entire"):
            return ()
        return tuple(site for site in self.sites if side in PLACES[site].sides)

    def length_at(self, site: str) -> int:
        """Returns N at one site."""
        if isinstance(self.length, dict):
            return self.length[site]
        return 1 if PLACES[site].single else self.length

    def place_of(self, site: str) -> str:
        """Returns the place in `PLACES` at which the site's tensors stand."""
        if site in ATTENTION_SITES and self.gate:
            return f"{site}_gated"
        if site in ATTENTION_SITES and self.parameterization == "key_value":
            return f"{site}_pairs"
        return site

    @property
    def folded(self) -> PromptConfig:
        """The configuration of the same vectors without the network through which they were learned."""
        plain = self.parameterization in ("none", "key_value")
        return self if plain else replace(self, parameterization="none")

    @property
    def on_encoder(self) -> bool:
        """Whether anything stands in the encoder, so that its states cannot be computed once."""
        return bool(self.sites_on("encoder"))

    @property
    def decoder_positions(self) -> int:
        """How many decoder positions the prompt takes (only a decoder input prompt takes any)."""
        return self.length_at("input") if "input" in self.sites_on("decoder") else 0

    def tensor_shapes(self, shape: ModelShape) -> dict[str, tuple[int, ...]]:
        """Returns the name and shape of every tensor of the folded prompt."""
        shapes: dict[str, tuple[int, ...]] = {}
        for side in SIDES:
            for site in self.sites_on(side):
                name = self.place_of(site)
                place = PLACES[name]
                layers = shape.layers(side) if place.in_layers else 1
                for part in place.kind.parts():
                    width = () if part in place.kind.numbers else (shape.width,)
                    shapes[f"{side}.{name}.{part}"] = (layers, self.length_at(site), *width)
        return shapes


_TAKERS: dict[str, set[str]] = {
    "none": set(SITES),
    "residual_mlp": {site for site in SITES if PLACES[site].captured},
    "low_rank": set(SITES) - {"language"},
    "key_value": set(ATTENTION_SITES),
}


@dataclass(frozen=True)
class LanguageAwareConfig:
    """What each language of a bank has of its own."""

    combine: Literal["hadamard", "add", "concat"] = "add"
    """`P * (1 + A B)`, `P + A B` or `[P; Q]`."""
    rank: int = 4
    """r of A B, of which each layer and part has its own."""
    length: int = 4
    """Vectors of a language's own at each place (concat)."""
    soft_token: bool = True
    """Whether each language learns its language token, too; otherwise a related language's stands for it."""

    def __post_init__(self) -> None:
        if self.rank < 1 or self.length < 1:
            raise InputError("lapt: wanted rank and length of at least 1")
        if self.combine not in ("hadamard", "add", "concat"):
            raise InputError(
                f"lapt.combine: found {self.combine!r}, wanted hadamard, add or concat"
            )

    @property
    def low_rank(self) -> bool:
        """Whether a part is A B, and so has a rank."""
        return self.combine != "concat"

    def check(self, config: PromptConfig) -> None:
        """Refuses shared prompts to which no part of a language can be put.

        Raises:
            InputError: names the setting.
        """
        if "language" in config.sites:
            raise InputError("prompt.site: leave language out; lapt.soft_token gives each its own")
        if self.combine == "concat" and config.decoder_positions:
            raise InputError(
                "lapt.combine: concat cannot lengthen a decoder input prompt; take add or hadamard"
            )
        if self.soft_token and config.side == "encoder":
            raise InputError(
                "lapt.soft_token: a language token is the decoder's; set it to false, or take prompt.side decoder or entire"
            )
        self.combined_config(config)

    def part_shapes(self, config: PromptConfig, shape: ModelShape) -> dict[str, tuple[int, ...]]:
        """Returns the name and shape of every tensor of a language's part."""
        token = {LANGUAGE_VECTOR: (1, 1, shape.width)} if self.soft_token else {}
        if self.combine == "concat":
            return {**replace(config, length=self.length).tensor_shapes(shape), **token}
        low_rank: dict[str, tuple[int, ...]] = {}
        for name, (layers, length, *width) in config.tensor_shapes(shape).items():
            if width:
                low_rank[name + LEFT] = (layers, length, self.rank)
                low_rank[name + RIGHT] = (layers, self.rank, *width)
        return {**low_rank, **token}

    def combined_config(self, config: PromptConfig) -> PromptConfig:
        """Returns the configuration of a language's whole prompt, shared vectors and own ones together."""
        more = self.length if self.combine == "concat" else 0
        lengths = {site: config.length_at(site) + more for site in config.sites}
        if not self.soft_token:
            return replace(config, length=lengths)
        sites: list[Site] = [*config._site_list, "language"]
        return replace(config, site=sites, length={**lengths, "language": 1})
