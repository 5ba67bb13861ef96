"""Prefixes of self-attention and cross-attention: keys and values in front of a layer's own, or with a gate beside them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from spt_whisper.prompts.places import GatedPrefix, Pairs, Prefix
from spt_whisper.prompts.vectors import SideVectors
from spt_whisper.whisper.injection.few_queries import attend, is_few
from spt_whisper.whisper.injection.rows import check_rows, expand

ATTENTION_NAME = "spt_whisper_prefix"


@contextlib.contextmanager
def own_attention(model: Any) -> Iterator[None]:
    """Inside the block every attention layer calls `prefix_attention`."""
    before = model.config._attn_implementation
    model.config._attn_implementation = ATTENTION_NAME
    try:
        yield
    finally:
        model.config._attn_implementation = before


class KeyValues(NamedTuple):
    """What stands in front of one layer's keys and values."""

    key: Tensor  # (R, N, D)
    value: Tensor  # (R, N, D)
    mask: Tensor | None  # (R, N)


def self_hooks(model: Any, side: str, given: SideVectors) -> list[RemovableHandle]:
    """Hands each self-attention of one side its prefixes."""
    handles: list[RemovableHandle] = []
    if not (given.attention or given.attention_pairs or given.attention_gated):
        return handles
    for index, layer in enumerate(getattr(model.model, side).layers):
        hook = LayerPrefix.of_self(layer, index, given).hand_over_all
        handles.append(layer.self_attn.register_forward_pre_hook(hook, with_kwargs=True))
    return handles


def cross_hooks(model: Any, side: str, given: SideVectors) -> list[RemovableHandle]:
    """Puts each cross-attention's prefix in front of the keys and values made from the encoder's states."""
    handles: list[RemovableHandle] = []
    if not (given.cross or given.cross_pairs or given.cross_gated):
        return handles
    for index, layer in enumerate(model.model.decoder.layers):
        attention, own = layer.encoder_attn, LayerPrefix.of_cross(layer, index, given)
        handles += [
            attention.register_forward_pre_hook(own.hand_over_gated, with_kwargs=True),
            attention.k_proj.register_forward_hook(own.put_keys_in_front),
            attention.v_proj.register_forward_hook(own.put_values_in_front),
        ]
    return handles


class LayerPrefix:
    """The prefixes of one attention layer; keys and values are made once where nothing trains."""

    def __init__(
        self,
        index: int,
        attention: Any,
        norm: Callable[[Tensor], Tensor],
        dtype: torch.dtype,
        prefix: Prefix | None,
        pairs: Pairs | None,
        gated: GatedPrefix | None,
    ) -> None:
        """Takes what the whole side is given, of which layer `index` has its own part.

        Args:
            index: of the layer.
            attention: transformers' attention layer.
            norm: what stands in front of it, for vectors that pass through it.
            dtype: of what Whisper computes outside products.
            prefix: vectors in front, or None.
            pairs: keys and values in front, or None.
            gated: vectors beside, or None.
        """
        self.index, self.attention, self.norm, self.dtype = index, attention, norm, dtype
        self.prefix, self.pairs, self.gated = prefix, pairs, gated
        self.kept: tuple[KeyValues | None, KeyValues | None] | None = None

    @classmethod
    def of_self(cls, layer: Any, index: int, given: SideVectors) -> LayerPrefix:
        """Returns what the self-attention of layer `index` has of a side's vectors."""
        attention, norm = layer.self_attn, layer.self_attn_layer_norm
        parts = (given.attention, given.attention_pairs, given.attention_gated)
        return cls(index, attention, norm, norm.weight.dtype, *parts)

    @classmethod
    def of_cross(cls, layer: Any, index: int, given: SideVectors) -> LayerPrefix:
        """Returns what the cross-attention of layer `index` has of the decoder's vectors.

        P stands where encoder states stand, behind the encoder's own final norm, so no norm is put on it.
        """
        attention, dtype = layer.encoder_attn, layer.encoder_attn_layer_norm.weight.dtype
        parts = (given.cross, given.cross_pairs, given.cross_gated)
        return cls(index, attention, nn.Identity(), dtype, *parts)

    def hand_over_all(
        self, attention: Any, args: Any, kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Before self-attention: both kinds go to the attention function."""
        self._check_implementation()
        in_front, beside = self.made()
        return args, {**kwargs, "prompt_prefix": in_front, "gated_prefix": beside}

    def hand_over_gated(
        self, attention: Any, args: Any, kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Before cross-attention: the gated kind goes to the function, and a mask hides what short rows lack."""
        self._check_implementation()
        in_front, beside = self.made()
        kwargs = {**kwargs, "gated_prefix": beside}
        if in_front is not None and in_front.mask is not None:
            rows, states = kwargs["key_value_states"].shape[:2]
            allowed = functional.pad(expand(in_front.mask, rows), (0, states), value=True)
            kwargs["attention_mask"] = allowed[:, None, None]
        return args, kwargs

    def put_keys_in_front(
        self, projection: nn.Module, args: tuple[Tensor], output: Tensor
    ) -> Tensor:
        """(B, S, D) -> (B, N + S, D); run once in a decoding, since its result is cached."""
        in_front, _ = self.made()
        return output if in_front is None else _cat(in_front.key, output)

    def put_values_in_front(
        self, projection: nn.Module, args: tuple[Tensor], output: Tensor
    ) -> Tensor:
        """As for keys."""
        in_front, _ = self.made()
        return output if in_front is None else _cat(in_front.value, output)

    def _check_implementation(self) -> None:
        found = self.attention.config._attn_implementation
        if found != ATTENTION_NAME:
            raise RuntimeError(
                f"prompts: the attention implementation became {found!r} inside "
                "`with prompted(...)`, which would leave the prompt out (return_token_timestamps does this)"
            )

    def made(self) -> tuple[KeyValues | None, KeyValues | None]:
        """Keys and values in front, and those with a gate beside them."""
        if torch.is_grad_enabled():
            self.kept = None
            return self._joint(), self._gated()
        if self.kept is None:
            self.kept = (self._joint(), self._gated())
        return self.kept

    def _joint(self) -> KeyValues | None:
        parts = []
        if self.prefix is not None:
            key, value = self._projected(self.prefix.vector)
            parts.append(KeyValues(key, value, self.prefix.mask))
        if self.pairs is not None:
            key, value = self.pairs.key[:, self.index], self.pairs.value[:, self.index]
            parts.append(KeyValues(key, value, self.pairs.mask))
        if len(parts) < 2:
            return parts[0] if parts else None
        masks = [_mask(part) for part in parts]
        return KeyValues(
            torch.cat([part.key for part in parts], 1),
            torch.cat([part.value for part in parts], 1),
            torch.cat(masks, 1),
        )

    def _gated(self) -> KeyValues | None:
        if self.gated is None:
            return None
        key, value = self._projected(self.gated.vector)
        mask = self.gated.mask
        if (
            mask is not None
        ):  # a row without any: its gates are 0, but a softmax needs a place to look at
            mask = mask | ~mask.any(dim=1, keepdim=True)
        return KeyValues(key, value * self.gated.gate[:, self.index].tanh()[..., None], mask)

    def _projected(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """(R, L, N, D) -> this layer's keys and values, (R, N, D) each."""
        normalized = self.norm(vectors[:, self.index].to(self.dtype))
        # .forward: the hooks of cross-attention stand on the modules themselves
        return (
            self.attention.k_proj.forward(normalized),
            self.attention.v_proj.forward(normalized),
        )


def prefix_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    prompt_prefix: KeyValues | None = None,
    gated_prefix: KeyValues | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention with prompt keys and values in front, or beside with a gate, if there are any.

    Args:
        module: the attention layer.
        query: (B, heads, T, head width).
        key: (B, heads, S, head width), or (B / k, heads, S, head width) where k texts share a row's encoder states.
        value: as key.
        attention_mask: None, or (B, 1, T or 1, S), with B / k rows as the keys have, True where attention is allowed.
        dropout: probability.
        scaling: factor of the scores; None is the usual one.
        prompt_prefix: keys and values in the same softmax, or None.
        gated_prefix: keys and (gated) values in a softmax of their own, or None.
        kwargs: passed on to transformers' own function, which runs but for few queries on a processor (`few_queries.py`).

    Returns:
        (B, T, heads, head width), and None in place of the weights.
    """
    if prompt_prefix is not None:
        check_rows(query, prompt_prefix.key)
        attention_mask = _extended_mask(prompt_prefix, attention_mask, query, key, module.is_causal)
        key = torch.cat([_heads(prompt_prefix.key, query), key], dim=2)
        value = torch.cat([_heads(prompt_prefix.value, query), value], dim=2)
        kwargs = {**kwargs, "is_causal": False}
    shared = query.shape[0] // key.shape[0]
    joined = _side_by_side(query, shared)
    if is_few(joined) and (query.shape[2] == 1 or not module.is_causal):
        output = attend(joined, key, value, attention_mask, scaling).transpose(1, 2)
    else:
        output, _ = sdpa_attention_forward(
            module, joined, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    if shared > 1:
        output = output.reshape(query.shape[0], -1, *output.shape[2:])
    if gated_prefix is not None:
        check_rows(query, gated_prefix.key)
        mask = gated_prefix.mask
        beside = functional.scaled_dot_product_attention(
            query,
            _heads(gated_prefix.key, query),
            _heads(gated_prefix.value, query),
            attn_mask=None if mask is None else expand(mask, query.shape[0])[:, None, None],
            scale=scaling,
        )
        output = output + beside.transpose(1, 2)
    return output, None


def _side_by_side(query: Tensor, shared: int) -> Tensor:
    """(B, heads, T, head width) -> (B / shared, heads, shared T, head width): the texts of a row as one."""
    if shared == 1:
        return query
    return query.unflatten(0, (-1, shared)).transpose(1, 2).flatten(2, 3)


def _extended_mask(
    prefix: KeyValues, mask: Tensor | None, query: Tensor, key: Tensor, causal: bool
) -> Tensor | None:
    """The mask over prefix and keys, (B or 1, 1, T, N + S), True where allowed; None: everything is."""
    tokens, states, rows = query.shape[2], key.shape[2], query.shape[0]
    if mask is None and causal and tokens > 1:
        square = torch.ones(tokens, states, dtype=torch.bool, device=query.device)
        mask = square.tril(states - tokens)[None, None]
    if mask is None and prefix.mask is None:
        return None
    if mask is None:
        mask = torch.ones(1, 1, 1, states, dtype=torch.bool, device=query.device)
    in_front = expand(_mask(prefix), rows)[:, None, None].expand(rows, 1, tokens, -1)
    return torch.cat([in_front, mask.expand(rows, 1, tokens, states)], dim=3)


def _mask(prefix: KeyValues) -> Tensor:
    """(R, N), True where there is a key."""
    if prefix.mask is None:
        return torch.ones_like(prefix.key[:, :, 0], dtype=torch.bool)
    return prefix.mask


def _heads(prefix: Tensor, query: Tensor) -> Tensor:
    """(R, N, D) -> (B, heads, N, head width), as the queries (B, heads, T, head width) want it."""
    batch, heads, _, width = query.shape
    return expand(prefix.unflatten(2, (heads, width)).transpose(1, 2), batch).to(query.dtype)


def _cat(prefix: Tensor, output: Tensor) -> Tensor:
    """(R, N, D) in front of (B, S, D)."""
    check_rows(output, prefix)
    return torch.cat([expand(prefix, output.shape[0]).to(output.dtype), output], dim=1)


ALL_ATTENTION_FUNCTIONS.register(ATTENTION_NAME, prefix_attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(ATTENTION_NAME, sdpa_mask)
