"""Capture what frozen Whisper's layers see, as a start for prompts that Whisper has met before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from spt_whisper.prompts.config import PromptConfig
from spt_whisper.whisper.loading import FrozenWhisper


@torch.no_grad()
def capture_start(
    whisper: FrozenWhisper, config: PromptConfig, features: Tensor, tokens: Tensor
) -> dict[str, Tensor]:
    """Returns starting vectors for the input and attention sites, taken from a few real utterances.

    Args:
        whisper: the frozen model, without prompts.
        config: the prompt that is to start.
        features: log-mel of a few utterances, (B, mels, frames).
        tokens: what they say, as decoder input, (B, T), filled up with the end-of-text token.

    Returns:
        `side.site.vector` -> (L, N, D): encoder vectors evenly spaced over the frames of all utterances,
        decoder vectors from as many text positions.
    """
    wanted = [name for name in config.tensor_shapes(whisper.shape) if name.endswith(".vector")]
    if not wanted:
        return {}
    encoder, decoder = whisper.model.model.encoder, whisper.model.model.decoder
    with layer_inputs(encoder.layers) as seen_encoder, layer_inputs(decoder.layers) as seen_decoder:
        states = whisper.encode(features)
        decoder(input_ids=tokens, encoder_hidden_states=states, use_cache=False)
    text = tokens != whisper.tokens.end
    captured = {
        "encoder": torch.stack(
            [hidden.flatten(0, 1) for hidden in seen_encoder]
        ),  # (L, B * frames, D)
        "decoder": torch.stack([hidden[text] for hidden in seen_decoder]),  # (L, tokens, D)
    }
    embedded = decoder.embed_tokens(tokens)[text][
        None
    ]  # a decoder input prompt gets its positions later
    start = {}
    for name in wanted:
        side, site, _ = name.split(".")
        pool = captured[side]
        if site == "input":
            pool = embedded if side == "decoder" else pool[:1]
        count = config.length_at(site)
        places = torch.linspace(0, pool.shape[1] - 1, count).round().long().to(pool.device)
        start[name] = pool[:, places].float().cpu().clone()
    return start


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
