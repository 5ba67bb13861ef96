"""Capture what frozen Whisper's layers see, as a start for prompts that Whisper has met before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.places import PLACES, SIDES
from spt_whisper.whisper.loading import FrozenWhisper

Where = tuple[str, str]  # side and site

# utterances: what all layers of large-v3 see of so many windows of 30 s takes a gigabyte
_TOGETHER = 4


@dataclass(frozen=True)
class Turn:
    """Which of several prompts, that stand side by side, starts: each gets places of its own, since twins stay twins."""

    number: int = 0
    of: int = 1

    def places(self, mask: Tensor, count: int) -> Tensor:
        """Returns so many places (row, column), (count, 2), evenly spaced over those where the mask (B, P) is true."""
        there = mask.nonzero()
        spaced = torch.linspace(0, len(there) - 1, count * self.of).round().long()
        return there[spaced[self.number :: self.of].to(there.device)]


ALONE = Turn()


@torch.no_grad()
def capture_start(
    whisper: FrozenWhisper,
    config: PromptConfig,
    features: Tensor,
    tokens: Tensor,
    spoken: Tensor | None = None,
    turn: Turn = ALONE,
) -> dict[str, Tensor]:
    """Returns starting vectors for the input, attention and cross sites, taken from a few real utterances.

    Args:
        whisper: the frozen model, without prompts.
        config: the prompt that is to start.
        features: log-mel of a few utterances, (B, mels, frames).
        tokens: what they say, as decoder input, (B, T), filled up with the end-of-text token.
        spoken: how many of each one's encoder states hold speech, (B,); the silence behind is left out. None: all.
        turn: which of several prompts this is.

    Returns:
        `side.place.part` -> (L, N, D): encoder vectors evenly spaced over the frames of all utterances, decoder
        vectors from as many tokens, cross vectors over the encoder's states.
    """
    wanted = [
        (side, site) for side in SIDES for site in config.sites_on(side) if PLACES[site].captured
    ]
    if not wanted:
        return {}
    speech, text = _speech(whisper, features, spoken), tokens != whisper.tokens.end
    places = {}
    for side, site in wanted:
        heard = side == "encoder" or site == "cross"
        places[side, site] = turn.places(speech if heard else text, config.length_at(site))
    start = {}
    for (side, site), vectors in _captured(whisper, features, tokens, places).items():
        place = config.place_of(site)
        parts = {"vector": vectors}
        if place.endswith("_pairs"):
            parts = _projected(whisper, side, site, vectors)
        start.update({f"{side}.{place}.{part}": _plain(t) for part, t in parts.items()})
    return start


def _speech(whisper: FrozenWhisper, features: Tensor, spoken: Tensor | None) -> Tensor:
    """Which encoder states hold speech, (B, S)."""
    states = features.shape[-1] // 2  # the second convolution takes every other frame
    if spoken is None:
        spoken = torch.full((len(features),), states)
    return torch.arange(states, device=whisper.device) < spoken.to(whisper.device)[:, None]


def _captured(
    whisper: FrozenWhisper, features: Tensor, tokens: Tensor, places: Mapping[Where, Tensor]
) -> dict[Where, Tensor]:
    """(side, site) -> what Whisper's layers saw at these places, (L, N, D)."""
    vectors: dict[Where, list[Tensor]] = {where: [] for where in places}
    for first in range(0, len(tokens), _TOGETHER):
        rows = slice(first, first + _TOGETHER)
        seen = _seen(whisper, features[rows], tokens[rows])
        for where, chosen in places.items():
            row, column = chosen[chosen[:, 0] // _TOGETHER == first // _TOGETHER].T
            own = [hidden[row - first, column] for hidden in seen[where]]
            vectors[where].append(torch.stack(own))
    return {where: torch.cat(parts, dim=1) for where, parts in vectors.items()}


def _seen(whisper: FrozenWhisper, features: Tensor, tokens: Tensor) -> dict[Where, list[Tensor]]:
    """(side, site) -> what Whisper's layers see there, L of (B, positions, D)."""
    encoder, decoder = whisper.model.model.encoder, whisper.model.model.decoder
    with layer_inputs(encoder.layers) as seen_encoder, layer_inputs(decoder.layers) as seen_decoder:
        states = whisper.encode(features)
        decoder(input_ids=tokens, encoder_hidden_states=states, use_cache=False)
    return {
        ("encoder", "input"): seen_encoder[:1],
        ("encoder", "attention"): seen_encoder,
        ("decoder", "input"): [decoder.embed_tokens(tokens)],  # a prompt gets its positions later
        ("decoder", "attention"): seen_decoder,
        ("decoder", "cross"): [states] * len(decoder.layers),
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
