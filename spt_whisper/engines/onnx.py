"""The engine of onnxruntime: log-mel, encoder and decoder graphs, with the one prompt that is in them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spt_whisper.audio import SAMPLE_RATE
from spt_whisper.engines.engine import Heard, Row, RowResult
from spt_whisper.engines.onnx_decoder import OnnxDecoder
from spt_whisper.errors import InputError
from spt_whisper.features import log_mel
from spt_whisper.whisper.decoding import CachedDecoder, decode_with
from spt_whisper.whisper.language import pooled_state
from spt_whisper.whisper.onnx import OnnxWhisper
from spt_whisper.whisper.options import DecodingOptions


class OnnxEngine:
    """Decodes with the graphs of an exported model."""

    def __init__(self, whisper: OnnxWhisper) -> None:
        """Takes the loaded graphs."""
        self.whisper = whisper

    @torch.inference_mode()
    def listen(self, rows: Sequence[Row], window_seconds: float) -> list[Heard]:
        """Hears how rows sound to the exported Whisper.

        Raises:
            InputError: a prompt is in the graphs, through which bare Whisper cannot be heard.
        """
        if self.whisper.settings.prompted:
            raise InputError(
                f"language: none given, and {self.whisper.name} has a prompt in it, through which no language is heard; "
                "name one"
            )
        states, kept = self._encode(rows, window_seconds)
        return self._heard(rows, states, kept)

    @torch.inference_mode()
    def decode_batch(
        self, rows: Sequence[Row], window_seconds: float, options: DecodingOptions
    ) -> list[RowResult]:
        """Decodes rows that share a window.

        Args:
            rows: audio of at most the window each, without prompts.
            window_seconds: the window, at most 30.
            options: how to search.

        Returns:
            One result a row, in order.

        Raises:
            InputError: a row has a prompt, or a language that the graphs do not have; words are asked for.
        """
        for row in rows:
            self._check(row)
        if options.word_timestamps:
            raise InputError(
                f"words: {self.whisper.name} gives no cross-attention weights; take the prompt itself for times of words"
            )
        tokens = self.whisper.tokens
        states, kept = self._encode(rows, window_seconds)
        languages = self._languages(rows, states, kept)
        previous = tokens.encode(options.previous_text) if options.previous_text else ()
        starts = [
            tokens.start(codes, text_prompt=previous, timestamps=options.timestamps)
            for codes in languages
        ]

        def decoder_of(wanted: Sequence[int]) -> CachedDecoder:
            own = [tensor[list(wanted)] for tensor in kept]
            return OnnxDecoder(self.whisper, own, [starts[row] for row in wanted])

        seconds = [_seconds(row) for row in rows]
        card, vocabulary = self.whisper.card, self.whisper.vocabulary
        signs = [card.signs if card else ()] * len(rows)
        found = decode_with(decoder_of, vocabulary, starts, seconds, options, signs)
        return [RowResult(own, codes) for own, codes in zip(found, languages, strict=True)]

    def _encode(self, rows: Sequence[Row], window_seconds: float) -> tuple[Tensor, list[Tensor]]:
        """Encoder states (B, S, D), and the keys and values with which the decoder begins."""
        waveforms = [row.waveform for row in rows]
        features = log_mel(waveforms, window_seconds, self.whisper.settings.mels)
        found = self.whisper.encoder.run(None, {"features": features.numpy()})
        states, *kept = (torch.from_numpy(tensor) for tensor in found)
        return states, kept

    def _languages(
        self, rows: Sequence[Row], states: Tensor, kept: Sequence[Tensor]
    ) -> list[tuple[str, ...]]:
        """Each row's codes: given, else the prompt's or adapted model's, else what Whisper hears."""
        card = self.whisper.card
        known = [row.languages or (card.language_tokens if card else ()) for row in rows]
        deaf = [index for index, codes in enumerate(known) if not codes]
        if deaf:
            own = [tensor[deaf] for tensor in kept]
            heard = self._heard([rows[index] for index in deaf], states[deaf], own)
            for index, found in zip(deaf, heard, strict=True):
                known[index] = (found.language,)
        return known

    def _heard(self, rows: Sequence[Row], states: Tensor, kept: Sequence[Tensor]) -> list[Heard]:
        tokens = self.whisper.tokens
        start = [[tokens.start_of_transcript]] * len(rows)
        logits, _ = OnnxDecoder(self.whisper, kept, start).begin(1)
        posteriors = logits[:, list(tokens.languages.values())].log_softmax(dim=-1)
        pooled = pooled_state(states, [_seconds(row) for row in rows])
        codes = list(tokens.languages)
        best = posteriors.argmax(dim=1).tolist()
        return [
            Heard(posterior, state, own, codes[index])
            for posterior, state, own, index in zip(posteriors, pooled, states, best, strict=True)
        ]

    def _check(self, row: Row) -> None:
        own = self.whisper.settings
        if row.prompt is not None:
            raise InputError(
                f"prompt {row.prompt.name}: {self.whisper.name} is an exported model, which takes none; leave it out, or "
                "take the prompt's base model"
            )
        trained = own.card.language_tokens if own.card else ()
        if own.soft_language and row.languages and row.languages != trained:
            raise InputError(
                f"language {'+'.join(row.languages)}: {self.whisper.name} has a language token of its own, which would "
                "stand in its place; leave the language out"
            )


def _seconds(row: Row) -> float:
    return row.waveform.shape[0] / SAMPLE_RATE
