"""Put prompts into an unchanged transformers Whisper, for as long as a `with` block lasts.

Nothing of Whisper is copied, swapped or rewritten:

    site          how                                                                    shapes
    input         encoder: hooks put P in front of the first layer's input and cut it    (R, 1, N, D)
                  off before the final norm; decoder: a hook on the embedding writes P
                  over the N placeholders that follow <|startofprev|>
    attention     K = k_proj(layer_norm(P_l)), V alike, in front of each self-attention: (R, L, N, D)
                  a registered attention function gets them as a keyword argument
    feed_forward  hooks on fc1 and fc2 add gelu(x key^T + bias) value                    (R, L, N, D)

A hook learns a row's prompt from its place in the batch; R rows serve R * k rows in a beam search of k beams.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle
from transformers import WhisperForConditionalGeneration
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from spt_whisper.errors import InputError
from spt_whisper.prompts.vectors import Prefix, PromptVectors, Slots

ATTENTION_NAME = "spt_whisper_prefix"
_prompted_models: WeakSet[nn.Module] = WeakSet()


@contextlib.contextmanager
def prompted(model: WhisperForConditionalGeneration, vectors: PromptVectors) -> Iterator[None]:
    """Turns prompts on inside the block; outside it the model is what it was, to the bit.

    Args:
        model: a Whisper of transformers, not changed.
        vectors: prompts with R = 1 (every row of a batch) or R = the rows of each batch run inside the block.

    Raises:
        InputError: the vectors do not fit the model, or the model is prompted already.
    """
    _check(model, vectors)
    attention_before = model.config._attn_implementation
    handles: list[RemovableHandle] = []
    _prompted_models.add(model)
    try:
        for side, stack in (("encoder", model.model.encoder), ("decoder", model.model.decoder)):
            given = getattr(vectors, side)
            if given.feed_forward is not None:
                handles += _feed_forward_hooks(stack.layers, given.feed_forward)
            if given.attention is not None:
                model.config._attn_implementation = ATTENTION_NAME
                handles += _attention_hooks(stack.layers, given.attention)
        if vectors.encoder.input is not None:
            handles += _encoder_input_hooks(model.model.encoder, vectors.encoder.input)
        if vectors.decoder.input is not None:
            handles.append(_decoder_input_hook(model, vectors))
        yield
    finally:
        for handle in handles:
            handle.remove()
        model.config._attn_implementation = attention_before
        _prompted_models.discard(model)


def _check(model: WhisperForConditionalGeneration, vectors: PromptVectors) -> None:
    if model in _prompted_models:
        raise InputError(
            "prompts: this model is prompted already; leave the inner `with prompted(...)` out"
        )
    config = model.config
    for name, tensor in vectors.named_tensors().items():
        side, site, _ = name.split(".")
        layers = 1 if site == "input" else getattr(config, f"{side}_layers")
        width_fits = name.endswith(".bias") or tensor.shape[3] == config.d_model
        if tensor.shape[1] != layers or not width_fits or tensor.shape[0] != vectors.rows:
            raise InputError(
                f"prompts: {name} has shape {tuple(tensor.shape)}, this Whisper wants "
                f"({vectors.rows}, {layers}, N, {config.d_model}): the prompt is of another model"
            )


# --- feed-forward slots ------------------------------------------------------------------------------


def _feed_forward_hooks(layers: Any, slots: Slots) -> list[RemovableHandle]:
    handles = []
    for index, layer in enumerate(layers):
        hook = _SlotHook(
            slots.key[:, index], slots.bias[:, index], slots.value[:, index], layer.activation_fn
        )
        handles.append(layer.fc1.register_forward_hook(hook.read))
        handles.append(layer.fc2.register_forward_hook(hook.add))
    return handles


class _SlotHook:
    """Sees x at fc1, adds the slots' output at fc2."""

    def __init__(self, key: Tensor, bias: Tensor, value: Tensor, activation: nn.Module) -> None:
        self.key, self.bias, self.value = key, bias, value  # (R, N, D), (R, N), (R, N, D)
        self.activation = activation
        self.pending: Tensor | None = None

    def read(self, module: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
        x = args[0]  # (B, T, D)
        key, bias, value = (part.to(x.dtype) for part in (self.key, self.bias, self.value))
        if key.shape[0] == 1:
            self.pending = self.activation(functional.linear(x, key[0], bias[0])) @ value[0]
            return
        _check_rows(x, key)
        x_by_row = x.reshape(key.shape[0], -1, x.shape[-1])  # beams of a row stand side by side
        hidden = self.activation(torch.baddbmm(bias[:, None], x_by_row, key.transpose(1, 2)))
        self.pending = torch.bmm(hidden, value).view_as(x)

    def add(self, module: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor:
        added, self.pending = self.pending, None
        return output if added is None else output + added


# --- attention prefixes -------------------------------------------------------------------------------


class _KeyValuePrefix(NamedTuple):
    key: Tensor  # (R, heads, N, head width)
    value: Tensor
    mask: Tensor | None  # (R, N)


def _attention_hooks(layers: Any, prefix: Prefix) -> list[RemovableHandle]:
    handles = []
    for index, layer in enumerate(layers):
        hook = _PrefixHook(layer, prefix.vector[:, index], prefix.mask)
        handles.append(layer.self_attn.register_forward_pre_hook(hook, with_kwargs=True))
    return handles


class _PrefixHook:
    """Hands a layer's self-attention its prefix; keys and values are made once where nothing trains."""

    def __init__(self, layer: Any, vector: Tensor, mask: Tensor | None) -> None:
        self.norm, self.vector, self.mask = layer.self_attn_layer_norm, vector, mask
        self.kept: _KeyValuePrefix | None = None

    def __call__(
        self, attention: Any, args: Any, kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        if attention.config._attn_implementation != ATTENTION_NAME:
            raise RuntimeError(
                f"prompts: the attention implementation became {attention.config._attn_implementation!r} inside "
                "`with prompted(...)`, which would leave the prompt out (return_token_timestamps does this)"
            )
        if self.kept is not None and not torch.is_grad_enabled():
            prefix = self.kept
        else:
            prefix = self._project(attention)
            self.kept = None if torch.is_grad_enabled() else prefix
        return args, {**kwargs, "prompt_prefix": prefix}

    def _project(self, attention: Any) -> _KeyValuePrefix:
        normalized = self.norm(self.vector.to(attention.k_proj.weight.dtype))  # (R, N, D)
        heads = (*normalized.shape[:2], attention.num_heads, attention.head_dim)
        key = attention.k_proj(normalized).view(heads).transpose(1, 2)
        value = attention.v_proj(normalized).view(heads).transpose(1, 2)
        return _KeyValuePrefix(key, value, self.mask)


def prefix_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    prompt_prefix: _KeyValuePrefix | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention with prompt keys and values in front, if there are any.

    Args:
        module: the attention layer.
        query: (B, heads, T, head width).
        key: (B, heads, S, head width).
        value: as key.
        attention_mask: None, or (B, 1, T or 1, S), True where attention is allowed.
        dropout: probability.
        scaling: factor of the scores; None is the usual one.
        prompt_prefix: the prompt's keys and values, or None: transformers' own function runs.
        kwargs: passed on where there is no prefix.

    Returns:
        (B, T, heads, head width), and None in place of the weights.
    """
    if prompt_prefix is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    _check_rows(query, prompt_prefix.key)
    batch = query.shape[0]
    mask = _extended_mask(prompt_prefix, attention_mask, query, key, module.is_causal)
    key = torch.cat([_expand(prompt_prefix.key, batch).to(key.dtype), key], dim=2)
    value = torch.cat([_expand(prompt_prefix.value, batch).to(value.dtype), value], dim=2)
    output = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling
    )
    return output.transpose(1, 2).contiguous(), None


def _extended_mask(
    prefix: _KeyValuePrefix, mask: Tensor | None, query: Tensor, key: Tensor, causal: bool
) -> Tensor | None:
    """The mask over prefix and keys, (B or 1, 1, T, N + S), True where allowed; None: everything is."""
    tokens, states = query.shape[2], key.shape[2]
    if mask is None and causal and tokens > 1:
        mask = torch.ones(tokens, states, dtype=torch.bool, device=query.device).tril(
            states - tokens
        )[None, None]
    if mask is None and prefix.mask is None:
        return None
    rows = query.shape[0]
    if mask is None:
        mask = torch.ones(1, 1, 1, states, dtype=torch.bool, device=query.device)
    prefix_mask = (
        torch.ones_like(prefix.key[:, 0, :, 0], dtype=torch.bool)
        if prefix.mask is None
        else prefix.mask
    )
    prefix_mask = _expand(prefix_mask, rows)[:, None, None].expand(rows, 1, tokens, -1)
    return torch.cat([prefix_mask, mask.expand(rows, 1, tokens, states)], dim=3)


ALL_ATTENTION_FUNCTIONS.register(ATTENTION_NAME, prefix_attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(ATTENTION_NAME, sdpa_mask)


# --- input prompts ------------------------------------------------------------------------------------


def _encoder_input_hooks(encoder: Any, prefix: Prefix) -> list[RemovableHandle]:
    """In front of the frame states, after convolutions and positions; cut off before the final norm."""
    length, mask = prefix.vector.shape[2], prefix.mask

    def put_in_front(layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = args[0]  # (B, frames, D)
        _check_rows(hidden, prefix.vector)
        vector = _expand(prefix.vector[:, 0], hidden.shape[0]).to(hidden.dtype)
        return (torch.cat([vector, hidden], dim=1), *args[1:])

    def cut_off(norm: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        return (args[0][:, length:],)

    def mask_short_rows(layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = args[0]
        assert mask is not None
        allowed = functional.pad(
            _expand(mask, hidden.shape[0]), (0, hidden.shape[1] - length), value=True
        )
        return (hidden, allowed[:, None, None], *args[2:])

    handles = [
        encoder.layers[0].register_forward_pre_hook(put_in_front),
        encoder.layer_norm.register_forward_pre_hook(cut_off),
    ]
    if mask is not None and not bool(mask.all()):
        handles += [layer.register_forward_pre_hook(mask_short_rows) for layer in encoder.layers]
    return handles


def _decoder_input_hook(
    model: WhisperForConditionalGeneration, vectors: PromptVectors
) -> RemovableHandle:
    """Writes each row's prompt over the placeholders after <|startofprev|>, wherever these tokens are embedded."""
    start = model.config.decoder_start_token_id
    generation: Any = model.generation_config
    previous = generation.prev_sot_token_id  # <|startofprev|>
    prefix = vectors.decoder.input
    assert prefix is not None
    lengths = torch.tensor(vectors.decoder_positions, device=prefix.vector.device)  # (R,)

    def write(embedding: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor:
        tokens = args[0]  # (B, T)
        if not bool((tokens == start).any()):
            return output  # a cached step: the prompt is in the cache
        _check_rows(tokens, prefix.vector)
        vector = _expand(prefix.vector[:, 0], tokens.shape[0])  # (B, N, D)
        wanted = _expand(lengths, tokens.shape[0])  # (B,)
        places = torch.arange(tokens.shape[1], device=tokens.device)[None]
        anchor = torch.where(tokens == previous, places, -1).amax(dim=1, keepdim=True)  # (B, 1)
        offset = places - anchor - 1  # (B, T): the index into the prompt
        first_start = torch.where(tokens == start, places, tokens.shape[1]).amin(dim=1)
        if bool(
            ((wanted > 0) & ((anchor[:, 0] < 0) | (anchor[:, 0] + wanted >= first_start))).any()
        ):
            raise RuntimeError(
                "prompts: a row with a decoder input prompt has no <|startofprev|> with that many placeholders "
                "behind it, so the prompt would be left out; build the tokens with Tokens.start"
            )
        written = (offset >= 0) & (offset < wanted[:, None]) & (anchor >= 0)
        index = offset.clamp(0, vector.shape[1] - 1)[..., None].expand(-1, -1, vector.shape[2])
        return torch.where(written[..., None], vector.gather(1, index).to(output.dtype), output)

    return model.model.decoder.embed_tokens.register_forward_hook(write)


# --- rows ---------------------------------------------------------------------------------------------


def _expand(tensor: Tensor, rows: int) -> Tensor:
    """(R, ...) -> (rows, ...): one prompt for all, or each prompt for its beams, which stand side by side."""
    if tensor.shape[0] == 1:
        return tensor.expand(rows, *tensor.shape[1:])
    return (
        tensor
        if tensor.shape[0] == rows
        else tensor.repeat_interleave(rows // tensor.shape[0], dim=0)
    )


def _check_rows(batch: Tensor, prompts: Tensor) -> None:
    if batch.shape[0] % prompts.shape[0]:
        raise RuntimeError(
            f"prompts: {prompts.shape[0]} rows of prompts met a batch of {batch.shape[0]} rows; "
            "give one prompt for all rows, or one a row"
        )
