"""Put prompts into an unchanged transformers Whisper, for as long as a `with` block lasts.

Nothing of Whisper is copied, swapped or rewritten:

    site          how                                                                        shapes
    input         encoder: hooks put P in front of the first layer's input and cut it        (R, 1, N, D)
                  off before the final norm; decoder: a hook on the embedding writes P
                  over the N placeholders that follow <|startofprev|>
    language      the same hook writes over the language tokens                              (R, 1, n, D)
    attention     K = k_proj(layer_norm(P_l)), V alike, in front of each self-attention:     (R, L, N, D)
                  a registered attention function gets them as a keyword argument
    cross         hooks on k_proj and v_proj put k_proj(P_l) in front of the keys of the     (R, L, N, D)
                  encoder's states, so that the cache of cross-attention holds them once
    ..._gated     P_l has a softmax of its own, scaled by tanh(gate)                         and (R, L, N)
    ..._pairs     keys and values are given as they are, without k_proj and v_proj           twice
    feed_forward  hooks on fc1 and fc2 add gelu(x key^T + bias) value                        (R, L, N, D)

A hook learns a row's prompt from its place in the batch; R rows serve R * k rows in a beam search of k beams.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from weakref import WeakSet

from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import WhisperForConditionalGeneration

from spt_whisper.errors import InputError
from spt_whisper.prompts.config import DECODER_SITES, SIDES, SINGLE_SITES, site_of
from spt_whisper.prompts.vectors import PromptVectors
from spt_whisper.whisper.injection.attention import ATTENTION_NAME, cross_hooks, self_hooks
from spt_whisper.whisper.injection.embeddings import decoder_input_hooks, language_hooks
from spt_whisper.whisper.injection.encoder_input import encoder_input_hooks
from spt_whisper.whisper.injection.feed_forward import feed_forward_hooks

__all__ = ["ATTENTION_NAME", "prompted"]

_HOOKS = {
    "encoder": (encoder_input_hooks, self_hooks, feed_forward_hooks),
    "decoder": (decoder_input_hooks, language_hooks, self_hooks, cross_hooks, feed_forward_hooks),
}
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
        if any(site_of(name.split(".")[1]) in _ATTENTION for name in vectors.named_tensors()):
            model.config._attn_implementation = ATTENTION_NAME
        for side in SIDES:
            for hooks in _HOOKS[side]:
                handles += hooks(model, side, getattr(vectors, side))
        yield
    finally:
        for handle in handles:
            handle.remove()
        model.config._attn_implementation = attention_before
        _prompted_models.discard(model)


_ATTENTION = ("attention", "cross")


def _check(model: WhisperForConditionalGeneration, vectors: PromptVectors) -> None:
    if model in _prompted_models:
        raise InputError(
            "prompts: this model is prompted already; leave the inner `with prompted(...)` out"
        )
    config = model.config
    for name, tensor in vectors.named_tensors().items():
        side, place, _ = name.split(".")
        site = site_of(place)
        layers = 1 if site in SINGLE_SITES else getattr(config, f"{side}_layers")
        width_fits = tensor.dim() == 3 or tensor.shape[3] == config.d_model
        if side == "encoder" and site in DECODER_SITES:
            raise InputError(f"prompts: {name}: the encoder has no site {site}")
        if tensor.shape[1] != layers or not width_fits or tensor.shape[0] != vectors.rows:
            raise InputError(
                f"prompts: {name} has shape {tuple(tensor.shape)}, this Whisper wants "
                f"({vectors.rows}, {layers}, N, {config.d_model}): the prompt is of another model"
            )
