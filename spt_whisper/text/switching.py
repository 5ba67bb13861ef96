"""Code-switching: the errors of each language, at the switches, and one language for another."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from spt_whisper.text.error_rates import ErrorCounts, aligned
from spt_whisper.text.scripts import script_of
from spt_whisper.text.units import mixed_units, words

UNKNOWN = "unknown"  # the language of a number alone, or of words whose tags do not fit
_KANA = {"Hiragana", "Katakana"}
_JAPANESE = "Japanese"


@dataclass(frozen=True)
class Unit:
    """A mixed unit (see `units.py`) and its language: a tag of the corpus, else its script."""

    text: str
    language: str | None  # None: shared by languages (digits), or unknown


@dataclass(frozen=True)
class Pair:
    """One utterance in units: what was said, what was recognized."""

    reference: tuple[Unit, ...]
    hypothesis: tuple[Unit, ...]
    tagged: bool  # whether the languages are the corpus's word tags

    @property
    def switched(self) -> bool:
        """Whether more than one language was said."""
        return len({unit.language for unit in self.reference} - {None}) > 1


@dataclass(frozen=True)
class Confusion:
    """How many units of one language were recognized as units of another."""

    spoken: str
    recognized: str
    units: int


@dataclass(frozen=True)
class SwitchingErrors:
    """Errors of a corpus by language.

    A substitution or deletion belongs to the language that was said. An insertion belongs to its
    own script; where the corpus tags words, to the language said before it. Where alignments tie,
    jiwer's choice decides.
    """

    by_language: dict[str, ErrorCounts] = field(default_factory=dict)
    switches: int = 0  # how often a unit is of another language than the unit before it
    at_switches: ErrorCounts = ErrorCounts()  # of the two units of each switch, and between them
    confusions: tuple[Confusion, ...] = ()  # seen only where languages differ in script
    tagged_utterances: int = 0  # those whose languages are the corpus's word tags


def language_units(
    reference: str,
    hypothesis: str,
    normalizer: Callable[[str], str],
    word_languages: Sequence[str] | None = None,
) -> Pair:
    """Units of both texts, normalized, with their languages.

    With `word_languages`, languages are these: one for each word, but that words which
    normalization empties may go without. Where they do not fit the words, or a step reaches over a
    blank, the languages of the utterance are unknown. Without them, languages are scripts.
    """
    spoken, recognized = (mixed_units(normalizer(text)) for text in (reference, hypothesis))
    if word_languages:
        tagged = _tagged_units(reference, word_languages, normalizer)
        fitting = [unit.text for unit in tagged] == spoken
        said = tagged if fitting else tuple(Unit(unit, None) for unit in spoken)
        return Pair(said, tuple(Unit(unit, None) for unit in recognized), tagged=fitting)
    japanese = any(script_of(unit) in _KANA for unit in spoken)
    by_script = [
        tuple(Unit(unit, _written_language(unit, japanese)) for unit in units)
        for units in (spoken, recognized)
    ]
    return Pair(by_script[0], by_script[1], tagged=False)


def count_switching_errors(pairs: Iterable[Pair]) -> SwitchingErrors:
    """The errors of a whole corpus."""
    tally = _Tally()
    for pair in pairs:
        tally.add(pair)
    confusions = (Confusion(*languages, units) for languages, units in tally.confusions.items())
    return SwitchingErrors(
        by_language={name: ErrorCounts(**tally.kinds[name]) for name in sorted(tally.kinds)},
        switches=tally.switches,
        at_switches=ErrorCounts(**tally.at_switches),
        confusions=tuple(sorted(confusions, key=lambda row: (row.spoken, row.recognized))),
        tagged_utterances=tally.tagged,
    )


def _tagged_units(
    text: str, tags: Sequence[str], normalizer: Callable[[str], str]
) -> tuple[Unit, ...]:
    """Normalized units with the tags of their words; none where words and tags differ in number."""
    every_word = words(text)
    lasting = [word for word in every_word if normalizer(word)]
    for found in (every_word, lasting):
        if len(found) == len(tags):
            return tuple(
                Unit(unit, tag)
                for word, tag in zip(found, tags, strict=True)
                for unit in mixed_units(normalizer(word))
            )
    return ()


def _written_language(unit: str, japanese: bool) -> str | None:
    script = script_of(unit)
    return _JAPANESE if script in _KANA or (japanese and script == "Han") else script


class _Tally:
    """Counts that grow pair by pair."""

    def __init__(self) -> None:
        self.kinds: dict[str, Counter[str]] = {}
        self.at_switches: Counter[str] = Counter()
        self.confusions: Counter[tuple[str, str]] = Counter()
        self.switches = 0
        self.tagged = 0

    def add(self, pair: Pair) -> None:
        languages = _inherited([unit.language for unit in pair.reference])
        switches = {n for n in range(1, len(languages)) if languages[n] != languages[n - 1]}
        self.switches += len(switches)
        self.tagged += pair.tagged
        passed = 0  # units of the reference so far
        texts = ([unit.text for unit in side] for side in (pair.reference, pair.hypothesis))
        for spoken, recognized in aligned(*texts):
            found = None if recognized is None else pair.hypothesis[recognized]
            if spoken is None:
                before = languages[max(0, passed - 1)] if languages else UNKNOWN
                self._count("insertions", (found and found.language) or before, passed in switches)
                continue
            passed = spoken + 1
            kind = _kind(pair.reference[spoken], found)
            self._count(kind, languages[spoken], bool({spoken, spoken + 1} & switches))
            if found and found.language not in (None, languages[spoken]):
                self.confusions[languages[spoken], str(found.language)] += 1

    def _count(self, kind: str, language: str, at_switch: bool) -> None:
        self.kinds.setdefault(language, Counter())[kind] += 1
        self.at_switches[kind] += at_switch


def _kind(spoken: Unit, recognized: Unit | None) -> str:
    if recognized is None:
        return "deletions"
    return "hits" if spoken.text == recognized.text else "substitutions"


def _inherited(languages: Sequence[str | None]) -> list[str]:
    """A unit of no language of its own takes that of the unit before it, the first that behind."""
    first = next((language for language in languages if language), UNKNOWN)
    filled = itertools.accumulate(languages, lambda before, own: own or before, initial=first)
    return [str(language) for language in filled][1:]
