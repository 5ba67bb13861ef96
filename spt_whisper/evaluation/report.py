"""Scores of one corpus: error rates with intervals for each system, and the report they make.

A report is two files, both written whole or not at all:

    report.json               {"format_version": 1, "corpus", "normalizer", "settings", "systems":
                              [{"name", "wer", "cer", "wer_interval": [low, high], "cer_interval",
                              "substitutions", "insertions", "deletions" (of words), "utterances"
                              (their number), "interval_unit"}]}; rates are fractions (0.152)
    report.utterances.jsonl   one line an utterance and system: what was said and recognized, raw
                              and normalized, and the counts
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from spt_whisper.atomic import write_text
from spt_whisper.errors import InputError
from spt_whisper.evaluation.bootstrap import rate_interval
from spt_whisper.text.error_rates import ErrorCounts, count_character_errors, count_word_errors
from spt_whisper.text.normalization import Normalizer

FORMAT_VERSION = 1
FEWEST_SPEAKERS = 5  # fewer than these are resampled by utterance: a handful spans no population

Interval = tuple[float, float]
IntervalUnit = Literal["speaker", "utterance"]


class Reference(Protocol):
    """What scoring asks of an utterance."""

    @property
    def id(self) -> str:
        """Its name, unique in the corpus."""

    @property
    def text(self) -> str:
        """What was said."""

    @property
    def speaker(self) -> str | None:
        """Who said it, where that is known."""


@dataclass(frozen=True)
class UtteranceScore:
    """One utterance as one system recognized it."""

    id: str
    reference: str  # as written in the corpus
    hypothesis: str  # as the system wrote it
    words: ErrorCounts
    characters: ErrorCounts
    speaker: str | None = None
    normalized_reference: str = ""  # what the errors were counted on
    normalized_hypothesis: str = ""


@dataclass(frozen=True)
class SystemScore:
    """One system on the whole corpus; rates are fractions of all words (characters) together."""

    name: str
    wer: float
    cer: float
    wer_interval: Interval  # 95 % bootstrap interval
    cer_interval: Interval
    substitutions: int  # of words, as the two below
    insertions: int
    deletions: int
    utterances: int  # how many
    interval_unit: IntervalUnit  # what the bootstrap drew
    details: tuple[UtteranceScore, ...]


@dataclass(frozen=True)
class Report:
    """Systems side by side on one corpus, scored through one normalizer."""

    corpus: str
    normalizer: str
    systems: list[SystemScore]
    settings: dict[str, Any] = field(default_factory=dict)  # how it came about, as JSON values

    def write(self, path: str | Path) -> None:
        """Writes the report to `path`, and its utterances beside it."""
        path = Path(path)
        _check_unique(f"{path}: system", (system.name for system in self.systems))
        lines = [_to_json(row) for system in self.systems for row in _utterance_rows(system)]
        write_text(_utterances_path(path), "".join(f"{line}\n" for line in lines))
        systems = [_system_row(system) for system in self.systems]
        fields = {"format_version": FORMAT_VERSION, **vars(self), "systems": systems}
        write_text(path, _to_json(fields, indent=2) + "\n")

    @staticmethod
    def read(path: str | Path) -> Report:
        """Reads what `write` wrote; without the file of utterances, `details` are empty.

        Raises:
            InputError: a file is missing, no report, or of another version.
        """
        path = Path(path)
        try:
            fields = json.loads(_read_text(path))
            if not isinstance(fields, dict) or fields.get("format_version") != FORMAT_VERSION:
                wanted = f"no report of format version {FORMAT_VERSION}"
                raise InputError(f"{path}: {wanted}; give a report.json of `evaluate`")
            details = _read_details(_utterances_path(path))
            systems = [_system(row, details) for row in fields["systems"]]
            return Report(fields["corpus"], fields["normalizer"], systems, fields["settings"])
        except InputError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: broken report ({error!r}); write it again") from error


def score_system(
    name: str,
    references: Sequence[Reference],
    hypotheses: Sequence[str],
    normalizer: Normalizer,
    resamples: int = 1000,
    seed: int = 0,
) -> SystemScore:
    """Scores the `hypotheses` of one system against `references`, both normalized.

    The intervals are 95 % percentile bootstrap intervals over speakers, where every utterance has
    one and there are at least five, otherwise over utterances. With a single utterance to draw
    from they have no width.

    Raises:
        InputError: nothing to score, an id twice, or another number of hypotheses.
    """
    _check_pairs(name, references, hypotheses)
    details = tuple(
        _score_utterance(reference, hypothesis, normalizer)
        for reference, hypothesis in zip(references, hypotheses, strict=True)
    )
    words = sum((score.words for score in details), ErrorCounts())
    characters = sum((score.characters for score in details), ErrorCounts())
    unit, groups = _drawn_units(details)
    return SystemScore(
        name=name,
        wer=words.rate,
        cer=characters.rate,
        wer_interval=rate_interval([words for words, _ in groups], resamples, seed),
        cer_interval=rate_interval([characters for _, characters in groups], resamples, seed),
        substitutions=words.substitutions,
        insertions=words.insertions,
        deletions=words.deletions,
        utterances=len(details),
        interval_unit=unit,
        details=details,
    )


def _check_pairs(name: str, references: Sequence[Reference], hypotheses: Sequence[str]) -> None:
    if not references:
        raise InputError(f"system {name!r}: no utterances to score; give at least one")
    if len(references) != len(hypotheses):
        raise InputError(
            f"system {name!r}: {len(hypotheses)} hypotheses for {len(references)} references; "
            "give one each"
        )
    _check_unique(f"system {name!r}: utterance id", (reference.id for reference in references))


def _check_unique(what: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{what} {twice[0]!r} is there more than once; give each one name")


def _score_utterance(
    reference: Reference, hypothesis: str, normalizer: Normalizer
) -> UtteranceScore:
    wanted, found = normalizer(reference.text), normalizer(hypothesis)
    return UtteranceScore(
        id=reference.id,
        reference=reference.text,
        hypothesis=hypothesis,
        words=count_word_errors(wanted, found),
        characters=count_character_errors(wanted, found),
        speaker=reference.speaker,
        normalized_reference=wanted,
        normalized_hypothesis=found,
    )


def _drawn_units(
    details: Sequence[UtteranceScore],
) -> tuple[IntervalUnit, list[tuple[ErrorCounts, ErrorCounts]]]:
    """What the bootstrap draws, and the counts (words, characters) of each unit."""
    by_speaker: dict[str | None, tuple[ErrorCounts, ErrorCounts]] = {}
    for score in details:
        words, characters = by_speaker.get(score.speaker, (ErrorCounts(), ErrorCounts()))
        by_speaker[score.speaker] = (words + score.words, characters + score.characters)
    if None not in by_speaker and len(by_speaker) >= FEWEST_SPEAKERS:
        return "speaker", list(by_speaker.values())
    return "utterance", [(score.words, score.characters) for score in details]


def _utterances_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.utterances.jsonl")


def _to_json(value: object, indent: int | None = None) -> str:
    # str: paths in the settings
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, default=str)


def _system_row(system: SystemScore) -> dict[str, Any]:
    return {name: value for name, value in vars(system).items() if name != "details"}


def _utterance_rows(system: SystemScore) -> Iterator[dict[str, Any]]:
    for score in system.details:
        yield {"id": score.id, "system": system.name, **dataclasses.asdict(score)}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a report.json") from error


def _read_details(path: Path) -> dict[str, list[UtteranceScore]]:
    """Utterances by system name; none where the report travels without them."""
    details: dict[str, list[UtteranceScore]] = {}
    if not path.exists():
        return details
    for line in _read_text(path).split("\n"):
        if not line:
            continue
        row = json.loads(line)
        system = row.pop("system")
        for counts in ("words", "characters"):
            row[counts] = ErrorCounts(**row[counts])
        details.setdefault(system, []).append(UtteranceScore(**row))
    return details


def _system(row: dict[str, Any], details: dict[str, list[UtteranceScore]]) -> SystemScore:
    for name in ("wer_interval", "cer_interval"):
        low, high = row[name]
        row[name] = (low, high)
    return SystemScore(**row, details=tuple(details.get(row["name"], ())))
