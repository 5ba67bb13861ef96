"""Whether a corpus is fit to train on: its sizes, its lengths, what its letters cost, what is wrong.

As a file, JSON, written whole or not at all:

    {"format_version": 1, "fit_to_train", "corpus", "model", "window_seconds",
     "parts": [{"name", "utterances", "seconds", "tokens", "speakers" (null: not known),
                "languages": {code: utterances}, "lengths": [utterances in each bin]}],
     "characters": [{"character", "tokens", "count"}],
     "findings": [{"level", "part", "what", "count", "examples": [id], "reason"}],
     "length_bins": [lower edge of each bin, in seconds]}
"""

from __future__ import annotations

import dataclasses
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from spt_whisper.atomic import write_text
from spt_whisper.corpora import CorpusConfig, Split, Utterance, read_split
from spt_whisper.corpora.source import MissingSplitError
from spt_whisper.errors import InputError
from spt_whisper.evaluation.data.findings import Finding, Level, find_in, find_leaks
from spt_whisper.evaluation.data.measure import AudioFacts, MeasuredUtterance, measure
from spt_whisper.evaluation.data.settings import CheckConfig
from spt_whisper.whisper.tokenizer import load_tokens
from spt_whisper.whisper.tokens import Tokens

FORMAT_VERSION = 1
LENGTH_BINS = (0, 1, 2, 3, 5, 7, 10, 15, 20, 30)  # lower edges in seconds; the last one is open
_CHARACTERS = 10  # in the list of the expensive ones


@dataclass(frozen=True)
class PartSummary:
    """One split in numbers; seconds, and lengths, are those of the audio that can be read."""

    name: Split
    utterances: int
    seconds: float
    tokens: int
    speakers: int | None  # None: the corpus names none
    languages: dict[str, int]  # code -> utterances, the most frequent first
    lengths: tuple[int, ...]  # utterances in each of LENGTH_BINS


@dataclass(frozen=True)
class CharacterCost:
    """A character that takes more than one token when it stands alone."""

    character: str
    tokens: int
    count: int  # in all texts


_ONE_FILE = Finding(
    "warning", "train", "one file is every split",
    reason="what is trained on would be scored; give a folder with train, dev and test",
)  # fmt: skip


@dataclass(frozen=True)
class CorpusCheck:
    """What a check found out."""

    corpus: str
    model: str
    window_seconds: float
    parts: tuple[PartSummary, ...]
    characters: tuple[CharacterCost, ...]  # those with the most tokens in all first
    findings: tuple[Finding, ...]  # errors first

    @property
    def fit_to_train(self) -> bool:
        """Whether there is no error."""
        return all(finding.level != "error" for finding in self.findings)

    def write(self, path: str | Path) -> None:
        """Writes the check as JSON."""
        head = {"format_version": FORMAT_VERSION, "fit_to_train": self.fit_to_train}
        fields = {**head, **dataclasses.asdict(self), "length_bins": LENGTH_BINS}
        write_text(path, json.dumps(fields, ensure_ascii=False, indent=2) + "\n")


def check_corpus(config: CheckConfig) -> CorpusCheck:
    """Reads every split that is there, and decodes all of its audio once.

    Raises:
        InputError: there is no such corpus or model, or none of the splits can be read.
    """
    tokens = load_tokens(config.model)
    splits, findings = _read_splits(config.corpus)
    measured = measure(splits, tokens, config.workers)
    for split, rows in measured.items():
        findings += find_in(split, rows, config.window_seconds)
    findings += find_leaks(measured)
    texts = [row.utterance.text for rows in measured.values() for row in rows]
    return CorpusCheck(
        corpus=config.corpus.root,
        model=config.model,
        window_seconds=config.window_seconds,
        parts=tuple(_summary(split, rows) for split, rows in measured.items()),
        characters=tuple(_expensive_characters(texts, tokens)),
        findings=tuple(sorted(findings, key=lambda finding: finding.level)),
    )


def _read_splits(config: CorpusConfig) -> tuple[dict[Split, list[Utterance]], list[Finding]]:
    """The splits that can be read, and what stands against the others."""
    # one file as the corpus is every split at once: reading it thrice would only find itself
    wanted: Sequence[Split] = ("train",) if config.is_one_file else get_args(Split)
    splits: dict[Split, list[Utterance]] = {}
    findings, first_error = [_ONE_FILE] if config.is_one_file else [], None
    for split in wanted:
        if getattr(config, split) is None:
            continue
        try:
            splits[split] = read_split(config, split)
        except InputError as error:
            first_error = first_error or error
            findings.append(_unread(split, error))
    if first_error and not splits:
        raise first_error
    return splits, findings


def _unread(split: Split, error: InputError) -> Finding:
    """A broken split is an error, and so is a missing one if it is the one to train on."""
    missing = isinstance(error, MissingSplitError)
    what = "split is not there" if missing else "split cannot be read"
    level: Level = "warning" if missing and split != "train" else "error"
    return Finding(level, split, what, reason=str(error))


def _summary(split: Split, measured: Sequence[MeasuredUtterance]) -> PartSummary:
    utterances = [row.utterance for row in measured]
    seconds = [row.audio.seconds for row in measured if isinstance(row.audio, AudioFacts)]
    lengths = Counter(bisect_right(LENGTH_BINS, value) - 1 for value in seconds)
    speakers = {utterance.speaker for utterance in utterances} - {None}
    languages = Counter("+".join(utterance.languages) for utterance in utterances)
    return PartSummary(
        name=split,
        utterances=len(measured),
        seconds=sum(seconds),
        tokens=sum(row.tokens for row in measured),
        speakers=len(speakers) or None,
        languages=dict(languages.most_common()),
        lengths=tuple(lengths[index] for index in range(len(LENGTH_BINS))),
    )


def _expensive_characters(texts: Iterable[str], tokens: Tokens) -> list[CharacterCost]:
    """Characters of more than one token each; inside a word some of them merge with others."""
    counts = Counter(character for text in texts for character in text if not character.isspace())
    encode = tokens.tokenizer.encode
    costs = [
        CharacterCost(character, len(encode(character, add_special_tokens=False)), count)
        for character, count in counts.items()
    ]
    expensive = [cost for cost in costs if cost.tokens > 1]
    return sorted(expensive, key=lambda cost: -cost.tokens * cost.count)[:_CHARACTERS]
