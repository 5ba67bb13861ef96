"""Scores of a system: corpus-level rates, honest intervals, and where the errors are."""

from __future__ import annotations

import jiwer
import numpy as np
import pytest

from spt_whisper.errors import InputError
from spt_whisper.evaluation.bootstrap import rate_interval
from spt_whisper.evaluation.system_score import SystemScore, score_system
from spt_whisper.evaluation.utterance_score import Rates, UtteranceScore
from spt_whisper.text.error_rates import ErrorCounts
from spt_whisper.text.normalization import get_normalizer
from tests.evaluation.said import Said, corpus

BASIC = get_normalizer("basic")
MIXED = get_normalizer("code_switching")


def test_rates_are_of_the_corpus_and_not_means() -> None:
    said = [Said("1", "A."), Said("2", "Ñuka, wasi kan!")]
    score = score_system("zero-shot", said, ["b", "ñuka wasi"], BASIC)
    assert (score.wer, score.cer) == (2 / 4, 5 / 14)  # means: (1 + 1/3) / 2, (1 + 4/13) / 2
    assert (score.substitutions, score.insertions, score.deletions) == (1, 0, 1)
    assert (score.name, score.utterances, score.interval_unit) == ("zero-shot", 2, "utterance")
    assert score.details[1] == UtteranceScore(
        id="2",
        reference="Ñuka, wasi kan!",
        hypothesis="ñuka wasi",
        words=ErrorCounts(hits=2, deletions=1),
        characters=ErrorCounts(hits=9, deletions=4),
        mixed=ErrorCounts(hits=2, deletions=1),
        normalized_reference="ñuka wasi kan",
        normalized_hypothesis="ñuka wasi",
    )


def test_rates_agree_with_jiwer() -> None:
    said, recognized = corpus(60)
    score = score_system("x", said, recognized, BASIC, resamples=10)
    texts = [each.text for each in said]
    assert score.wer == pytest.approx(jiwer.wer(texts, recognized))
    assert score.cer == pytest.approx(jiwer.cer(texts, recognized))


def test_interval_agrees_with_a_bootstrap_written_out() -> None:
    said, recognized = corpus(80)
    score = score_system("x", said, recognized, BASIC, resamples=4000)
    dice = np.random.default_rng(1)
    rates = []
    for _ in range(4000):
        drawn = [score.details[n].words for n in dice.integers(80, size=80)]
        rates.append(sum(drawn, ErrorCounts()).rate)
    low, high = np.percentile(rates, [2.5, 97.5])
    assert score.wer_interval == pytest.approx((low, high), abs=0.012)
    assert score.wer_interval[0] < score.wer < score.wer_interval[1]
    assert score.cer_interval[0] < score.cer < score.cer_interval[1]


def test_intervals_are_seeded() -> None:
    said, recognized = corpus(40)
    first, again, other = (score_system("x", said, recognized, BASIC, seed=n) for n in (0, 0, 1))
    assert first == again
    assert first.wer_interval != other.wer_interval


@pytest.mark.parametrize(
    ("speakers", "unit"), [(0, "utterance"), (4, "utterance"), (5, "speaker"), (9, "speaker")]
)
def test_speakers_are_drawn_where_there_are_enough(speakers: int, unit: str) -> None:
    score = score_system("x", *corpus(45, speakers), BASIC, resamples=50)
    assert score.interval_unit == unit


def test_one_utterance_without_a_speaker_means_utterances_are_drawn() -> None:
    said, recognized = corpus(45, 9)
    said[7].speaker = None
    assert score_system("x", said, recognized, BASIC).interval_unit == "utterance"


def test_speakers_who_differ_widen_the_interval() -> None:
    """Drawn as if independent, utterances of a few speakers look more certain than they are."""
    said = [Said(str(n), "a b c d", f"s{n % 6}") for n in range(120)]
    recognized = ["a b c d" if n % 6 < 3 else "x x x x" for n in range(120)]
    by_speaker = score_system("x", said, recognized, BASIC)
    alone = score_system("x", [Said(each.id, each.text) for each in said], recognized, BASIC)
    width = [high - low for low, high in (by_speaker.wer_interval, alone.wer_interval)]
    assert by_speaker.wer == alone.wer == 0.5
    assert width[0] > 3 * width[1]


@pytest.mark.parametrize(
    ("said", "recognized", "wer", "interval"),
    [
        ([Said("1", "a b")], ["a c"], 0.5, (0.5, 0.5)),
        ([Said("1", "")], ["a c"], 2.0, (2.0, 2.0)),
        ([Said("1", "a"), Said("2", "b")], ["a", "b"], 0.0, (0.0, 0.0)),
        ([Said("1", ""), Said("2", "…")], ["", "!"], 0.0, (0.0, 0.0)),
        ([Said("1", "a"), Said("2", "b")], ["", ""], 1.0, (1.0, 1.0)),
    ],
)
@pytest.mark.filterwarnings("error")
def test_degenerate_corpora(
    said: list[Said], recognized: list[str], wer: float, interval: tuple[float, float]
) -> None:
    score = score_system("x", said, recognized, BASIC)
    assert (score.wer, score.wer_interval) == (wer, interval)


def test_an_interval_has_plain_numbers() -> None:
    low, high = rate_interval([ErrorCounts(hits=1), ErrorCounts(deletions=1)], 20, 0)
    assert (type(low), type(high)) == (float, float)


@pytest.mark.parametrize(
    ("said", "recognized", "message"),
    [
        ([], [], "system 'x': no utterances to score"),
        ([Said("1", "a")], [], "system 'x': 0 hypotheses for 1 references"),
        ([Said("1", "a")], ["a", "b"], "system 'x': 2 hypotheses for 1 references"),
        ([Said("1", "a"), Said("1", "b")], ["a", "b"], "utterance id '1' is there more than once"),
    ],
)
def test_what_does_not_pair_is_refused(
    said: list[Said], recognized: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score_system("x", said, recognized, BASIC)


def test_a_score_is_made_of_plain_values() -> None:
    score = score_system("x", *corpus(9), BASIC)
    assert {type(value) for value in (score.wer, score.cer, *score.wer_interval)} == {float}
    assert isinstance(score, SystemScore)


def test_a_code_switching_corpus_is_scored_in_both_units() -> None:
    said = [Said("1", "我們想 check EMAIL。"), Said("2", "Okay, 好！"), Said("3", "你好嗎")]
    score = score_system("x", said, ["我们想 check mail", "okay 好", "你好吗"], MIXED, 50)
    assert (score.main_rate, score.mixed_error_rate) == ("mixed_error_rate", 1 / 10)
    assert (score.rate, score.interval) == (score.mixed_error_rate, score.mixed_error_rate_interval)
    assert score.interval[0] <= score.rate <= score.interval[1]
    assert score.steps == MIXED.steps
    assert score.errors.mixed == ErrorCounts(hits=9, substitutions=1)
    assert score.switching.by_language["Latin"] == ErrorCounts(hits=2, substitutions=1)
    assert [each.switched for each in score.details] == [True, True, False]


def test_the_raw_score_is_that_of_the_letters_as_written() -> None:
    score = score_system("x", [Said("1", "Ñuka, wasi!")], ["ñuka wasi"], BASIC)
    assert score.wer == 0
    assert score.raw == Rates(wer=1.0, cer=3 / 11, mixed_error_rate=1.0)


@pytest.mark.parametrize(
    ("text", "main"), [("Kayman shamuychik", "wer"), ("其家人都在", "cer"), ("ภาษาไทย", "cer")]
)
def test_the_main_rate_is_that_of_the_writing(text: str, main: str) -> None:
    score = score_system("x", [Said("1", text)], [text[1:]], BASIC)
    assert score.main_rate == main
    assert score.rate == getattr(score, main) > 0


def test_word_tags_of_the_corpus_are_used() -> None:
    said = [Said("1", "sukta capítulo", word_languages=("qug", "es")), Said("2", "ari")]
    score = score_system("x", said, ["sukta", "ari"], BASIC)
    assert score.switching.by_language["es"] == ErrorCounts(deletions=1)
    assert score.switching.tagged_utterances == 1


def test_hallucinations_are_counted() -> None:
    said = [Said("1", "a b", duration=9.0), Said("2", "a b", duration=0.2), Said("3", "c")]
    score = score_system("x", said, ["no " * 6, "a b", "c"], BASIC)
    assert score.hallucination.utterances == 2
    assert score.hallucination.signs == {"repeats": 1, "too_fast": 1, "too_long": 1}
    assert [each.hallucination for each in score.details] == [
        ("repeats", "too_long"), ("too_fast",), (),
    ]  # fmt: skip
