"""The PyTorch engine: log-mel, encoder, decoder, with a prompt per row."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from threading import RLock

import torch
from torch import Tensor

from spt_whisper.engines.engine import Heard, Row, RowResult
from spt_whisper.engines.languages import (
    check_soft_language,
    first_tokens,
    heard_in,
    signs_of,
    with_languages,
)
from spt_whisper.features import log_mel
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.vectors import PromptVectors, stack
from spt_whisper.whisper.alignment import align_words
from spt_whisper.whisper.attention_kernels import without_cudnn_attention
from spt_whisper.whisper.decoding import decode
from spt_whisper.whisper.injection import attachment_of, prompted
from spt_whisper.whisper.language import language_posterior
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import DecodingOptions

ENCODED_ON_PROCESSOR = (
    2  # rows at once: their activations stay in its caches; 8 take a tenth longer each
)


class TorchEngine:
    """Decodes with transformers' Whisper and prompts that are on for the batch only."""

    def __init__(self, whisper: FrozenWhisper) -> None:
        """Takes the frozen model."""
        self.whisper = whisper
        self._alone = RLock()  # one thread at a time: prompts are on for all who use the model
        self._ready: dict[int, PromptVectors] = {}  # by identity of prompts that are in use

    @torch.inference_mode()
    @without_cudnn_attention()
    def listen(self, rows: Sequence[Row], window_seconds: float) -> list[Heard]:
        """Hears how rows sound to bare Whisper: its language posterior and its encoder's states."""
        with self._alone:
            return self._heard(rows, self._features(rows, window_seconds))

    @torch.inference_mode()
    @without_cudnn_attention()
    def decode_batch(
        self, rows: Sequence[Row], window_seconds: float, options: DecodingOptions
    ) -> list[RowResult]:
        """Decodes rows that share a window.

        Args:
            rows: audio of at most the window each.
            window_seconds: the window, at most 30.
            options: how to search.

        Returns:
            One result a row, in order.
        """
        with self._alone:
            return self._decoded(rows, window_seconds, options)

    def _decoded(
        self, rows: Sequence[Row], window_seconds: float, options: DecodingOptions
    ) -> list[RowResult]:
        whisper, card = self.whisper, self.whisper.card
        for row in rows:
            if row.prompt is not None and "language" in row.prompt.config.sites:
                check_soft_language(row, f"prompt {row.prompt.name}", row.prompt.card)
        features = self._features(rows, window_seconds)

        def listen(deaf: list[int]) -> list[Heard]:
            return self._heard([rows[index] for index in deaf], features[deaf])

        named = with_languages(rows, card, listen)
        starts = first_tokens(named, whisper.tokens, options)
        seconds, signs = [row.seconds for row in named], [signs_of(row, card) for row in named]
        with prompted(whisper.model, stack([self._vectors(row.prompt) for row in named])):
            states = self._states(named, features)
            found = decode(whisper, states, starts, seconds, options, signs)
            words: list[list] = [[] for _ in named]
            if options.word_timestamps:
                written = [hypothesis.tokens for hypothesis in found]
                words = align_words(whisper, states, starts, written, seconds)
        return [
            RowResult(hypothesis, row.languages or (), tuple(own))
            for hypothesis, row, own in zip(found, named, words, strict=True)
        ]

    def _features(self, rows: Sequence[Row], window_seconds: float) -> Tensor:
        """(B, mels, frames)."""
        mels, device = self.whisper.config.num_mel_bins, self.whisper.device
        return log_mel([row.waveform for row in rows], window_seconds, mels, device)

    def _heard(self, rows: Sequence[Row], features: Tensor) -> list[Heard]:
        states = self._encoded(features, range(len(rows)))
        posteriors = language_posterior(self.whisper, states).log()
        return heard_in(rows, states, posteriors, self.whisper.tokens)

    def _states(self, rows: Sequence[Row], features: Tensor) -> Tensor:
        """Encoder states (B, S, D): those heard, where a row has no prompt in the encoder; prompts are on for the rest."""
        known = [
            row.heard is not None and not (row.prompt and row.prompt.config.on_encoder)
            for row in rows
        ]
        rest = [index for index, is_known in enumerate(known) if not is_known]
        if len(rest) == len(rows):
            return self._encoded(features, rest)
        states: list[Tensor] = [row.heard.states if row.heard else torch.empty(0) for row in rows]
        if rest:
            for index, own in zip(rest, self._encoded(features, rest), strict=True):
                states[index] = own
        return torch.stack(states)

    def _encoded(self, features: Tensor, rows: Sequence[int]) -> Tensor:
        """Encoder states of some rows of a batch, (rows, S, D), with these rows' prompts where prompts are on."""
        attachment = attachment_of(self.whisper.model)
        size = ENCODED_ON_PROCESSOR if features.device.type == "cpu" else len(rows)
        parts = []
        for part in (rows[first : first + size] for first in range(0, len(rows), size)):
            if attachment is not None:
                attachment.keep_rows(part)
            parts.append(self.whisper.encode(features[list(part)]))
        if attachment is not None:
            attachment.keep_rows(None)
        return torch.cat(parts)

    def _vectors(self, prompt: Prompt | None) -> PromptVectors | None:
        """The prompt's vectors on the model's device, after a check that it is of this model."""
        if prompt is None:
            return None
        if id(prompt) not in self._ready:
            prompt.check_base(self.whisper)
            self._ready[id(prompt)] = prompt.vectors.to(self.whisper.device)
            weakref.finalize(prompt, self._ready.pop, id(prompt), None)  # nobody else has it now
        return self._ready[id(prompt)]
