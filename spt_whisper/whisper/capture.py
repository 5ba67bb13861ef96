"""Capture what frozen Whisper's layers see, as a start for prompts that Whisper has met before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.places import PLACES, SIDES
from spt_whisper.whisper.loading import FrozenWhisper


@torch.no_grad()
def capture_start(
    whisper: FrozenWhisper,
    config: PromptConfig,
    features: Tensor,
    tokens: Tensor,
    spoken: Tensor | None = None,
) -> dict[str, Tensor]:
    """Returns starting vectors for the input, attention and cross sites, taken from a few real utterances.

    Args:
        whisper: the frozen model, without prompts.
        config: the prompt that is to start.
        features: log-mel of a few utterances, (B, mels, frames).
        tokens: what they say, as decoder input, (B, T), filled up with the end-of-text token.
        spoken: how many of each one's encoder states hold speech, (B,); the silence behind is left out. None: all.

    Returns:
        `side.place.part` -> (L, N, D): encoder vectors evenly spaced over the frames of all utterances, decoder
        vectors from as many text positions, cross vectors over the encoder's states.
    """
    wanted = [
        (side, site) for side in SIDES for site in config.sites_on(side) if PLACES[site].captured
    ]
    if not wanted:
        return {}
    pools = _pools(whisper, features, tokens, spoken)
    start = {}
    for side, site in wanted:
        pool, count = pools[side, site], config.length_at(site)
        places = torch.linspace(0, pool.shape[1] - 1, count).round().long().to(pool.device)
        vectors = pool[:, places]
        place = config.place_of(site)
        parts = {"vector": vectors}
        if place.endswith("_pairs"):
            parts = _projected(whisper, side, site, vectors)
        start.update({f"{side}.{place}.{part}": _plain(t) for part, t in parts.items()})
    return start


def _pools(
    whisper: FrozenWhisper, features: Tensor, tokens: Tensor, spoken: Tensor | None
) -> dict[tuple[str, str], Tensor]:
    """(side, site) -> what Whisper's layers saw there, (L, places, D)."""
    encoder, decoder = whisper.model.model.encoder, whisper.model.model.decoder
    with layer_inputs(encoder.layers) as seen_encoder, layer_inputs(decoder.layers) as seen_decoder:
        states = whisper.encode(features)
        decoder(input_ids=tokens, encoder_hidden_states=states, use_cache=False)
    text = tokens != whisper.tokens.end
    places = torch.arange(states.shape[1], device=states.device)[None]
    speech = torch.ones_like(states[:, :, 0], dtype=torch.bool)
    if spoken is not None:
        speech = places < spoken.to(states.device)[:, None]
    frames = torch.stack([hidden[speech] for hidden in seen_encoder])
    embedded = decoder.embed_tokens(tokens)[text]  # an input prompt gets its positions later
    return {
        ("encoder", "input"): frames[:1],
        ("encoder", "attention"): frames,
        ("decoder", "input"): embedded[None],
        ("decoder", "attention"): torch.stack([hidden[text] for hidden in seen_decoder]),
        ("decoder", "cross"): states[speech].expand(len(decoder.layers), -1, -1),
    }


def _projected(whisper: FrozenWhisper, side: str, site: str, vectors: Tensor) -> dict[str, Tensor]:
    """The keys and values that the layers themselves would make of the vectors, (L, N, D) each."""
    keys, values = [], []
    for layer, own in zip(getattr(whisper.model.model, side).layers, vectors, strict=True):
        attention = layer.self_attn if site == "attention" else layer.encoder_attn
        seen = layer.self_attn_layer_norm(own) if site == "attention" else own
        keys.append(attention.k_proj(seen))
        values.append(attention.v_proj(seen))
    return {"key": torch.stack(keys), "value": torch.stack(values)}


def _plain(tensor: Tensor) -> Tensor:
    return tensor.float().cpu().clone()


@contextmanager
def layer_inputs(layers: nn.ModuleList) -> Iterator[list[Tensor]]:
    """Collects the inputs of the layers run inside the block, in order."""
    seen: list[Tensor] = []

    def keep(layer: nn.Module, args: tuple[Tensor, ...]) -> None:
        seen.append(args[0])

    handles = [layer.register_forward_pre_hook(keep) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
