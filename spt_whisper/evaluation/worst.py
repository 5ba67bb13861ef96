"""The utterances with the most errors: what was said, and what every system made of it, aligned."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spt_whisper.evaluation.system_score import SystemScore
from spt_whisper.evaluation.utterance_score import UtteranceScore
from spt_whisper.text.error_rates import ErrorCounts, aligned
from spt_whisper.text.units import mixed_units

MOST_UTTERANCES = 20
MOST_UNITS = 200  # of one alignment that are kept; a page shows them all

EditKind = Literal["hit", "substitution", "insertion", "deletion"]


@dataclass(frozen=True)
class AlignedUnit:
    """A mixed unit (see `text/units.py`) of the reference and the one that stands in its place."""

    kind: EditKind
    reference: str  # "" for an insertion
    hypothesis: str  # "" for a deletion


@dataclass(frozen=True)
class Attempt:
    """One utterance as one system recognized it."""

    system: str
    hypothesis: str  # as written
    errors: ErrorCounts  # in mixed units
    hallucination: tuple[str, ...]
    units: tuple[AlignedUnit, ...]  # of the normalized texts, at most MOST_UNITS
    left_out: int  # units of the alignment behind those


@dataclass(frozen=True)
class WorstUtterance:
    """One utterance and the attempts at it, in the report's order of systems."""

    reference: UtteranceScore  # by the system that it was chosen for
    attempts: tuple[Attempt, ...]


def best_system(systems: Sequence[SystemScore]) -> SystemScore | None:
    """The system with the lowest main rate, the first of them where several have it."""
    return min(systems, key=lambda system: system.rate, default=None)


def worst_utterances(systems: Sequence[SystemScore]) -> list[WorstUtterance]:
    """At most 20 utterances, most errors (in mixed units) of the best system first.

    The best system's, not the sum of all: where bare Whisper makes up a long text, the reader
    would learn little. Utterances without an error are not among them.
    """
    best = best_system(systems)
    wrong = [score for score in best.details if score.mixed.errors] if best else []
    chosen = heapq.nlargest(MOST_UTTERANCES, wrong, key=lambda score: score.mixed.errors)
    ids = {score.id for score in chosen}
    scores = [
        (system.name, {score.id: score for score in system.details if score.id in ids})
        for system in systems
    ]
    return [
        WorstUtterance(
            worst, tuple(_attempt(name, own[worst.id]) for name, own in scores if worst.id in own)
        )
        for worst in chosen
    ]


def _attempt(system: str, score: UtteranceScore) -> Attempt:
    spoken, recognized = map(mixed_units, (score.normalized_reference, score.normalized_hypothesis))
    pairs = list(aligned(spoken, recognized))
    units = (
        _unit(
            "" if before is None else spoken[before],
            "" if after is None else recognized[after],
        )
        for before, after in itertools.islice(pairs, MOST_UNITS)
    )
    return Attempt(
        system=system,
        hypothesis=score.hypothesis,
        errors=score.mixed,
        hallucination=score.hallucination,
        units=tuple(units),
        left_out=max(0, len(pairs) - MOST_UNITS),
    )


def _unit(reference: str, hypothesis: str) -> AlignedUnit:
    if not reference:
        return AlignedUnit("insertion", reference, hypothesis)
    if not hypothesis:
        return AlignedUnit("deletion", reference, hypothesis)
    kind: EditKind = "hit" if reference == hypothesis else "substitution"
    return AlignedUnit(kind, reference, hypothesis)
