"""Score a corpus with bare Whisper and with a prompt, under the same guards."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spt_whisper.audio import SAMPLE_RATE, WINDOW_SECONDS, load_audio
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.engines.engine import Row
from spt_whisper.errors import InputError
from spt_whisper.evaluation.report import SystemScore, score_system
from spt_whisper.prompts.files import Prompt
from spt_whisper.text.normalization import Normalizer, TextProcessing
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.whisper.options import DecodingOptions

ZERO_SHOT = "zero_shot"
PROMPT = "prompt"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ZeroShot:
    """How bare Whisper is asked: the language token (None: what it hears) and the window in seconds."""

    language: str | None
    window_seconds: float

    def __str__(self) -> str:
        return f"language {self.language or 'auto'}, window {self.window_seconds:g} s"


@dataclass(frozen=True)
class Scorer:
    """Everything that all systems of one report share."""

    whisper: Whisper
    normalizer: Normalizer
    decoding: DecodingOptions
    text: TextProcessing
    batch_size: int = 8
    resamples: int = 1000
    seed: int = 0

    def score(
        self,
        name: str,
        utterances: Sequence[Utterance],
        rows: Sequence[Row],
        window_seconds: float | None = None,
    ) -> SystemScore:
        """Decodes rows of audio and scores them against the utterances' texts."""
        results = self.whisper.decode(rows, self.decoding, window_seconds, self.batch_size)
        references = [replace(u, text=self.text.apply(u.text)) for u in utterances]
        texts = [self.text.apply(result.hypothesis.text) for result in results]
        stopped = sum(result.hypothesis.stopped_by != "end" for result in results)
        if stopped:
            logger.info("%s: %d of %d utterances stopped by a guard", name, stopped, len(results))
        return score_system(name, references, texts, self.normalizer, self.resamples, self.seed)

    def best_zero_shot(self, dev: Sequence[Utterance], languages: Sequence[str], windows: Sequence[float]) -> ZeroShot:
        """Returns the way of asking bare Whisper with the lowest WER on dev."""
        rows = load_rows(dev, None, None)
        scores = {}
        for language, window in itertools.product((*languages, None), dict.fromkeys(windows)):
            way = ZeroShot(language, window)
            scores[way] = self.score(str(way), dev, with_language(rows, language), window).wer
            logger.info("zero-shot on dev, %s: WER %.1f", way, 100 * scores[way])
        return min(scores, key=lambda way: scores[way])


def load_rows(
    utterances: Sequence[Utterance], prompt: Prompt | None, languages: tuple[str, ...] | None
) -> list[Row]:
    """Loads the audio of utterances, each with the same prompt and languages."""
    return [Row(load_audio(u.audio, u.start, u.end), prompt, languages) for u in utterances]


def with_language(rows: Sequence[Row], language: str | None) -> list[Row]:
    """Rows without a prompt, asked in one language (None: what Whisper hears)."""
    return [replace(row, prompt=None, languages=(language,) if language else None) for row in rows]


def fitting(utterances: Sequence[Utterance], split: str) -> list[Utterance]:
    """Returns the utterances of at most 30 s; longer ones are named.

    Raises:
        InputError: none is left.
    """
    kept = [u for u in utterances if u.duration is None or u.duration <= WINDOW_SECONDS]
    dropped = [u.id for u in utterances if u not in kept]
    if dropped:
        logger.warning("corpus, %s: %d utterances over 30 s are not scored: %s", split, len(dropped), " ".join(dropped))
    if not kept:
        raise InputError(f"corpus, {split}: no utterance of at most {WINDOW_SECONDS} s")
    return kept


def hours(rows: Sequence[Row]) -> float:
    """Returns how much audio rows hold, in hours."""
    return sum(row.waveform.shape[0] for row in rows) / SAMPLE_RATE / 3600


def prompt_name(prompt: Prompt) -> str:
    """Returns a short name of a prompt's folder."""
    return str(Path(prompt.name))
