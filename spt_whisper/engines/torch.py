"""The PyTorch engine: log-mel, encoder, decoder, with a prompt per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import RLock

import torch
from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.engines.engine import Heard, Row, RowResult
from spt_whisper.errors import InputError
from spt_whisper.features import log_mel
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.vectors import PromptVectors, stack
from spt_whisper.whisper.alignment import align_words
from spt_whisper.whisper.decoding import decode
from spt_whisper.whisper.injection import attachment_of, prompted
from spt_whisper.whisper.language import language_posterior, pooled_state
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
        self._ready: dict[
            int, tuple[Prompt, PromptVectors]
        ] = {}  # by identity; the prompt keeps the id taken

    @torch.inference_mode()
    def listen(self, rows: Sequence[Row], window_seconds: float) -> list[Heard]:
        """Hears how rows sound to bare Whisper: its language posterior and its encoder's states."""
        with self._alone:
            return self._heard(rows, self._features(rows, window_seconds))

    @torch.inference_mode()
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
        whisper, tokens = self.whisper, self.whisper.tokens
        features = self._features(rows, window_seconds)
        rows = self._with_languages(rows, features)
        previous = tokens.encode(options.previous_text) if options.previous_text else ()
        languages = [row.languages or () for row in rows]
        starts = [
            tokens.start(
                codes,
                placeholders=row.prompt.config.decoder_positions if row.prompt else 0,
                text_prompt=previous,
                timestamps=options.timestamps,
            )
            for row, codes in zip(rows, languages, strict=True)
        ]
        seconds = [_seconds(row) for row in rows]
        with prompted(whisper.model, stack([self._vectors(row.prompt) for row in rows])):
            states = self._states(rows, features)
            found = decode(
                whisper, states, starts, seconds, options, [self._signs(row) for row in rows]
            )
            words: list[list] = [[] for _ in rows]
            if options.word_timestamps:
                written = [hypothesis.tokens for hypothesis in found]
                words = align_words(whisper, states, starts, written, seconds)
        return [
            RowResult(hypothesis, codes, tuple(own))
            for hypothesis, codes, own in zip(found, languages, words, strict=True)
        ]

    def _signs(self, row: Row) -> tuple[int, ...]:
        """What the row's prompt, or the adapted model, was taught to write though bare Whisper never does."""
        card = row.prompt.card if row.prompt else self.whisper.card
        return card.signs if card else ()

    def _features(self, rows: Sequence[Row], window_seconds: float) -> Tensor:
        """(B, mels, frames)."""
        mels, device = self.whisper.config.num_mel_bins, self.whisper.device
        return log_mel([row.waveform for row in rows], window_seconds, mels, device)

    def _heard(self, rows: Sequence[Row], features: Tensor) -> list[Heard]:
        whisper = self.whisper
        states = self._encoded(features, range(len(rows)))
        posteriors = language_posterior(whisper, states).log()
        pooled = pooled_state(states, [_seconds(row) for row in rows])
        codes = list(whisper.tokens.languages)
        best = posteriors.argmax(dim=1).tolist()
        return [
            Heard(posterior, state, own, codes[index])
            for posterior, state, own, index in zip(posteriors, pooled, states, best, strict=True)
        ]

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
            self._ready[id(prompt)] = (prompt, prompt.vectors.to(self.whisper.device))
        return self._ready[id(prompt)][1]

    def _with_languages(self, rows: Sequence[Row], features: Tensor) -> list[Row]:
        """Each row with its languages: given, else its prompt's (or the adapted model's), else what Whisper hears."""
        for row in rows:
            _check_language(row)
        named = [replace(row, languages=row.languages or self._codes_of(row)) for row in rows]
        deaf = [i for i, row in enumerate(named) if not row.languages and row.heard is None]
        if deaf:
            heard = self._heard([rows[index] for index in deaf], features[deaf])
            for index, own in zip(deaf, heard, strict=True):
                named[index] = replace(named[index], heard=own)
        return [
            row
            if row.languages or row.heard is None
            else replace(row, languages=(row.heard.language,))
            for row in named
        ]

    def _codes_of(self, row: Row) -> tuple[str, ...] | None:
        card = row.prompt.card if row.prompt else self.whisper.card
        return (card.language_tokens or None) if card else None


def _seconds(row: Row) -> float:
    return row.waveform.shape[0] / SAMPLE_RATE


def _check_language(row: Row) -> None:
    """Refuses to name a language where the prompt has learned the token that stands for it."""
    if row.prompt is None or "language" not in row.prompt.config.sites or not row.languages:
        return
    if row.languages != row.prompt.card.language_tokens:
        raise InputError(
            f"language {'+'.join(row.languages)}: prompt {row.prompt.name} has a language token of its own, "
            "which would stand in its place; leave the language out"
        )
