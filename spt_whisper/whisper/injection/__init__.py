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
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import WhisperForConditionalGeneration

from spt_whisper.errors import InputError
from spt_whisper.prompts.places import ATTENTION_SITES, PLACES, SIDES
from spt_whisper.prompts.vectors import PromptVectors
from spt_whisper.whisper.injection.attention import cross_hooks, own_attention, self_hooks
from spt_whisper.whisper.injection.embeddings import decoder_input_hooks, language_hooks
from spt_whisper.whisper.injection.encoder_input import encoder_input_hooks
from spt_whisper.whisper.injection.feed_forward import feed_forward_hooks

__all__ = ["Attachment", "attachment_of", "prompted"]

_HOOKS = {
    "encoder": (encoder_input_hooks, self_hooks, feed_forward_hooks),
    "decoder": (decoder_input_hooks, language_hooks, self_hooks, cross_hooks, feed_forward_hooks),
}


class Attachment:
    """Prompts that are on: the hooks of some or all of their rows."""

    def __init__(self, model: Any, vectors: PromptVectors) -> None:
        """Puts every row's prompt on."""
        self._model, self._vectors = model, vectors
        self._rows = list(range(vectors.rows))
        self._handles: list[RemovableHandle] = []
        self._attach(vectors)

    def keep_rows(self, rows: Sequence[int] | None) -> None:
        """From now on a batch has these rows only; None: all of them. One prompt for every row stays as it is."""
        wanted = list(range(self._vectors.rows)) if rows is None else list(rows)
        if self._vectors.rows < 2 or wanted == self._rows:
            return
        vectors = self._vectors.select_rows(wanted)
        self.remove()
        self._rows = []  # until they are on: where that fails, the next call tries again
        self._attach(vectors)
        self._rows = wanted

    def remove(self) -> None:
        """Takes the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _attach(self, vectors: PromptVectors) -> None:
        try:
            for side in SIDES:
                for hooks in _HOOKS[side]:
                    self._handles += hooks(self._model, side, getattr(vectors, side))
        except BaseException:
            self.remove()
            raise


_attachments: WeakKeyDictionary[nn.Module, Attachment] = WeakKeyDictionary()


def attachment_of(model: nn.Module) -> Attachment | None:
    """Returns the prompts that are on, by which a batch that gets smaller takes its prompts along."""
    return _attachments.get(model)


@contextlib.contextmanager
def prompted(model: WhisperForConditionalGeneration, vectors: PromptVectors) -> Iterator[None]:
    """Turns prompts on inside the block; outside it the model is what it was, to the bit.

    Args:
        model: a Whisper of transformers, not changed.
        vectors: prompts with R = 1 (every row of a batch) or R = the rows of each batch run inside the block.

    Raises:
        InputError: the vectors do not fit the model, the model has a prompt on already, or it does not name the tokens that mark
            where the vectors go.
    """
    _check(model, vectors)
    at_attention = any(
        PLACES[name.split(".")[1]].site in ATTENTION_SITES for name in vectors.named_tensors()
    )
    with own_attention(model) if at_attention else contextlib.nullcontext():
        attachment = _attachments[model] = Attachment(model, vectors)
        try:
            yield
        finally:
            attachment.remove()
            del _attachments[model]


def _check(model: WhisperForConditionalGeneration, vectors: PromptVectors) -> None:
    if model in _attachments:
        raise InputError(
            "prompts: this model is prompted already; leave the inner `with prompted(...)` out"
        )
    config = model.config
    for name, tensor in vectors.named_tensors().items():
        side, at, _ = name.split(".")
        place = PLACES[at]
        layers = getattr(config, f"{side}_layers") if place.in_layers else 1
        width_fits = tensor.dim() == 3 or tensor.shape[3] == config.d_model
        if side not in place.sides:
            raise InputError(f"prompts: {name}: the {side} has no site {place.site}")
        if tensor.shape[1] != layers or not width_fits or tensor.shape[0] != vectors.rows:
            raise InputError(
                f"prompts: {name} has shape {tuple(tensor.shape)}, this Whisper wants "
                f"({vectors.rows}, {layers}, N, {config.d_model}): the prompt is of another model"
            )
    _check_ids(model, vectors)


def _check_ids(model: WhisperForConditionalGeneration, vectors: PromptVectors) -> None:
    decoder = vectors.decoder
    wanted = {"prev_sot_token_id": decoder.input, "transcribe_token_id": decoder.language}
    missing = [
        name
        for name, prefix in wanted.items()
        if prefix is not None and getattr(model.generation_config, name, None) is None
    ]
    if missing:
        raise InputError(
            f"prompts: the model's generation_config has no {' and no '.join(missing)}, by which the prompt finds its place; "
            "set it, or load the model with FrozenWhisper"
        )
