"""Whisper's decoder over a batch of windows, with keys and values kept from step to step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from spt_whisper.whisper.injection import attachment_of
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.padding import left_padded


class CachedDecoder:
    """R rows of audio with C candidates each: W = R C texts that grow by a token a step.

    The candidates of a row stand side by side and share its encoder states: the cache of cross-attention has R rows. Rows
    leave the batch (`keep_rows`), and so do their prompts, where each row has its own.
    """

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
        self.whisper, self.states, self.starts, self.rows = whisper, states, starts, list(rows)
        self.candidates = 1
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        self._mask: Tensor | None = None  # (W, T), False at what fills up short first tokens
        self._lengths = torch.tensor([len(start) for start in starts], device=whisper.device)
        attachment = attachment_of(whisper.model)
        if attachment is not None:
            attachment.keep_rows(self.rows)

    def begin(self, candidates: int) -> tuple[Tensor, list[float]]:
        """Runs the first tokens.

        Returns:
            Logits of the next token, (R C, V), and each row's no-speech probability.
        """
        whisper, self.candidates = self.whisper, candidates
        tokens, mask = left_padded(whisper, self.starts)
        places = torch.arange(tokens.shape[1], device=whisper.device)[None]
        positions = (places - (tokens.shape[1] - self._lengths)[:, None]).clamp(min=0)
        hidden = self._run(tokens, positions, mask)
        first = [
            tokens.shape[1] - len(start) + start.index(whisper.tokens.start_of_transcript)
            for start in self.starts
        ]
        at_start = hidden[torch.arange(len(first)), first]  # (R, D)
        no_speech = self._logits(at_start).softmax(dim=-1)
        logits = self._logits(hidden[:, -1])
        if candidates > 1:
            self._cache.self_attention_cache.batch_repeat_interleave(candidates)
        self._lengths = self._lengths.repeat_interleave(candidates)
        self._mask = None if mask is None else mask.repeat_interleave(candidates, dim=0)
        return (
            logits.repeat_interleave(candidates, dim=0),
            no_speech[:, whisper.tokens.no_speech].tolist(),
        )

    def step(self, tokens: Tensor) -> Tensor:
        """Runs one more token of each text, (W,), and returns the logits of the next one, (W, V)."""
        if self._mask is not None:
            self._mask = torch.nn.functional.pad(self._mask, (0, 1), value=True)
        hidden = self._run(tokens[:, None], self._lengths[:, None], self._mask)
        self._lengths += 1
        return self._logits(hidden[:, -1])

    def reorder(self, texts: Tensor) -> None:
        """Text i becomes a copy of text `texts[i]`, (W,), which is of the same row."""
        self._cache.self_attention_cache.batch_select_indices(texts)

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Only these rows of the present batch stay."""
        chosen = torch.tensor(rows, device=self.whisper.device)
        offsets = torch.arange(self.candidates, device=chosen.device)
        texts = (chosen[:, None] * self.candidates + offsets).flatten()
        self._cache.self_attention_cache.batch_select_indices(texts)
        self._cache.cross_attention_cache.batch_select_indices(chosen)
        self.states, self._lengths = self.states[chosen], self._lengths[texts]
        self._mask = None if self._mask is None else self._mask[texts]
        self.rows = [self.rows[row] for row in rows]
        attachment = attachment_of(self.whisper.model)
        if attachment is not None:
            attachment.keep_rows(self.rows)

    def _logits(self, hidden: Tensor) -> Tensor:
        """(W, D) -> (W, V) in float32.

        On a processor `weight @ hidden^T` reads the weights once; for 2 to 16 rows in float32 that takes a half to a third
        of the time of `hidden @ weight^T`, which packs them first (`benchmarks/decoding_step.py`).
        """
        projection = self.whisper.model.proj_out
        if hidden.device.type == "cpu" and hidden.dtype == torch.float32:
            return (projection.weight @ hidden.T).T.contiguous()
        return projection(hidden).float()

    def _run(self, tokens: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        """(W, T) tokens -> (W, T, D), the states of the decoder's last layer."""
        output = self.whisper.model.model.decoder(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            encoder_hidden_states=self.states,
            past_key_values=self._cache,
            use_cache=True,
        )
        return output.last_hidden_state
