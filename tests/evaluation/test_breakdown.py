"""The rates of a corpus by group: sums of counts in every group, and no group that says nothing."""

from __future__ import annotations

from spt_whisper.evaluation.breakdown import GroupScore, break_down
from spt_whisper.evaluation.system_score import score_system
from spt_whisper.evaluation.utterance_score import Rates
from spt_whisper.text.normalization import get_normalizer
from tests.evaluation.said import Said

BASIC = get_normalizer("basic")


def groups(said: list[Said], recognized: list[str]) -> dict[tuple[str, str], GroupScore]:
    score = score_system("x", said, recognized, BASIC, 10)
    assert score.breakdown == break_down(score.details)
    return {(group.by, group.group): group for group in score.breakdown}


def test_groups() -> None:
    said = [
        Said("1", "a", "s1", ("en",), 1.9),
        Said("2", "a b c", "s1", ("en",), 2.0),
        Said("3", "我 a", None, ("zh", "en"), 25.0),
    ]
    found = groups(said, ["b", "a b c", "我 b"])
    assert {key: group.utterances for key, group in found.items()} == {
        ("speaker", "s1"): 2,
        ("speaker", "unknown"): 1,
        ("duration", "under 2 s"): 1,
        ("duration", "2 to 5 s"): 1,
        ("duration", "20 s or more"): 1,
        ("language", "en"): 2,
        ("language", "zh+en"): 1,
        ("switching", "switched"): 1,
        ("switching", "not switched"): 2,
    }
    # one error in four words together; the mean of the two rates would be a half
    assert found["speaker", "s1"].rates == Rates(1 / 4, 1 / 6, 1 / 4)
    assert found["switching", "switched"].rates.mixed_error_rate == 1 / 2


def test_a_single_group_is_the_corpus_and_left_out() -> None:
    assert groups([Said("1", "a", "s1"), Said("2", "b", "s1")], ["a", "b"]) == {}
