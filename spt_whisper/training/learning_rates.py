"""Learning rates that suit what trains, where the recipe names none.

Measured on Kichwa with whisper-base (`recipes/kichwa.yaml`); those of vectors at other sites are of decoder prompts there. Vectors
that pass through a layer's norm before they count need large steps; slots of the feed-forward memory do not.
"""

from __future__ import annotations

from spt_whisper.prompts.config import LanguageAwareConfig, PromptConfig

LORA_RATE = 1.5e-3
_SLOT_PART_RATE = 4e-3  # of A B over slots on both sides: at 1e-3 it ends before it has learned
_SITE_RATES = {
    "input": 1e-2,
    "attention": 1e-2,
    "cross": 1e-2,
    "feed_forward": 1e-3,
    "language": 1e-2,
}


def prompt_rate(config: PromptConfig) -> float:
    """Returns the highest learning rate for a prompt: that of its site which takes the smallest steps."""
    return min(_SITE_RATES[site] for site in config.sites)


def part_rate(config: PromptConfig, aware: LanguageAwareConfig) -> float:
    """Returns the highest learning rate for a language's part over frozen shared vectors."""
    products = aware.low_rank and config.sites == ("feed_forward",)
    return _SLOT_PART_RATE if products and config.on_encoder else prompt_rate(config)
