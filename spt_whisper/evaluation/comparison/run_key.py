"""What makes two runs the same: a hash over recipe, data, model and scoring, equal on every machine."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.corpora.fingerprint import fingerprint_folder, fingerprint_splits

# Where things lie, what is shown, who computes: none of it changes what a run learns.
_NOT_HASHED = frozenset(
    {
        "output",
        "seed",  # beside the settings, since it is the run's
        "model",  # by its fingerprint: a folder may be another one on another machine
        "corpus.root",  # by its utterances
        "checkpoint_minutes",
        "recompute",
        "data.workers",
        "data.encoder_cache_gigabytes",
        "data.states_store",
        "data.states_store_gigabytes",
        "data.augment.noise",  # by their recordings
        "data.augment.rooms",
        "trainer.accelerator",
        "trainer.enable_model_summary",
        "trainer.enable_progress_bar",
        "trainer.log_every_n_steps",
    }
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
        return _digest(dataclasses.asdict(self))


def hashed_settings(settings: dict[str, Any], section: str = "") -> dict[str, Any]:
    """Returns nested settings without those that no result depends on."""
    kept = {}
    for name, value in settings.items():
        path = f"{section}{name}"
        if path not in _NOT_HASHED:
            kept[name] = hashed_settings(value, f"{path}.") if isinstance(value, dict) else value
    return kept


def hash_corpus(corpus: CorpusConfig) -> str:
    """Returns the hash of the utterances of every split; of audio files it takes the size alone.

    Raises:
        InputError: a split cannot be read, or an audio file is missing.
    """
    return fingerprint_splits(
        {
            "train": read_split(corpus, "train"),
            "dev": read_split(corpus, "dev") if corpus.dev else [],
            "test": read_split(corpus, "test"),
        }
    )


def hash_recordings(folders: Mapping[str, str | None]) -> dict[str, str]:
    """Returns the hash of each folder that augmentation draws from, by its setting, where it is set."""
    return {name: fingerprint_folder(Path(folder)) for name, folder in folders.items() if folder}


def _digest(value: dict[str, Any]) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
