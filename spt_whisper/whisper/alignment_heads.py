"""The heads of the decoder's cross-attention that follow time: those that the model names, else all of its upper half."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import Any

logger = logging.getLogger(__name__)


def alignment_heads(model: Any) -> dict[int, list[int]]:
    """Returns layer -> its heads that follow time."""
    layers, heads = model.config.decoder_layers, model.config.decoder_attention_heads
    named = _named(model)
    if not named or not _fit(named, model):
        named = [[layer, head] for layer in range(layers // 2, layers) for head in range(heads)]
    by_layer = defaultdict[int, list[int]](list)
    for layer, head in named:
        by_layer[layer].append(head)
    return dict(by_layer)


def drop_foreign_heads(name: str, model: Any) -> None:
    """Drops a list of heads that a distilled model has from its teacher, which has more layers."""
    named = _named(model)
    if named and not _fit(named, model):
        logger.warning(
            "model %s: its alignment_heads are of a larger model; words are timed by the heads of its upper layers",
            name,
        )
        model.generation_config.alignment_heads = None


def _named(model: Any) -> list[list[int]] | None:
    return getattr(model.generation_config, "alignment_heads", None)


def _fit(named: list[list[int]], model: Any) -> bool:
    layers, heads = model.config.decoder_layers, model.config.decoder_attention_heads
    return all(0 <= layer < layers and 0 <= head < heads for layer, head in named)
