"""Scores of one system on one corpus: error rates with intervals, and where the errors are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from spt_whisper.errors import InputError
from spt_whisper.evaluation.bootstrap import Interval, IntervalUnit, drawn_units, rate_interval
from spt_whisper.evaluation.breakdown import GroupScore, break_down
from spt_whisper.evaluation.rates import RATES
from spt_whisper.evaluation.utterance_score import (
    Rates,
    Reference,
    UnitErrors,
    UtteranceScore,
    count_errors,
    total_errors,
)
from spt_whisper.text.hallucination import SIGNS, Recognized, hallucination_signs
from spt_whisper.text.normalization import Normalizer, get_normalizer
from spt_whisper.text.switching import (
    Pair,
    SwitchingErrors,
    count_switching_errors,
    language_units,
)
from spt_whisper.text.units import RateName, default_rate


@dataclass(frozen=True)
class HallucinationCounts:
    """Utterances that show signs of hallucination, see `text/hallucination.py`."""

    utterances: int = 0  # with any sign
    signs: dict[str, int] = field(default_factory=dict)  # utterances by sign


@dataclass(frozen=True)
class SystemScore:
    """One system on the whole corpus; rates are fractions of all units together."""

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
    mixed_error_rate: float = 0.0
    mixed_error_rate_interval: Interval = (0.0, 0.0)
    main_rate: RateName = "wer"  # which one says most about this corpus
    errors: UnitErrors = UnitErrors()  # counts behind the three rates
    steps: tuple[str, ...] = ()  # of normalization, as they ran
    raw: Rates | None = None  # of the texts as written, without those steps
    switching: SwitchingErrors = SwitchingErrors()
    hallucination: HallucinationCounts = HallucinationCounts()
    breakdown: tuple[GroupScore, ...] = ()

    @property
    def rate(self) -> float:
        """The main rate."""
        return float(getattr(self, self.main_rate))

    @property
    def interval(self) -> Interval:
        """95 % interval of the main rate."""
        low, high = getattr(self, f"{self.main_rate}_interval")
        return (low, high)


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
    pairs = list(zip(references, hypotheses, strict=True))
    units = [language_units(r.text, h, normalizer, r.word_languages) for r, h in pairs]
    details = tuple(
        _score_utterance(reference, hypothesis, normalizer, pair)
        for (reference, hypothesis), pair in zip(pairs, units, strict=True)
    )
    errors = total_errors(details)
    unit, groups = drawn_units(details)
    wer, cer, mixed = (
        rate_interval([getattr(group, unit_name) for group in groups], resamples, seed)
        for unit_name in (rate.unit for rate in RATES.values())
    )
    return SystemScore(
        name=name,
        wer=errors.words.rate,
        cer=errors.characters.rate,
        wer_interval=wer,
        cer_interval=cer,
        substitutions=errors.words.substitutions,
        insertions=errors.words.insertions,
        deletions=errors.words.deletions,
        utterances=len(details),
        interval_unit=unit,
        details=details,
        mixed_error_rate=errors.mixed.rate,
        mixed_error_rate_interval=mixed,
        main_rate=default_rate(score.normalized_reference for score in details),
        errors=errors,
        steps=normalizer.steps,
        raw=_raw_rates(details),
        switching=count_switching_errors(units),
        hallucination=_count_hallucinations(details),
        breakdown=break_down(details),
    )


def check_unique(what: str, names: Iterable[str]) -> None:
    """Refuses a name that appears twice.

    Raises:
        InputError: one is.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{what} {twice[0]!r} is there more than once; give each one name")


def _check_pairs(name: str, references: Sequence[Reference], hypotheses: Sequence[str]) -> None:
    if not references:
        raise InputError(f"system {name!r}: no utterances to score; give at least one")
    if len(references) != len(hypotheses):
        raise InputError(
            f"system {name!r}: {len(hypotheses)} hypotheses for {len(references)} references; "
            "give one each"
        )
    check_unique(f"system {name!r}: utterance id", (reference.id for reference in references))


def _score_utterance(
    reference: Reference, hypothesis: str, normalizer: Normalizer, units: Pair
) -> UtteranceScore:
    wanted, found = normalizer(reference.text), normalizer(hypothesis)
    errors = count_errors(wanted, found)
    return UtteranceScore(
        id=reference.id,
        reference=reference.text,
        hypothesis=hypothesis,
        words=errors.words,
        characters=errors.characters,
        mixed=errors.mixed,
        normalized_reference=wanted,
        normalized_hypothesis=found,
        speaker=reference.speaker,
        languages=reference.languages,
        duration=reference.duration,
        switched=units.switched,
        hallucination=hallucination_signs(Recognized(wanted, found, reference.duration)),
    )


def _raw_rates(scores: Iterable[UtteranceScore]) -> Rates:
    raw = get_normalizer("raw")
    errors = (count_errors(raw(score.reference), raw(score.hypothesis)) for score in scores)
    return sum(errors, UnitErrors()).rates


def _count_hallucinations(scores: Sequence[UtteranceScore]) -> HallucinationCounts:
    shown = Counter(sign for score in scores for sign in score.hallucination)
    return HallucinationCounts(
        sum(bool(score.hallucination) for score in scores), {sign: shown[sign] for sign in SIGNS}
    )
