"""What is wrong with a corpus: tables of rules over measured utterances, and the findings they make."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from spt_whisper.corpora import Split
from spt_whisper.evaluation.data.measure import AudioFacts, MeasuredUtterance, UnreadableAudio
from spt_whisper.evaluation.data.thresholds import (
    CLIPPED_SHARE,
    DURATION_SECONDS,
    PACE_DEVIATIONS,
    PACE_FEWEST,
    PACE_LEAST_SPREAD,
    PACE_SLOW_SECONDS,
    SILENT_DECIBELS,
)
from spt_whisper.text.normalization import get_normalizer
from spt_whisper.text.steps import remove_tags
from spt_whisper.text.switching import language_units
from spt_whisper.whisper.tokens import MAX_POSITIONS

Level = Literal["error", "warning"]
Measured = Sequence[MeasuredUtterance]
Key = Callable[[MeasuredUtterance], str | None]  # what must not be there twice; None: unknown

_EXAMPLES = 5  # ids named in one finding
_MAD_TO_DEVIATION = 1.4826  # median absolute deviation -> standard deviation of a Gaussian
_normalize = get_normalizer("basic")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and with which utterances."""

    level: Level  # error: the corpus is unfit to train on
    part: str  # the split; of a leak both, as "train, test"
    what: str
    count: int = 0  # utterances; 0: it is about the part as a whole
    examples: tuple[str, ...] = ()  # ids of the first of them
    reason: str = ""  # what reading the first of them said


def find_in(part: Split, measured: Measured, window_seconds: float) -> list[Finding]:
    """Looks for what is wrong inside one split; what it finds is in the order of the tables."""
    findings = []
    for rule in _RULES:
        rows = rule.select(measured, window_seconds)
        if rows:
            what = rule.what.format(window=window_seconds)
            findings.append(_finding(rule.level, part, what, rows, rule.reason(rows[0])))
    readable = [row for row in measured if isinstance(row.audio, AudioFacts)]
    if readable and not any(_fits(row, window_seconds) for row in readable):
        what = f"nothing fits {window_seconds:g} s and {MAX_POSITIONS} positions"
        findings.append(Finding("error", part, what))
    return findings


def find_leaks(splits: Mapping[Split, Measured]) -> list[Finding]:
    """Looks for what two splits share; counts utterances of the second one."""
    findings = []
    for leak in _LEAKS:
        for first, second in _PAIRS:
            seen = {leak.key(row) for row in splits.get(first, ())} - {None}
            rows = [row for row in splits.get(second, ()) if leak.key(row) in seen]
            if rows:
                level = leak.levels.get((first, second), "warning")
                findings.append(_finding(level, f"{first}, {second}", leak.what, rows))
    return findings


def _finding(level: Level, part: str, what: str, rows: Measured, reason: str = "") -> Finding:
    examples = tuple(row.utterance.id for row in rows[:_EXAMPLES])
    return Finding(level, part, what, len(rows), examples, reason)


# ---- keys: what makes two utterances the same -------------------------------------------------


def _speaker(row: MeasuredUtterance) -> str | None:
    return row.utterance.speaker


def _digest(row: MeasuredUtterance) -> str | None:
    return row.audio.digest if isinstance(row.audio, AudioFacts) else None


def _words(row: MeasuredUtterance) -> str | None:
    return _normalize(row.utterance.text) or None


# ---- rules inside a split ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Rule:
    level: Level
    what: str
    select: Callable[[Measured, float], list[MeasuredUtterance]]  # (split, window in seconds)
    reason: Callable[[MeasuredUtterance], str] = lambda row: ""  # what is said about the first one


def _unreadable_reason(row: MeasuredUtterance) -> str:
    return row.audio.reason if isinstance(row.audio, UnreadableAudio) else ""


def _where(holds: Callable[[MeasuredUtterance], bool]) -> Callable[..., list[MeasuredUtterance]]:
    """Selects the utterances of which something holds, each by itself."""
    return lambda measured, _: [row for row in measured if holds(row)]


def _where_audio(holds: Callable[[AudioFacts], bool]) -> Callable[..., list[MeasuredUtterance]]:
    """Selects the utterances whose audio can be read and is so."""
    return _where(lambda row: isinstance(row.audio, AudioFacts) and holds(row.audio))


def _repeats(key: Key) -> Callable[..., list[MeasuredUtterance]]:
    """Selects the utterances whose key an earlier one of the split has."""

    def select(measured: Measured, _: float) -> list[MeasuredUtterance]:
        seen: set[str] = set()
        repeated = []
        for row in measured:
            found = key(row)
            if found in seen:
                repeated.append(row)
            elif found is not None:
                seen.add(found)
        return repeated

    return select


def _over_window(measured: Measured, window_seconds: float) -> list[MeasuredUtterance]:
    return [
        row
        for row in measured
        if isinstance(row.audio, AudioFacts) and row.audio.seconds > window_seconds
    ]


def _is_mistimed(row: MeasuredUtterance) -> bool:
    stated = row.utterance.duration
    if stated is None or not isinstance(row.audio, AudioFacts):
        return False
    return abs(stated - row.audio.seconds) > DURATION_SECONDS


def _is_speechless(row: MeasuredUtterance) -> bool:
    text = remove_tags(row.utterance.text)
    return bool(row.utterance.text.strip()) and not any(each.isalnum() for each in text)


def _is_mistagged(row: MeasuredUtterance) -> bool:
    said = row.utterance
    tags = said.word_languages
    return bool(tags) and not language_units(said.text, "", _normalize, tags).tagged


def _fits(row: MeasuredUtterance, window_seconds: float) -> bool:
    return row.positions <= MAX_POSITIONS and not _over_window([row], window_seconds)


def _out_of_pace(measured: Measured, _: float) -> list[MeasuredUtterance]:
    """Utterances with far more or far less text for their seconds than is usual in their languages."""
    groups: dict[tuple[str, ...], list[_Paced]] = defaultdict(list)
    for row in measured:
        size = len(row.utterance.text.strip().encode())
        if size and isinstance(row.audio, AudioFacts):
            paced = _Paced(row, row.audio.seconds, math.log(size / row.audio.seconds))
            groups[row.utterance.languages].append(paced)
    large = (group for group in groups.values() if len(group) >= PACE_FEWEST)
    return [row for group in large for row in _outliers(group)]


@dataclass(frozen=True)
class _Paced:
    row: MeasuredUtterance
    seconds: float
    pace: float  # logarithm of UTF-8 bytes a second


def _outliers(group: Sequence[_Paced]) -> Iterator[MeasuredUtterance]:
    middle = median(paced.pace for paced in group)
    deviation = _MAD_TO_DEVIATION * median(abs(paced.pace - middle) for paced in group)
    bound = PACE_DEVIATIONS * max(deviation, PACE_LEAST_SPREAD)
    for paced in group:
        too_fast = paced.pace - middle > bound
        too_slow = middle - paced.pace > bound and paced.seconds >= PACE_SLOW_SECONDS
        if too_fast or too_slow:
            yield paced.row


_RULES = (
    _Rule("error", "audio missing or unreadable",
          _where(lambda row: isinstance(row.audio, UnreadableAudio)), _unreadable_reason),
    _Rule("error", "empty text", _where(lambda row: not row.utterance.text.strip())),
    _Rule("warning", "no letter in the text", _where(_is_speechless)),
    _Rule("warning", "word languages that do not fit the words", _where(_is_mistagged)),
    _Rule("warning", "longer than {window:g} s", _over_window),
    _Rule("warning", f"text over {MAX_POSITIONS} decoder positions",
          _where(lambda row: row.positions > MAX_POSITIONS)),
    _Rule("warning", "audio of an earlier utterance", _repeats(_digest)),
    _Rule("warning", "text of an earlier utterance", _repeats(_words)),
    _Rule("warning", f"silent (below {SILENT_DECIBELS:g} dB)",
          _where_audio(lambda audio: audio.decibels < SILENT_DECIBELS)),
    _Rule("warning", f"clipped (over {CLIPPED_SHARE:.1%} of samples)",
          _where_audio(lambda audio: audio.clipped > CLIPPED_SHARE)),
    _Rule("warning", f"duration off by over {DURATION_SECONDS:g} s", _where(_is_mistimed)),
    _Rule("warning", "pace far off: text and audio misaligned?", _out_of_pace),
)  # fmt: skip


# ---- leaks between splits ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Leak:
    what: str
    key: Key
    levels: Mapping[tuple[Split, Split], Level]  # a warning for the other pairs


_PAIRS: tuple[tuple[Split, Split], ...] = (("train", "test"), ("train", "dev"), ("dev", "test"))
_LEAKS = (
    _Leak("same audio in both", _digest, {("train", "test"): "error"}),
    _Leak("same text in both", _words, {}),
    _Leak("same speaker in both", _speaker, {}),
)
