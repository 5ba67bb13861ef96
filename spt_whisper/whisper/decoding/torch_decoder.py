"""The decoder of transformers' Whisper on PyTorch, with a prompt per row: rows that leave take theirs along."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from spt_whisper.whisper.decoding.cached_decoder import CachedDecoder
from spt_whisper.whisper.decoding.fallback import decode_with
from spt_whisper.whisper.decoding.hypothesis import Hypothesis
from spt_whisper.whisper.injection import attachment_of
from spt_whisper.whisper.injection.attention import own_attention
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import DecodingOptions


@torch.inference_mode()
def decode(
    whisper: FrozenWhisper,
    states: Tensor,
    starts: Sequence[Sequence[int]],
    seconds: Sequence[float],
    options: DecodingOptions,
    signs: Sequence[Collection[int]] | None = None,
) -> list[Hypothesis]:
    """Decodes a batch of windows. Prompts that are on (`with prompted(...)`) stay on.

    Args:
        whisper: the model; prompts may be on.
        states: encoder states, (B, S, D).
        starts: for each row its first tokens, from `Tokens.start`.
        seconds: for each row how long its audio is.
        options: how to search.
        signs: for each row, tokens that may be written although Whisper's own list suppresses them; none by default.

    Returns:
        One hypothesis a row.
    """

    def decoder_of(rows: Sequence[int]) -> CachedDecoder:
        return TorchDecoder(whisper, states[rows], [starts[row] for row in rows], rows)

    attachment = attachment_of(whisper.model)
    try:
        with own_attention(whisper.model):
            return decode_with(
                decoder_of,
                whisper.vocabulary,
                starts,
                seconds,
                options,
                signs or [()] * len(starts),
            )
    finally:
        if attachment is not None:
            attachment.keep_rows(None)


class TorchDecoder(CachedDecoder):
    """transformers' decoder and its caches. Rows leave the batch with their prompts, where each has its own."""

    def __init__(
        self,
        whisper: FrozenWhisper,
        states: Tensor,
        starts: Sequence[Sequence[int]],
        rows: Sequence[int],
    ) -> None:
        """Takes the first tokens; nothing is run yet.

        Args:
            whisper: the model; prompts may be on.
            states: encoder states of the rows, (R, S, D).
            starts: first tokens of each row, from `Tokens.start`.
            rows: each row's place among the rows of prompts that are on.
        """
        super().__init__(whisper.tokens, starts, whisper.device)
        self.whisper, self.states, self.rows = whisper, states, list(rows)
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        self._keep_prompts()

    def _run(self, tokens: Tensor, positions: Tensor, mask: Tensor | None, read: Tensor) -> Tensor:
        hidden = self.whisper.model.model.decoder(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            encoder_hidden_states=self.states,
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        chosen = hidden[torch.arange(len(read), device=self.device)[:, None], read]
        return self._logits(chosen)

    def _logits(self, hidden: Tensor) -> Tensor:
        """(W, K, D) -> (W, K, V) in float32.

        On a processor `weight @ hidden^T` reads the weights once; for 2 to 16 rows in float32 that takes a half to a third
        of the time of `hidden @ weight^T`, which packs them first (`benchmarks/decoding_step.py`).
        """
        projection = self.whisper.model.proj_out
        if hidden.device.type == "cpu" and hidden.dtype == torch.float32:
            flat = (projection.weight @ hidden.flatten(0, 1).T).T.contiguous()
            return flat.unflatten(0, hidden.shape[:2])
        return projection(hidden).float()

    def _repeat(self, candidates: int) -> None:
        self._cache.self_attention_cache.batch_repeat_interleave(candidates)

    def _select_texts(self, texts: Tensor) -> None:
        self._cache.self_attention_cache.batch_select_indices(texts)

    def _select_rows(self, rows: Tensor) -> None:
        self._cache.cross_attention_cache.batch_select_indices(rows)
        self.states = self.states[rows]
        self.rows = [self.rows[row] for row in rows.tolist()]
        self._keep_prompts()

    def _keep_prompts(self) -> None:
        attachment = attachment_of(self.whisper.model)
        if attachment is not None:
            attachment.keep_rows(self.rows)
