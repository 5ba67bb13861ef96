"""Utterances to examples to batches: audio or encoder states on one side, decoder tokens and labels on the other."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spt_whisper.audio import audio_duration
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError
from spt_whisper.whisper.tokens import MAX_POSITIONS, Tokens

IGNORED = -100  # label of positions that are not learned: prompt, first tokens, padding

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """An utterance with its text as tokens."""

    utterance: Utterance
    text: tuple[int, ...]
    duration: float  # seconds


@dataclass(frozen=True)
class ExampleBuilder:
    """How texts become decoder tokens; the same for every utterance of a run."""

    tokens: Tokens
    languages: tuple[str, ...]
    placeholders: int
    window_seconds: float
    timestamps_share: float = 0.0
    seed: int = 0

    def examples(
        self, utterances: Sequence[Utterance], texts: Sequence[str], split: str
    ) -> list[Example]:
        """Tokenizes, and drops by name what does not fit the window or the decoder's positions.

        Raises:
            InputError: nothing is left.
        """
        kept, too_long, too_many = [], [], []
        overhead = len(self.tokens.start(self.languages, placeholders=self.placeholders)) + 2
        for utterance, text in zip(utterances, texts, strict=True):
            duration = utterance.duration or _measured(utterance)
            example = Example(utterance, tuple(self.tokens.encode(text)), duration)
            if duration > self.window_seconds:
                too_long.append(utterance.id)
            elif overhead + len(example.text) > MAX_POSITIONS:
                too_many.append(utterance.id)
            else:
                kept.append(example)
        _report_dropped(split, f"longer than the window of {self.window_seconds:g} s", too_long)
        _report_dropped(split, f"over {MAX_POSITIONS} decoder positions", too_many)
        if not kept:
            raise InputError(
                f"corpus, {split}: none of {len(utterances)} utterances fits; raise window_seconds"
            )
        return kept

    def inputs_and_labels(self, example: Example, epoch: int) -> tuple[list[int], list[int]]:
        """Returns decoder input and what is to follow each position, both (T,).

        Whether an example carries timestamps depends on seed, epoch and utterance id alone.
        """
        draw = random.Random(f"{self.seed}/{epoch}/{example.utterance.id}").random()
        timed = draw < self.timestamps_share
        start = self.tokens.start(self.languages, placeholders=self.placeholders, timestamps=timed)
        text = list(example.text)
        if timed:
            text = [self.tokens.timestamp(0.0), *text, self.tokens.timestamp(example.duration)]
        inputs = [*start, *text]
        labels = [IGNORED] * (len(start) - 1) + text + [self.tokens.end]
        return inputs, labels


@dataclass(frozen=True)
class Batch:
    """What one step learns from."""

    ids: tuple[str, ...]
    inputs: Tensor  # (B, T) decoder tokens, filled up with the end token
    labels: Tensor  # (B, T), IGNORED where nothing is learned
    waveforms: tuple[Tensor | None, ...]  # 16 kHz mono; None where states are at hand
    states: tuple[Tensor | None, ...]  # (S, D) encoder states, float16; None where there is audio

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Returns the batch with tokens and labels on a device (Lightning calls this)."""
        return replace(self, inputs=self.inputs.to(device), labels=self.labels.to(device))


@dataclass(frozen=True)
class Item:
    """One example as the data set hands it out."""

    id: str
    inputs: list[int]
    labels: list[int]
    waveform: Tensor | None
    states: Tensor | None


def collate(items: Sequence[Item], fill: int) -> Batch:
    """Puts items into a batch; decoder tokens are filled up on the right with `fill`."""
    longest = max(len(item.inputs) for item in items)
    inputs = [item.inputs + [fill] * (longest - len(item.inputs)) for item in items]
    labels = [item.labels + [IGNORED] * (longest - len(item.labels)) for item in items]
    return Batch(
        ids=tuple(item.id for item in items),
        inputs=torch.tensor(inputs),
        labels=torch.tensor(labels),
        waveforms=tuple(item.waveform for item in items),
        states=tuple(item.states for item in items),
    )


def _measured(utterance: Utterance) -> float:
    if utterance.end is not None:
        return utterance.end - (utterance.start or 0.0)
    return audio_duration(utterance.audio) - (utterance.start or 0.0)


def _report_dropped(split: str, reason: str, names: Sequence[str]) -> None:
    if names:
        logger.warning(
            "corpus, %s: %d utterances dropped, %s: %s", split, len(names), reason, " ".join(names)
        )
