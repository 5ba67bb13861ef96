"""Speech and text on disk, read into utterances: the table of readers, and what a recipe sets."""

from __future__ import annotations

import dataclasses
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spt_whisper.audio import audio_duration
from spt_whisper.corpora.manifest import PARSERS, read_manifest
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError

__all__ = ["READERS", "CorpusConfig", "Reader", "Split", "Utterance", "read_manifest", "read_split"]

Reader = Callable[[Path, str], list[Utterance]]  # (root, split name) -> its utterances
Split = Literal["train", "dev", "test"]

logger = logging.getLogger(__name__)
_NAMED_AT_MOST = 10  # ids in one log line


def _read_manifest_split(root: Path, split: str) -> list[Utterance]:
    """The manifest `root/<split>.jsonl` or `.csv`; or `root` itself, where it is a file."""
    if root.is_file():
        return read_manifest(root)
    candidates = [root / f"{split}{suffix}" for suffix in PARSERS]
    found = [path for path in candidates if path.is_file()]
    if not found:
        names = " nor ".join(path.name for path in candidates)
        raise InputError(
            f"{root}: no split {split!r}, neither {names}; add it or name another split"
        )
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise InputError(f"{root}: both {names} are there; keep one of them")
    return read_manifest(found[0])


READERS: dict[str, Reader] = {"manifest": _read_manifest_split}


@dataclass(frozen=True)
class CorpusConfig:
    """Which utterances to read."""

    root: str
    """Folder of the corpus; for the reader `manifest` also one manifest file, for every split."""
    reader: str = "manifest"
    """How the corpus is laid out on disk: a name in the table of readers."""
    language: str | None = None
    """Language code of all utterances, in place of the corpus's own; none: the corpus's own."""
    train: str = "train"
    """Name of the split to train on."""
    dev: str | None = "dev"
    """Name of the split to choose and stop by; null where the corpus has none."""
    test: str = "test"
    """Name of the split to score."""
    max_seconds: float | None = None
    """Longest utterance to keep, in seconds; longer ones are dropped and named in the log."""
    limit: int | None = None
    """Number of training utterances to draw; none: all. A smaller draw is part of a larger one."""
    test_limit: int | None = None
    """Number of test utterances to draw; none: all."""
    seed: int = 0
    """Seed of both draws."""

    def __post_init__(self) -> None:
        if self.reader not in READERS:
            raise InputError(
                f"reader {self.reader!r} is unknown; give one of: {', '.join(READERS)}"
            )
        for name in ("max_seconds", "limit", "test_limit"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name} is {value}; give a number above 0, or none to keep all")


def read_split(config: CorpusConfig, split: Split) -> list[Utterance]:
    """Utterances of one split after the language, `max_seconds` and the draw of `config`.

    Raises:
        InputError: the corpus or the split is missing or broken, an utterance has no language,
            or nothing is left.
    """
    root = Path(config.root)
    if not root.exists():
        raise InputError(f"{root}: no such corpus; give an existing folder or manifest")
    utterances = READERS[config.reader](root, getattr(config, split))
    utterances = [_with_language(utterance, config, root) for utterance in utterances]
    if config.max_seconds is not None:
        utterances = _no_longer_than(config.max_seconds, utterances)
    if not utterances:
        limit = "" if config.max_seconds is None else f" of at most {config.max_seconds} s"
        raise InputError(f"{root}: split {split!r} has no utterances{limit}; raise max_seconds")
    limits = {"train": config.limit, "test": config.test_limit}
    return _draw(utterances, limits.get(split), config.seed)


def _with_language(utterance: Utterance, config: CorpusConfig, root: Path) -> Utterance:
    if config.language is not None:
        return dataclasses.replace(utterance, languages=(config.language,))
    if not utterance.languages:
        raise InputError(
            f"{root}: utterance {utterance.id!r} has no language; "
            "set the corpus's language or add a column 'language'"
        )
    return utterance


def _no_longer_than(max_seconds: float, utterances: list[Utterance]) -> list[Utterance]:
    timed = [_with_duration(utterance) for utterance in utterances]
    kept = [utterance for utterance in timed if (utterance.duration or 0.0) <= max_seconds]
    dropped = [utterance.id for utterance in timed if (utterance.duration or 0.0) > max_seconds]
    if dropped:
        names = ", ".join(dropped[:_NAMED_AT_MOST])
        more = len(dropped) - _NAMED_AT_MOST
        logger.warning(
            "dropped %d of %d utterances longer than %g s: %s%s",
            len(dropped), len(timed), max_seconds, names, f" and {more} more" if more > 0 else "",
        )  # fmt: skip
    return kept


def _with_duration(utterance: Utterance) -> Utterance:
    """The utterance with its duration, read from its audio's header where the corpus has none."""
    if utterance.duration is not None:
        return utterance
    seconds = audio_duration(utterance.audio) - (utterance.start or 0.0)
    return dataclasses.replace(utterance, duration=seconds)


def _draw(utterances: list[Utterance], limit: int | None, seed: int) -> list[Utterance]:
    """`limit` utterances without replacement, in the corpus's order."""
    if limit is None or limit >= len(utterances):
        return utterances
    order = list(range(len(utterances)))
    # a shuffle cut off, not sample(): so that the draw of 100 is part of the draw of 200
    random.Random(seed).shuffle(order)
    return [utterances[index] for index in sorted(order[:limit])]
