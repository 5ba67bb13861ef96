"""Finished runs in a folder: one small JSON each, found again by the key of the run.

<name>-<seed>-<first 12 digits of the key>.json

{"format_version": 1, "key": 64 hex digits, "name", "seed", "recipe": its settings,
 "machine": {"processor", "cores", "torch", "gpu" | null},
 "scores": {"normalizer", "wer", "cer", "wer_interval": [low, high], "cer_interval",
            "substitutions", "insertions", "deletions" (of words), "utterances", "interval_unit",
            "units": [{"words": [hits, substitutions, insertions, deletions], "characters", "mixed"}],
            "main_rate": "wer" | "cer" | "mixed_error_rate"},
 "numbers": {"seconds", "epochs", "last_loss", "peak_memory_gigabytes", "utterances",
             "trained_parameters", "stored_parameters"} | null where nothing is fitted,
 "file_size": bytes, "timestamp": when it was scored, UTC}
"""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spt_whisper.atomic import write_text
from spt_whisper.errors import InputError
from spt_whisper.evaluation.bootstrap import drawn_units
from spt_whisper.evaluation.comparison.machine import Machine
from spt_whisper.prompts.strict_json import read_strict
from spt_whisper.text.units import RateName
from spt_whisper.training.run_numbers import RunNumbers

if TYPE_CHECKING:
    from spt_whisper.evaluation.system_score import SystemScore

FORMAT_VERSION = 1
_DIGITS = 12  # of the key, in a file's name
_LARGEST = 2**28  # bytes of a file; a unit has about 100

Counts = tuple[int, int, int, int]  # hits, substitutions, insertions, deletions


@dataclass(frozen=True)
class UnitCounts:
    """Errors in what one speaker said, or in one utterance: what a bootstrap draws. The fields are those of `UnitErrors`."""

    words: Counts
    characters: Counts
    mixed: Counts


@dataclass(frozen=True)
class RunScores:
    """Error rates of a run on the test part; rates are fractions."""

    normalizer: str
    wer: float
    cer: float
    wer_interval: tuple[float, float]  # 95 %, over the units
    cer_interval: tuple[float, float]
    substitutions: int  # of words, as the two below
    insertions: int
    deletions: int
    utterances: int
    interval_unit: Literal["speaker", "utterance"]
    units: tuple[UnitCounts, ...]  # in the order of the test part
    main_rate: RateName  # which one says most about the test part


def run_scores(system: SystemScore, normalizer: str) -> RunScores:
    """Returns what is kept of a system that was scored."""
    _, units = drawn_units(system.details)
    return RunScores(
        normalizer=normalizer,
        wer=system.wer,
        cer=system.cer,
        wer_interval=system.wer_interval,
        cer_interval=system.cer_interval,
        substitutions=system.substitutions,
        insertions=system.insertions,
        deletions=system.deletions,
        utterances=system.utterances,
        interval_unit=system.interval_unit,
        units=tuple(
            UnitCounts(astuple(unit.words), astuple(unit.characters), astuple(unit.mixed))
            for unit in units
        ),
        main_rate=system.main_rate,
    )


@dataclass(frozen=True)
class StoredRun:
    """One recipe, fitted with one seed and scored."""

    key: str
    name: str
    seed: int
    recipe: dict[str, Any]
    machine: Machine
    scores: RunScores
    numbers: RunNumbers | None  # none: nothing is fitted
    file_size: int  # bytes of the fitted folder
    timestamp: str
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True)
class RunStore:
    """A folder of finished runs."""

    folder: Path

    def find(self, key: str) -> StoredRun | None:
        """Returns the run with that key, under whatever name it was stored; none where there is none.

        Raises:
            InputError: its file is broken, or of another version.
        """
        paths = self._paths(key)
        return _read(paths[0], key) if paths else None

    def write(self, run: StoredRun) -> Path:
        """Writes a run, whole or not at all, in place of an older one with the same key."""
        paths = self._paths(run.key)
        path = paths[0] if paths else self._path(f"{run.name}-{run.seed}", run.key)
        fields = {"format_version": run.format_version, **asdict(run)}
        lines = [f"{json.dumps(name)}: {_to_json(value)}" for name, value in fields.items()]
        write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
        return path

    def _path(self, name: str, key: str) -> Path:
        return self.folder / f"{name}-{key[:_DIGITS]}.json"

    def _paths(self, key: str) -> list[Path]:
        return sorted(self.folder.glob(self._path("*", key).name))


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _read(path: Path, key: str) -> StoredRun:
    try:
        run = read_strict(path, StoredRun, FORMAT_VERSION, _LARGEST)
        if run.key != key:
            raise InputError(
                f"{path}: its key is {run.key!r}, not the one that its name says; restore the file"
            )
    except InputError as error:
        raise InputError(f"{error}, or delete it to fit again") from error
    return run
