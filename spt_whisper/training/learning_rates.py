"""Learning rates that suit what trains, each kind of vectors its own, where the recipe names none.

Measured on Kichwa with whisper-base (`recipes/kichwa.yaml`); those of vectors at other sites are of decoder prompts there. Vectors
that pass through a layer's norm before they count need large steps; slots of the feed-forward memory do not.

Slots and LoRA are multiplied with what the layer sees, of width D: a step of Adam in each of D numbers moves the product D times as
far. So in a Whisper wider than base their rates fall with its width (Yang et al., "Tensor Programs V", arXiv 2203.03466;
docs/lab-book.md, 20).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from spt_whisper.prompts.config import LanguageAwareConfig, PromptConfig
from spt_whisper.prompts.soft_prompt import SoftPrompt

_MEASURED_WIDTH = 512  # whisper-base's


@dataclass(frozen=True)
class _Rate:
    """A highest learning rate, as measured."""

    measured: float
    falls: bool = False  # in a wider Whisper

    def at(self, width: int) -> float:
        """Returns the rate for a Whisper of this width."""
        return self.measured * min(1.0, _MEASURED_WIDTH / width) if self.falls else self.measured


_LORA_RATE = _Rate(1.5e-3, falls=True)
_SLOT_PART_RATE = _Rate(
    4e-3, falls=True
)  # of A B over slots on both sides: at 1e-3 it ends before it has learned
# through an MLP for each layer, as SPT4ASR has it; as LoRA, whose form A B has
_MLP_RATE, _LOW_RANK_RATE = _Rate(2e-3, falls=True), _Rate(1.5e-3, falls=True)
_SITE_RATES = {
    "input": _Rate(1e-2),
    "attention": _Rate(1e-2),
    "cross": _Rate(1e-2),
    "feed_forward": _Rate(1e-3, falls=True),
    "language": _Rate(1e-2),
}


_NETWORK_RATES = {
    "residual_mlp": dict.fromkeys(("input", "attention", "cross"), _MLP_RATE),
    "low_rank": {"feed_forward": _LOW_RANK_RATE},
}
"""Of what is learned through a network, by parameterization and site, where that is not the site's own rate."""


def site_rate(site: str, width: int) -> float:
    """Returns the highest learning rate for vectors at a site.

    Args:
        site: one of `SITES`.
        width: of Whisper, D.
    """
    return _SITE_RATES[site].at(width)


def default_rates() -> dict[str, float]:
    """Returns the highest rates of all kinds as measured, by name: what decides a run whose recipe names no rate."""
    kinds = {
        **_SITE_RATES, "lora": _LORA_RATE, "slot_part": _SLOT_PART_RATE,
        **{f"{name}.{site}": rate for name, rates in _NETWORK_RATES.items() for site, rate in rates.items()},
    }  # fmt: skip
    return {name: rate.measured for name, rate in kinds.items()}


def rates_of(prompt: SoftPrompt, width: int) -> Iterator[tuple[nn.Parameter, float]]:
    """Yields each parameter of a prompt with the highest learning rate of its site, or of its network there."""
    rates = _SITE_RATES | _NETWORK_RATES.get(prompt.config.parameterization, {})
    return ((parameter, rates[site].at(width)) for site, parameter in prompt.by_site())


def part_rate(site: str, config: PromptConfig, aware: LanguageAwareConfig, width: int) -> float:
    """Returns the highest learning rate for what a language has of its own at a site.

    Args:
        site: one of the prompt's, or `language`.
        config: the shared prompt.
        aware: the form of the part.
        width: of Whisper, D.
    """
    if site == "feed_forward" and aware.low_rank and config.on_encoder:
        return _SLOT_PART_RATE.at(width)
    return site_rate(site, width)


def lora_rate(width: int) -> float:
    """Returns the highest learning rate for LoRA in a Whisper of this width."""
    return _LORA_RATE.at(width)
