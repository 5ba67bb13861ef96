"""Where the errors are: the rates of a corpus by speaker, duration, language and switching."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spt_whisper.evaluation.utterance_score import Rates, UtteranceScore, total_errors

UNKNOWN = "unknown"
_SECONDS = (2, 5, 10, 20)  # where the groups of durations meet
_DURATIONS = ("under 2 s", "2 to 5 s", "5 to 10 s", "10 to 20 s", "20 s or more")


@dataclass(frozen=True)
class GroupScore:
    """The utterances of one group together."""

    by: str  # the grouping: speaker, duration ...
    group: str
    utterances: int
    rates: Rates


def _speaker(score: UtteranceScore) -> str:
    return score.speaker or UNKNOWN


def _duration(score: UtteranceScore) -> str:
    if score.duration is None:
        return UNKNOWN
    return _DURATIONS[bisect.bisect_right(_SECONDS, score.duration)]


def _language(score: UtteranceScore) -> str:
    return "+".join(score.languages) or UNKNOWN


def _switching(score: UtteranceScore) -> str:
    return "switched" if score.switched else "not switched"


GROUPINGS: dict[str, Callable[[UtteranceScore], str]] = {
    "speaker": _speaker,
    "duration": _duration,
    "language": _language,
    "switching": _switching,
}


def break_down(scores: Sequence[UtteranceScore]) -> tuple[GroupScore, ...]:
    """The groups of every grouping that splits the corpus, largest group first."""
    groups = [group for by in GROUPINGS for group in _groups(by, scores)]
    return tuple(groups)


def _groups(by: str, scores: Sequence[UtteranceScore]) -> list[GroupScore]:
    members: dict[str, list[UtteranceScore]] = {}
    for score in scores:
        members.setdefault(GROUPINGS[by](score), []).append(score)
    if len(members) == 1:
        return []  # the whole corpus again
    return [
        GroupScore(by, group, len(found), total_errors(found).rates)
        for group, found in sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
