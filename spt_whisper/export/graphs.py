"""Whisper's encoder and decoder as two graphs with a prompt's vectors as constants.

    encoder   features -> states; for each decoder layer the keys and values that its two attentions begin with
    decoder   tokens, and keys and values of all before -> logits, and keys and values of all until now

What stands in front of an attention's keys (`LayerPrefix.made`) needs no place in the decoder: it is where the cached keys
begin. A prefix with a gate is a constant beside each attention. Slots are in the feed-forward layers already (`folding.py`).
The input table has the vectors of a decoder input prompt and of soft language tokens as rows behind Whisper's own.

R rows of audio with C texts each, of T tokens after P that are cached; S states, H heads of width d.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spt_whisper.prompts.vectors import PromptVectors, SideVectors
from spt_whisper.whisper.injection.attention import KeyValues, LayerPrefix


class PromptedAttention(nn.Module):
    """One attention of transformers' Whisper, and its prompt's keys and values."""

    front_key: Tensor | None  # (1, H, N, d): in front
    front_value: Tensor | None
    beside_key: Tensor | None  # (1, H, N, d): in a softmax of their own
    beside_value: Tensor | None

    def __init__(self, prefix: LayerPrefix) -> None:
        """Takes the layer's prefix, which knows the layer."""
        super().__init__()
        self.attention = prefix.attention
        in_front, beside = prefix.made()
        self._keep("front", in_front)
        self._keep("beside", beside)

    def _keep(self, name: str, given: KeyValues | None) -> None:
        for part in ("key", "value"):
            tensor = None if given is None else self._heads(getattr(given, part))
            self.register_buffer(f"{name}_{part}", tensor)

    def _heads(self, states: Tensor) -> Tensor:
        """(..., S, D) -> (..., H, S, d)."""
        return states.unflatten(-1, (self.attention.num_heads, -1)).transpose(-2, -3)

    def project(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Returns keys and values of states (..., S, D), (..., H, S, d) each."""
        own = self.attention
        return self._heads(own.k_proj(states)), self._heads(own.v_proj(states))

    def begin(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the keys and values in front for as many rows as states (R, S, D) have, (R, H, N, d) each; N may be 0."""
        if self.front_key is None or self.front_value is None:
            nothing = self._heads(states)[:, :, :0]
            return nothing, nothing
        rows = (states.shape[0], -1, -1, -1)
        return self.front_key.expand(rows), self.front_value.expand(rows)

    def look_at(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Returns keys and values of states (R, S, D) behind those in front, (R, H, N + S, d) each."""
        own = self.project(states)
        return own if self.front_key is None else _behind(self.begin(states), own)

    def forward(
        self, inputs: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Attends to keys and values, (..., H, S, d), with what stands in front.

        Args:
            inputs: (..., T, D).
            key: with as many dimensions as the queries, or one less: then the C texts of a row share it.
            value: as key.
            mask: (..., 1, T, S), True where attention is allowed; None: everywhere.

        Returns:
            (..., T, D).
        """
        query = self._heads(self.attention.q_proj(inputs)) * self.attention.scaling
        if query.dim() == key.dim():
            found = _attend(query, key, value, mask)
        else:  # (R, C, H, T, d): the texts of a row side by side
            side_by_side = query.transpose(1, 2)
            found = _attend(side_by_side.flatten(2, 3), key, value, mask)
            found = found.view_as(side_by_side).transpose(1, 2)
        if self.beside_key is not None and self.beside_value is not None:
            found = found + _attend(query, self.beside_key, self.beside_value)
        return self.attention.out_proj(found.transpose(-2, -3).flatten(-2))


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention in plain operations; a token that may look nowhere looks everywhere, and is never read."""
    scores = query @ key.mT
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(dim=-1) @ value


def self_attention(layer: Any, index: int, given: SideVectors) -> PromptedAttention:
    """Returns the self-attention of a layer with its prompt."""
    return PromptedAttention(LayerPrefix.of_self(layer, index, given))


def cross_attention(layer: Any, index: int, given: SideVectors) -> PromptedAttention:
    """Returns the cross-attention of a decoder layer with its prompt."""
    return PromptedAttention(LayerPrefix.of_cross(layer, index, given))


def feed_forward(layer: Any, hidden: Tensor) -> Tensor:
    """Returns what a layer's feed-forward memory adds to (B, T, D)."""
    return layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden))))


class EncoderGraph(nn.Module):
    """From features to all that the decoder needs of the audio."""

    encoder: Any
    own: Any  # lists of PromptedAttention, one a layer
    begins: Any
    cross: Any
    prefix: Tensor | None  # (1, N, D): in front of the frame states

    def __init__(self, model: Any, vectors: PromptVectors) -> None:
        """Takes a Whisper with folded slots, and the prompt (R = 1)."""
        super().__init__()
        self.encoder = model.model.encoder
        given = vectors.encoder
        self.register_buffer("prefix", given.input.vector[:, 0] if given.input else None)
        self.own = nn.ModuleList(
            self_attention(layer, index, given) for index, layer in enumerate(self.encoder.layers)
        )
        layers = list(enumerate(model.model.decoder.layers))
        self.begins = nn.ModuleList(
            self_attention(layer, n, vectors.decoder) for n, layer in layers
        )
        self.cross = nn.ModuleList(
            cross_attention(layer, n, vectors.decoder) for n, layer in layers
        )

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """(R, mels, 2 S) -> states (R, S, D), then for each decoder layer self key, self value, cross key, cross value."""
        encoder, prefix = self.encoder, self.prefix
        hidden = functional.gelu(encoder.conv1(features))
        hidden = functional.gelu(encoder.conv2(hidden)).transpose(1, 2)
        hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
        if prefix is not None:
            hidden = torch.cat([prefix.expand(hidden.shape[0], -1, -1), hidden], dim=1)
        for layer, own in zip(encoder.layers, self.own, strict=True):
            inputs = layer.self_attn_layer_norm(hidden)
            hidden = hidden + own(inputs, *own.look_at(inputs))
            hidden = hidden + feed_forward(layer, hidden)
        states = encoder.layer_norm(hidden if prefix is None else hidden[:, prefix.shape[1] :])
        cache: list[Tensor] = []
        for begin, cross in zip(self.begins, self.cross, strict=True):
            cache += [*begin.begin(states), *cross.look_at(states)]
        return states, *cache


class DecoderGraph(nn.Module):
    """A step of the decoder, over one token or several."""

    own: Any  # lists of PromptedAttention, one a layer
    cross: Any

    def __init__(self, model: Any, vectors: PromptVectors, language_ids: tuple[int, ...]) -> None:
        """Takes a Whisper with folded slots, the prompt, and the tokens that its soft language tokens stand for."""
        super().__init__()
        given = vectors.decoder
        self.decoder, self.size = model.model.decoder, model.config.vocab_size
        rows = [prefix.vector[0, 0] for prefix in (given.input, given.language) if prefix]
        self.table = nn.Parameter(torch.cat([self.decoder.embed_tokens.weight, *rows]), False)
        count = given.input.vector.shape[2] if given.input else 0
        soft = language_ids if given.language else ()
        self.soft = {token: self.size + count + n for n, token in enumerate(soft)}
        layers = list(enumerate(self.decoder.layers))
        self.own = nn.ModuleList(self_attention(layer, n, given) for n, layer in layers)
        self.cross = nn.ModuleList(cross_attention(layer, n, given) for n, layer in layers)

    def forward(
        self, tokens: Tensor, positions: Tensor, mask: Tensor, read: Tensor, cache: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """Runs tokens behind those that are cached.

        Args:
            tokens: (R, C, T).
            positions: of these, (R, C, T).
            mask: (R, C, P + T), False at filling.
            read: places within T whose logits are wanted, (R, C, K).
            cache: for each layer self key, self value, (R, C, H, P, d), cross key, cross value, (R, H, S, d).

        Returns:
            Logits, (R, C, K, V), then for each layer self key and self value, (R, C, H, P + T, d).
        """
        for token, row in self.soft.items():
            tokens = torch.where(tokens == token, row, tokens)
        hidden = functional.embedding(tokens, self.table)
        hidden = hidden + self.decoder.embed_positions.weight[positions]
        allowed = _causal(mask, tokens)
        new: list[Tensor] = []
        for index, (layer, own, cross) in enumerate(
            zip(self.decoder.layers, self.own, self.cross, strict=True)
        ):
            self_key, self_value, cross_key, cross_value = cache[4 * index : 4 * index + 4]
            inputs = layer.self_attn_layer_norm(hidden)
            key, value = _behind((self_key, self_value), own.project(inputs))
            hidden = hidden + own(inputs, key, value, allowed)
            inputs = layer.encoder_attn_layer_norm(hidden)
            hidden = hidden + cross(inputs, cross_key, cross_value)
            hidden = hidden + feed_forward(layer, hidden)
            new += [key, value]
        hidden = self.decoder.layer_norm(hidden)
        chosen = hidden.gather(2, read[..., None].expand(-1, -1, -1, hidden.shape[3]))
        return functional.linear(chosen, self.table)[..., : self.size], *new


def _behind(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Keys and values one behind the other."""
    return torch.cat([first[0], second[0]], dim=-2), torch.cat([first[1], second[1]], dim=-2)


def _causal(mask: Tensor, tokens: Tensor) -> Tensor:
    """(R, C, P + T) -> (R, C, 1, T, P + T): each token sees what is cached, and up to itself."""
    places = torch.arange(mask.shape[2], device=mask.device)
    own = torch.arange(tokens.shape[2], device=mask.device) + (mask.shape[2] - tokens.shape[2])
    return mask[:, :, None, None] & (places[None] <= own[:, None])
