"""Two systems on the same utterances: the difference, its interval, who is better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spt_whisper.errors import InputError
from spt_whisper.evaluation.bootstrap import relative_change
from spt_whisper.evaluation.paired import compare_pair, compare_with_first
from spt_whisper.evaluation.system_score import SystemScore, score_system
from spt_whisper.text.error_rates import ErrorCounts
from spt_whisper.text.normalization import get_normalizer
from tests.evaluation.said import Said, corpus

BASIC = get_normalizer("basic")


def systems(number: int, speakers: int = 0) -> tuple[SystemScore, SystemScore, SystemScore]:
    """One with errors, one with an eighth of them mended, one without."""
    said, recognized = corpus(number, speakers)
    mended = [
        each.text if n % 8 == 0 else text
        for n, (each, text) in enumerate(zip(said, recognized, strict=True))
    ]
    hypotheses = (recognized, mended, [each.text for each in said])
    first, second, third = (
        score_system(name, said, texts, BASIC, 50)
        for name, texts in zip(("bare", "mended", "right"), hypotheses, strict=True)
    )
    return first, second, third


def test_a_small_steady_gain_is_seen_where_single_intervals_overlap() -> None:
    bare, mended, _ = systems(80)
    found = compare_pair(bare, mended)
    assert found.difference == mended.wer - bare.wer < 0
    assert found.interval[0] < found.difference < found.interval[1] < 0
    assert found.probability > 0.99
    assert mended.wer_interval[1] > bare.wer_interval[0]
    assert (found.first, found.second, found.rate) == ("bare", "mended", "wer")


def test_agrees_with_a_paired_bootstrap_written_out() -> None:
    bare, mended, _ = systems(60)
    dice = np.random.default_rng(1)
    drawn = []
    for _ in range(3000):
        picked = dice.integers(60, size=60)
        rates = [
            sum((system.details[n].words for n in picked), ErrorCounts()).rate
            for system in (bare, mended)
        ]
        drawn.append(rates[1] - rates[0])
    expected = np.percentile(drawn, [2.5, 97.5])
    assert compare_pair(bare, mended, 3000).interval == pytest.approx(expected, abs=0.01)


def test_the_order_turns_the_sign() -> None:
    bare, mended, _ = systems(40)
    there, back = compare_pair(bare, mended), compare_pair(mended, bare)
    assert there.difference == -back.difference
    assert there.probability + back.probability == pytest.approx(1)


def test_equal_systems_are_even() -> None:
    bare, _, _ = systems(20)
    found = compare_pair(bare, bare)
    assert (found.difference, found.interval, found.probability) == (0.0, (0.0, 0.0), 0.5)


@pytest.mark.parametrize(("recognized", "probability"), [("a", 1.0), ("b", 0.5), ("b b", 0.0)])
def test_one_utterance(recognized: str, probability: float) -> None:
    said = [Said("1", "a")]
    before = score_system("x", said, ["b"], BASIC)
    found = compare_pair(before, score_system("y", said, [recognized], BASIC))
    assert found.probability == probability
    assert found.interval == (found.difference, found.difference)


def test_speakers_are_drawn_where_there_are_enough() -> None:
    assert compare_pair(*systems(30, speakers=6)[:2], resamples=50).interval_unit == "speaker"


def test_everyone_against_the_first_in_its_unit() -> None:
    found = compare_with_first(systems(10), resamples=50)
    assert [(each.first, each.second) for each in found] == [("bare", "mended"), ("bare", "right")]
    bare, *others = systems(10)
    assert found == tuple(compare_pair(bare, other, 50) for other in others)
    assert found != compare_with_first([bare, *others], 50, seed=1)
    assert compare_with_first([]) == ()
    said = [Said("1", "你好"), Said("2", "走 吧")]
    mandarin = [score_system(n, said, ["你好", n], BASIC, 10) for n in ("走 啊", "走吧")]
    assert compare_pair(*mandarin, resamples=20).rate == "cer"
    assert compare_pair(*mandarin, resamples=20).difference == -1 / 4


def test_the_interval_is_of_the_rate_that_is_compared() -> None:
    said = [Said("1", "我想 check email 了")]
    right, wrong = (
        score_system(text, said, [text], get_normalizer("code_switching"))
        for text in (said[0].text, "我想 check mail 了")
    )
    found = compare_pair(right, wrong)
    assert (found.rate, found.difference) == ("mixed_error_rate", 1 / 5)
    assert found.interval == (1 / 5, 1 / 5)


def test_the_first_ones_main_rate_is_compared() -> None:
    bare, mended, _ = systems(10)
    assert compare_pair(bare, replace(mended, main_rate="cer")) == compare_pair(bare, mended)


def test_other_utterances_are_refused() -> None:
    bare, _, _ = systems(5)
    renamed = replace(bare, details=tuple(replace(own, id=f"x{own.id}") for own in bare.details))
    with pytest.raises(InputError, match="5 and 5 utterances, not the same"):
        compare_pair(bare, renamed)
    other = score_system("y", [Said("9", "a")], ["a"], BASIC)
    with pytest.raises(
        InputError, match="systems 'bare' and 'y': 5 and 1 utterances, not the same"
    ):
        compare_pair(bare, other)


def test_a_relative_change_has_the_interval_of_a_paired_bootstrap_written_out() -> None:
    bare, mended, _ = systems(60)
    words = [[score.words for score in system.details] for system in (bare, mended)]
    change, interval = relative_change(*words, 3000, 0)
    assert change == pytest.approx(mended.wer / bare.wer - 1)
    dice = np.random.default_rng(1)
    drawn = []
    for _ in range(3000):
        picked = dice.integers(60, size=60)
        first, second = (sum((own[n] for n in picked), ErrorCounts()).rate for own in words)
        drawn.append(second / first - 1)
    assert interval == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.01)
    assert relative_change(words[0][:1], words[0][:1], 10, 0) == (0.0, (0.0, 0.0))
    none = [ErrorCounts(hits=5)] * 3
    assert relative_change(none, none, 10, 0)[0] == -1.0
