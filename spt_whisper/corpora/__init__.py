"""Speech and text on disk, read into utterances: the table of readers, and what a recipe sets."""

from __future__ import annotations

import dataclasses
import logging
import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Literal, get_args

from spt_whisper.audio import audio_duration
from spt_whisper.corpora.common_voice import read_common_voice
from spt_whisper.corpora.fleurs import read_fleurs
from spt_whisper.corpora.huggingface import read_huggingface
from spt_whisper.corpora.kaldi import read_kaldi
from spt_whisper.corpora.manifest import read_manifest, read_manifest_split
from spt_whisper.corpora.rows import split_languages
from spt_whisper.corpora.seame import read_seame
from spt_whisper.corpora.source import CorpusSource, MissingSplitError
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError, first_of
from spt_whisper.plain_paths import paths_as_text

__all__ = [
    "READERS", "CorpusConfig", "CorpusSource", "Reader", "Split", "Utterance", "read_dev",
    "read_manifest", "read_split", "with_duration",
]  # fmt: skip

Split = Literal["train", "dev", "test"]


@dataclass(frozen=True)
class Reader:
    """A way to read corpora, and which of the settings below it takes."""

    read: Callable[[CorpusSource], list[Utterance]]
    settings: tuple[str, ...] = ()  # of "subset" and "text_column"


READERS: dict[str, Reader] = {
    "manifest": Reader(read_manifest_split, ("subset", "text_column")),
    "kaldi": Reader(read_kaldi),
    "fleurs": Reader(read_fleurs, ("subset", "text_column")),
    "common_voice": Reader(read_common_voice, ("subset", "text_column")),
    "huggingface": Reader(read_huggingface, ("subset", "text_column")),
    "seame": Reader(read_seame),
    "asru2019": Reader(read_kaldi),  # no layout of its own is public: convert it to Kaldi's
}

logger = logging.getLogger(__name__)
_DEV = "dev"  # what the dev part is called where nobody says otherwise


@dataclass(frozen=True)
class CorpusConfig:
    """Which utterances to read."""

    root: str
    """Folder of the corpus; for the reader `manifest` also a single manifest file, used as train, dev and test
    (score on another corpus then); for `huggingface` also a hub id, `owner/name` or `owner/name@revision`."""
    reader: str = "manifest"
    """How the corpus is laid out on disk: manifest, kaldi, fleurs, common_voice, huggingface, seame or asru2019."""
    subset: str | list[str] | None = None
    """Part of a corpus that keeps several side by side: the folder of a language in FLEURS (`ky_kg`)
    and Common Voice (`ky`), a folder of manifests, the configuration on the hub. A list reads several,
    and puts each one's name in front of its utterances' ids and speakers."""
    text_column: str | None = None
    """Column with the text, where the corpus has columns; none: the usual one."""
    language: str | None = None
    """Language code of all utterances, or several joined by `+`, the main one first, in place of
    the corpus's own; none: the corpus's own."""
    train: str = "train"
    """Name of the split to train on."""
    dev: str | None = _DEV
    """Name of the split to choose and stop by; null for none. A corpus without a split `dev`, or with an empty one, goes without one, too."""
    test: str = "test"
    """Name of the split to score."""
    max_seconds: float | None = None
    """Longest utterance to keep, in seconds; longer ones are dropped and named in the log."""
    limit: int | None = None
    """Number of training utterances to draw of each subset; none: all. A smaller draw is part of a
    larger one."""
    test_limit: int | None = None
    """Number of test utterances to draw of each subset; none: all."""
    seed: int = 0
    """Seed of both draws."""

    @property
    def is_one_file(self) -> bool:
        """Whether one manifest file is every split."""
        return Path(self.root).is_file()

    def __post_init__(self) -> None:
        paths_as_text(self)
        if self.reader not in READERS:
            raise InputError(
                f"reader {self.reader!r} is unknown; give one of: {', '.join(READERS)}"
            )
        self._check_subset()
        for name in ("subset", "text_column"):
            if getattr(self, name) is not None and name not in READERS[self.reader].settings:
                raise InputError(f"{name}: reader {self.reader!r} does not take it; leave it out")
        if self.language is not None and not split_languages(self.language):
            raise InputError(
                f"language: found {self.language!r}, wanted a code, or several joined by +"
            )
        for name, kind in (("max_seconds", Real), ("limit", Integral), ("test_limit", Integral)):
            value = getattr(self, name)
            counts = isinstance(value, kind)
            if value is not None and not (counts and value > 0):
                number = "number" if kind is Real else "whole number"
                raise InputError(
                    f"{name} is {value!r}; give a {number} above 0, or none to keep all"
                )

    def _check_subset(self) -> None:
        subset: object = self.subset
        if subset is None or isinstance(subset, str):
            return
        if not isinstance(subset, list | tuple) or not all(isinstance(n, str) for n in subset):
            raise InputError(f"subset is {subset!r}; give a name, or a list of names")
        if not subset or len(set(subset)) < len(subset):
            raise InputError(f"subset is {subset}; give each one once, and at least one")
        object.__setattr__(self, "subset", list(subset))


def check_corpus(corpus: object) -> None:
    """Refuses what is no corpus, such as its folder alone.

    Raises:
        InputError: names its type.
    """
    if not isinstance(corpus, CorpusConfig):
        raise InputError(
            f"corpus: found {type(corpus).__name__}, wanted a CorpusConfig, such as CorpusConfig('data/kichwa')"
        )


def read_split(config: CorpusConfig, split: Split) -> list[Utterance]:
    """Utterances of one split after the language, `max_seconds` and the draw of `config`.

    Raises:
        InputError: the corpus or the split is missing or broken, an utterance has no language,
            or nothing is left.
    """
    if split not in get_args(Split):
        raise InputError(f"split {split!r} is unknown; give one of: {', '.join(get_args(Split))}")
    if isinstance(config.subset, list):
        return _joined({subset: _read_subset(config, subset, split) for subset in config.subset})
    return _read_subset(config, config.subset, split)


def read_dev(config: CorpusConfig) -> list[Utterance]:
    """Utterances of the dev part; none where it is null, or where nobody named one and the corpus has no part `dev`.

    Of several subsets those count that have one; the others are named in the log.

    Raises:
        InputError: as `read_split`; a part that somebody named is missing.
    """
    if config.dev is None:
        return []
    if not isinstance(config.subset, list):
        return _dev_of(config, config.subset)
    found = {subset: _dev_of(config, subset) for subset in config.subset}
    there = {subset: utterances for subset, utterances in found.items() if utterances}
    missing = [subset for subset in found if subset not in there]
    if there and missing:
        logger.info(
            "%s has no dev part of %s: that of the others is used", config.root, ", ".join(missing)
        )
    return _joined(there)


def _dev_of(config: CorpusConfig, subset: str | None) -> list[Utterance]:
    """Utterances of one subset's dev part; none where nobody named one and there is none."""
    try:
        return _read_subset(config, subset, "dev")
    except MissingSplitError as error:
        if config.dev == _DEV:
            return []
        raise MissingSplitError(f"{error}; to go without a dev part, --corpus.dev null") from error


def _joined(subsets: Mapping[str, Sequence[Utterance]]) -> list[Utterance]:
    """All utterances, each subset's name in front of its ids and of its speakers, who are other people.

    Raises:
        InputError: two ids become the same.
    """
    joined: dict[str, Utterance] = {}
    for subset, utterances in subsets.items():
        name = subset.replace("/", "-")  # ids name files
        for own in utterances:
            identifier, speaker = f"{name}-{own.id}", own.speaker and f"{name}-{own.speaker}"
            if identifier in joined:
                raise InputError(
                    f"subset {subset}: {own.id!r} is {identifier!r} in front of another subset, too; rename one"
                )
            joined[identifier] = dataclasses.replace(own, id=identifier, speaker=speaker)
    return list(joined.values())


def _read_subset(config: CorpusConfig, subset: str | None, split: Split) -> list[Utterance]:
    name: str | None = getattr(config, split)
    if name is None:
        raise InputError(f"{config.root}: {split} is null; name that part, or take another split")
    source = CorpusSource(config.root, name, subset, config.text_column)
    utterances = READERS[config.reader].read(source)
    utterances = [_with_language(utterance, config) for utterance in utterances]
    if config.max_seconds is not None:
        utterances = _no_longer_than(config.max_seconds, utterances)
    if not utterances:
        limit = "" if config.max_seconds is None else f" of at most {config.max_seconds} s"
        raise InputError(
            f"{source.name}: split {split!r} has no utterances{limit}; raise max_seconds"
        )
    limits = {"train": config.limit, "test": config.test_limit}
    return _draw(utterances, limits.get(split), config.seed)


def _with_language(utterance: Utterance, config: CorpusConfig) -> Utterance:
    """The utterance with its languages, so that the same name is the same: composed (NFC)."""
    named = split_languages(config.language) if config.language else utterance.languages
    if not named:
        raise InputError(
            f"{config.root}: utterance {utterance.id!r} has no language; "
            "set the corpus's language or add a column 'language'"
        )
    languages = tuple(unicodedata.normalize("NFC", name) for name in named)
    return dataclasses.replace(utterance, languages=languages)


def _no_longer_than(max_seconds: float, utterances: list[Utterance]) -> list[Utterance]:
    timed = [_timed(utterance) for utterance in utterances]
    kept = [utterance for utterance in timed if (utterance.duration or 0.0) <= max_seconds]
    dropped = [utterance.id for utterance in timed if (utterance.duration or 0.0) > max_seconds]
    if dropped:
        logger.warning(
            "dropped %d of %d utterances longer than %g s: %s",
            len(dropped), len(timed), max_seconds, first_of(dropped),
        )  # fmt: skip
    return kept


def _timed(utterance: Utterance) -> Utterance:
    """The utterance with its duration; without, where its audio cannot be read, which who needs the audio says by name."""
    try:
        return with_duration(utterance)
    except InputError:
        return utterance


def with_duration(utterance: Utterance) -> Utterance:
    """Returns the utterance with its duration, read from its audio's header where the corpus has none.

    Raises:
        InputError: the corpus has none, and the audio cannot be read.
    """
    if utterance.duration is not None:
        return utterance
    end = audio_duration(utterance.audio) if utterance.end is None else utterance.end
    return dataclasses.replace(utterance, duration=end - (utterance.start or 0.0))


def _draw(utterances: list[Utterance], limit: int | None, seed: int) -> list[Utterance]:
    """`limit` utterances without replacement, in the corpus's order."""
    if limit is None or limit >= len(utterances):
        return utterances
    order = list(range(len(utterances)))
    # a shuffle cut off, not sample(): so that the draw of 100 is part of the draw of 200
    random.Random(seed).shuffle(order)
    return [utterances[index] for index in sorted(order[:limit])]
