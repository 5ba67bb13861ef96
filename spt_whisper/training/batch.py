"""Utterances to examples to batches: audio or encoder states on one side, decoder tokens and labels on the other."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.audio.window import shortest_window
from spt_whisper.corpora import with_duration
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError, first_of
from spt_whisper.whisper.tokens import MAX_POSITIONS, Tokens

IGNORED = -100  # label of positions that are not learned: prompt, first tokens, padding
ROUNDED = 0.05  # seconds by which the durations of a corpus may be too short

AudioKey = tuple[str, float | None, float | None]  # file, start and end in seconds
StatesKey = tuple[AudioKey, float]  # and the window

logger = logging.getLogger(__name__)


class NothingFitsError(InputError):
    """A part of the corpus is there, but no utterance of it can be learned from."""


@dataclass(frozen=True)
class Example:
    """An utterance with its text as tokens."""

    utterance: Utterance
    text: tuple[int, ...]
    duration: float  # seconds
    codes: tuple[str, ...]  # Whisper's language tokens in front of the text
    window: float  # seconds that the encoder takes of it

    @property
    def states_key(self) -> StatesKey:
        """What its encoder states are kept by: an id may stand in train and in dev, for different audio."""
        return audio_key(self.utterance), self.window


def audio_key(utterance: Utterance) -> AudioKey:
    """Returns what tells the audio of an utterance from any other."""
    return str(utterance.audio), utterance.start, utterance.end


def windows_of(examples: Iterable[Example]) -> tuple[float, ...]:
    """Returns the windows, in seconds, in which the encoder takes examples, ascending."""
    return tuple(sorted({example.window for example in examples}))


@dataclass(frozen=True)
class ExampleBuilder:
    """How texts become decoder tokens; the same for every utterance of a run."""

    tokens: Tokens
    codes: Mapping[str, tuple[str, ...]]  # corpus language -> the Whisper tokens that stand for it
    placeholders: int
    windows: tuple[float, ...]  # seconds, ascending
    timestamps_share: float = 0.0
    seed: int = 0
    main_language_only: bool = (
        False  # whether mixed speech gets the tokens of its main language alone
    )

    def examples(
        self,
        utterances: Sequence[Utterance],
        texts: Sequence[str],
        split: str,
        slowest: float = 1.0,
    ) -> list[Example]:
        """Tokenizes, chooses windows, and drops by name what does not fit the longest or the decoder's positions.

        Args:
            utterances: the speech.
            texts: what is learned of each.
            split: its name.
            slowest: the lowest speed at which audio may be played; the window holds it where any does.

        Raises:
            NothingFitsError: nothing is left.
        """
        kept: list[Example] = []
        too_long: list[Example] = []
        too_many: list[Example] = []
        for utterance, text in zip(utterances, texts, strict=True):
            duration = with_duration(utterance).duration or 0.0
            codes = self._codes(utterance, split)
            overhead = len(self.tokens.start(codes, placeholders=self.placeholders)) + 2
            window = shortest_window((duration + ROUNDED) / slowest, self.windows)
            example = Example(utterance, tuple(self.tokens.encode(text)), duration, codes, window)
            if duration > window:
                too_long.append(example)
            elif overhead + len(example.text) > MAX_POSITIONS:
                too_many.append(example)
            else:
                kept.append(example)
        _report_empty(split, kept)
        _report_dropped(split, f"longer than the window of {self.windows[-1]:g} s", too_long)
        _report_dropped(split, f"over {MAX_POSITIONS} decoder positions", too_many)
        if not kept:
            raise NothingFitsError(
                f"corpus, {split}: none of {len(utterances)} utterances fits; {self._why(too_long, too_many)}"
            )
        if len(kept) < len(utterances):
            dropped = [*too_long, *too_many]
            logger.info(
                "corpus, %s: %d utterances kept (%.1f minutes), %d dropped (%.1f minutes)",
                split, len(kept), _minutes(kept), len(dropped), _minutes(dropped),
            )  # fmt: skip
        return kept

    def _why(self, too_long: Sequence[Example], too_many: Sequence[Example]) -> str:
        """What stands against utterances, how often, and what helps."""
        longest, positions = self.windows[-1], f"text over {MAX_POSITIONS} decoder positions"
        if self.placeholders:
            positions += f", of which the prompt takes {self.placeholders}"
        beyond = sum(example.duration > WINDOW_SECONDS for example in too_long)
        counts = (
            (
                f"over {WINDOW_SECONDS} s, the longest window there is",
                "cut the recordings, or name their parts in the columns start and end",
                beyond,
            ),
            (f"over {longest:g} s", "raise window_seconds", len(too_long) - beyond),
            (positions, "shorten the texts", len(too_many)),
        )
        return "; ".join(f"{count} {what}: {cure}" for what, cure, count in counts if count)

    def inputs_and_labels(
        self, example: Example, epoch: int, speed: float = 1.0
    ) -> tuple[list[int], list[int]]:
        """Returns decoder input and what is to follow each position, both (T,).

        Whether an example carries timestamps depends on seed, epoch and utterance id alone.

        Args:
            example: the utterance and its text.
            epoch: the epoch.
            speed: how much faster its audio is played.
        """
        draw = random.Random(f"{self.seed}/{epoch}/{example.utterance.id}").random()
        timed = draw < self.timestamps_share
        start = self.tokens.start(example.codes, placeholders=self.placeholders, timestamps=timed)
        text = list(example.text)
        if timed:
            text = [
                self.tokens.timestamp(0.0),
                *text,
                self.tokens.timestamp(example.duration / speed),
            ]
        inputs = [*start, *text]
        labels = [IGNORED] * (len(start) - 1) + text + [self.tokens.end]
        return inputs, labels

    def _codes(self, utterance: Utterance, split: str) -> tuple[str, ...]:
        """The tokens of the languages of an utterance, each once."""
        spoken = utterance.languages[:1] if self.main_language_only else utterance.languages
        unknown = [language for language in spoken if language not in self.codes]
        if unknown:
            raise InputError(
                f"corpus, {split}: utterance {utterance.id} is in {', '.join(unknown)}, which has no token; "
                "name one in the recipe's languages"
            )
        found = (code for language in spoken for code in self.codes[language])
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Batch:
    """What one step learns from."""

    ids: tuple[str, ...]
    window: float  # seconds, of every row
    languages: tuple[tuple[str, ...], ...]  # of each utterance, as its corpus names them
    inputs: Tensor  # (B, T) decoder tokens, filled up with the end token
    labels: Tensor  # (B, T), IGNORED where nothing is learned
    waveforms: tuple[Tensor | None, ...]  # 16 kHz mono; None where states are at hand
    states: tuple[Tensor | None, ...]  # (S, D) encoder states, float16; None where there is audio
    mask_seeds: tuple[int | None, ...]  # of each row's SpecAugment; None: no mask

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Returns the batch with tokens and labels on a device (Lightning calls this)."""
        return replace(self, inputs=self.inputs.to(device), labels=self.labels.to(device))


@dataclass(frozen=True)
class Item:
    """One example as the data set hands it out."""

    id: str
    window: float  # seconds
    languages: tuple[str, ...]
    inputs: list[int]
    labels: list[int]
    waveform: Tensor | None
    states: Tensor | None
    mask_seed: int | None = None


def collate(items: Sequence[Item], fill: int) -> Batch:
    """Puts items that share a window into a batch; decoder tokens are filled up on the right with `fill`."""
    (window,) = {item.window for item in items}
    longest = max(len(item.inputs) for item in items)
    inputs = [item.inputs + [fill] * (longest - len(item.inputs)) for item in items]
    labels = [item.labels + [IGNORED] * (longest - len(item.labels)) for item in items]
    return Batch(
        ids=tuple(item.id for item in items),
        window=window,
        languages=tuple(item.languages for item in items),
        inputs=torch.tensor(inputs),
        labels=torch.tensor(labels),
        waveforms=tuple(item.waveform for item in items),
        states=tuple(item.states for item in items),
        mask_seeds=tuple(item.mask_seed for item in items),
    )


def _report_dropped(split: str, reason: str, examples: Sequence[Example]) -> None:
    if examples:
        names = first_of([example.utterance.id for example in examples])
        logger.warning(
            "corpus, %s: %d utterances dropped, %s: %s", split, len(examples), reason, names
        )


def _report_empty(split: str, examples: Sequence[Example]) -> None:
    names = [example.utterance.id for example in examples if not example.text]
    if names:
        logger.warning(
            "corpus, %s: %d utterances have no text, as if nothing were said: %s; leave them out, unless that is so",
            split, len(names), first_of(names),
        )  # fmt: skip


def _minutes(examples: Iterable[Example]) -> float:
    return sum(example.duration for example in examples) / 60
