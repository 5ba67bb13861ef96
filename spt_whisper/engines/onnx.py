"""The engine of onnxruntime: log-mel, encoder and decoder graphs, with the one prompt that is in them."""

from __future__ import annotations

from collections.abc import Sequence

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
from spt_whisper.engines.onnx_decoder import OnnxDecoder
from spt_whisper.errors import InputError
from spt_whisper.features import log_mel
from spt_whisper.whisper.decoding import CachedDecoder, decode_with
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
        states, cache = self._encode(rows, window_seconds)
        return self._heard(rows, states, cache)

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
        whisper, card = self.whisper, self.whisper.card
        states, cache = self._encode(rows, window_seconds)

        def listen(deaf: list[int]) -> list[Heard]:
            own = [tensor[deaf] for tensor in cache]
            return self._heard([rows[index] for index in deaf], states[deaf], own)

        named = with_languages(rows, card, listen)
        starts = first_tokens(named, whisper.tokens, options)

        def decoder_of(wanted: Sequence[int]) -> CachedDecoder:
            every = list(wanted) == list(range(len(rows)))  # then nothing is copied
            own = cache if every else [tensor[list(wanted)] for tensor in cache]
            return OnnxDecoder(whisper, own, [starts[row] for row in wanted])

        seconds, signs = [row.seconds for row in named], [signs_of(row, card) for row in named]
        found = decode_with(decoder_of, whisper.vocabulary, starts, seconds, options, signs)
        return [RowResult(own, row.languages or ()) for own, row in zip(found, named, strict=True)]

    def _encode(self, rows: Sequence[Row], window_seconds: float) -> tuple[Tensor, list[Tensor]]:
        """Encoder states (B, S, D), and the keys and values with which the decoder begins."""
        waveforms = [row.waveform for row in rows]
        features = log_mel(waveforms, window_seconds, self.whisper.settings.mels)
        found = self.whisper.encoder.run(None, {"features": features.numpy()})
        states, *cache = (torch.from_numpy(tensor) for tensor in found)
        return states, cache

    def _heard(self, rows: Sequence[Row], states: Tensor, cache: Sequence[Tensor]) -> list[Heard]:
        tokens = self.whisper.tokens
        start = [[tokens.start_of_transcript]] * len(rows)
        logits, _ = OnnxDecoder(self.whisper, cache, start).begin(1)
        posteriors = logits[:, list(tokens.languages.values())].log_softmax(dim=-1)
        return heard_in(rows, states, posteriors, tokens)

    def _check(self, row: Row) -> None:
        own = self.whisper.settings
        if row.prompt is not None:
            raise InputError(
                f"prompt {row.prompt.name}: {self.whisper.name} is an exported model, which takes none; leave it out, or "
                "take the prompt's base model"
            )
        if own.soft_language:
            check_soft_language(row, self.whisper.name, own.card)
