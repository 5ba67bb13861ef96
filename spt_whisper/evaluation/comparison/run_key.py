"""What makes two runs the same: a hash over recipe, data, model and scoring, equal on every machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spt_whisper.corpora import CorpusConfig, read_dev, read_split
from spt_whisper.corpora.fingerprint import digest_json, fingerprint_folder, fingerprint_splits
from spt_whisper.training.learning_rates import default_rates
from spt_whisper.training.relevant_settings import deciding_settings

_HASHED_OTHERWISE = (
    "seed",  # beside the settings, since it is the run's
    "model",  # by its fingerprint: a folder may be another one on another machine
    "corpus.root",  # by its utterances
    "data.augment.noise",  # by their recordings
    "data.augment.rooms",
)


@dataclasses.dataclass(frozen=True)
class RunParts:
    """All that decides the numbers of a run, as JSON values."""

    recipe: dict[str, Any]
    seed: int
    scoring: dict[str, Any]
    model: str  # fingerprint of the weights
    data: str  # hash of the utterances
    recordings: dict[str, str]  # hash of each folder that augmentation draws from

    @property
    def key(self) -> str:
        """SHA-256, 64 hex digits."""
        return digest_json(dataclasses.asdict(self))


def hashed_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a recipe's settings as they are hashed: those that decide, but for what `RunParts` has beside them.

    Where a recipe leaves the learning rate to this package, the rates that it would give stand in its place: another version
    may have others.
    """
    decide = deciding_settings(settings, _HASHED_OTHERWISE)
    optimizer = decide.get("optimizer", {})
    if "learning_rate" in optimizer and optimizer["learning_rate"] is None:
        decide["optimizer"] = {**optimizer, "learning_rate": default_rates()}
    return decide


def hash_corpus(corpus: CorpusConfig) -> str:
    """Returns the hash of the utterances of every split; of audio files it takes the size alone.

    Raises:
        InputError: a split cannot be read, or an audio file is missing.
    """
    return fingerprint_splits(
        {
            "train": read_split(corpus, "train"),
            "dev": read_dev(corpus),
            "test": read_split(corpus, "test"),
        }
    )


def hash_recordings(folders: Mapping[str, str | None]) -> dict[str, str]:
    """Returns the hash of each folder that augmentation draws from, by its setting, where it is set."""
    return {name: fingerprint_folder(Path(folder)) for name, folder in folders.items() if folder}
