"""The PyTorch engine: log-mel, encoder, decoder, with a prompt per row."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.engines.engine import Row, RowResult
from spt_whisper.errors import InputError
from spt_whisper.features import log_mel
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.vectors import PromptVectors, stack
from spt_whisper.whisper.decoding import decode
from spt_whisper.whisper.injection import prompted
from spt_whisper.whisper.language import detect_languages
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import DecodingOptions


class TorchEngine:
    """Decodes with transformers' Whisper and prompts that are on for the batch only."""

    def __init__(self, whisper: FrozenWhisper) -> None:
        """Takes the frozen model."""
        self.whisper = whisper
        self._ready: dict[
            int, tuple[Prompt, PromptVectors]
        ] = {}  # by identity; the prompt keeps the id taken

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
        whisper = self.whisper
        features = log_mel(
            [row.waveform for row in rows],
            window_seconds,
            whisper.config.num_mel_bins,
            whisper.device,
        )
        languages = self._languages(rows, features)
        vectors = stack([self._vectors(row.prompt) for row in rows])
        text_prompt = whisper.tokens.encode(options.text_prompt) if options.text_prompt else ()
        starts = [
            whisper.tokens.start(
                codes,
                placeholders=row.prompt.config.decoder_positions if row.prompt else 0,
                text_prompt=text_prompt,
                timestamps=options.timestamps,
            )
            for row, codes in zip(rows, languages, strict=True)
        ]
        seconds = [row.waveform.shape[0] / SAMPLE_RATE for row in rows]
        with prompted(whisper.model, vectors):
            hypotheses = decode(whisper, whisper.encode(features), starts, seconds, options)
        return [RowResult(found, codes) for found, codes in zip(hypotheses, languages, strict=True)]

    def _vectors(self, prompt: Prompt | None) -> PromptVectors | None:
        """The prompt's vectors on the model's device, after a check that it is of this model."""
        if prompt is None:
            return None
        if id(prompt) not in self._ready:
            whisper = self.whisper
            prompt.check_base(whisper.name, whisper.fingerprint, whisper.shape, whisper.quantized)
            self._ready[id(prompt)] = (prompt, prompt.vectors.to(whisper.device))
        return self._ready[id(prompt)][1]

    def _languages(self, rows: Sequence[Row], features: torch.Tensor) -> list[tuple[str, ...]]:
        """Each row's languages: given, else its prompt's (or the adapted model's), else what Whisper hears."""
        adapted = self.whisper.card
        cards = [row.prompt.card if row.prompt else adapted for row in rows]
        for row in rows:
            _check_language(row)
        known = [
            row.languages or (card.language_tokens if card else None)
            for row, card in zip(rows, cards, strict=True)
        ]
        unknown = [index for index, codes in enumerate(known) if not codes]
        if unknown:
            heard = detect_languages(self.whisper, self.whisper.encode(features[unknown]))
            for index, code in zip(unknown, heard, strict=True):
                known[index] = (code,)
        return [codes for codes in known if codes]


def _check_language(row: Row) -> None:
    """Refuses to name a language where the prompt has learned the token that stands for it."""
    if row.prompt is None or "language" not in row.prompt.config.sites or not row.languages:
        return
    if row.languages != row.prompt.card.language_tokens:
        raise InputError(
            f"language {'+'.join(row.languages)}: prompt {row.prompt.name} has a language token of its own, "
            "which would stand in its place; leave the language out"
        )
