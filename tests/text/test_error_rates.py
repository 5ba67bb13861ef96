"""Error counts: rows counted by hand, and agreement with jiwer over whole corpora."""

from __future__ import annotations

import random
from pathlib import Path

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spt_whisper.corpora.manifest import read_manifest
from spt_whisper.text.error_rates import ErrorCounts, count_character_errors, count_word_errors

SENTENCES = st.lists(st.sampled_from(["a", "b", "ab", "我"]), max_size=6).map(" ".join)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "hits", "substitutions", "insertions", "deletions", "rate"),
    [
        ("", "", 0, 0, 0, 0, 0.0),
        ("", "a b", 0, 0, 2, 0, 2.0),
        ("a b", "", 0, 0, 0, 2, 1.0),
        ("a", "a", 1, 0, 0, 0, 0.0),
        ("a b c d", "a x c", 2, 1, 0, 1, 0.5),
        ("a b", "x a b y", 2, 0, 2, 0, 1.0),
        ("a", "b c d", 0, 1, 2, 0, 3.0),
        ("a A", "a a", 1, 1, 0, 0, 0.5),
        (" a \t b\n", "a b", 2, 0, 0, 0, 0.0),
        ("我 你好", "他 你好", 1, 1, 0, 0, 0.5),
        ("ñuka", "nuka", 0, 1, 0, 0, 1.0),
    ],
)
def test_words(
    reference: str, hypothesis: str, hits: int, substitutions: int, insertions: int,
    deletions: int, rate: float,
) -> None:  # fmt: skip
    counts = count_word_errors(reference, hypothesis)
    assert counts == ErrorCounts(hits, substitutions, insertions, deletions)
    assert counts.rate == rate
    assert counts.reference_length == len(reference.split())
    assert counts.errors == substitutions + insertions + deletions


@pytest.mark.parametrize(
    ("reference", "hypothesis", "hits", "substitutions", "insertions", "deletions", "rate"),
    [
        ("", "", 0, 0, 0, 0, 0.0),
        ("", "ab", 0, 0, 2, 0, 2.0),
        ("ab", "", 0, 0, 0, 2, 1.0),
        ("我", "他", 0, 1, 0, 0, 1.0),  # where jiwer's command line finds nothing to score
        ("我你好", "他你好", 2, 1, 0, 0, 1 / 3),
        ("a b", "ab", 2, 0, 0, 1, 1 / 3),
        ("kitten", "sitting", 4, 2, 1, 0, 0.5),
        ("a   b", "a b", 3, 0, 0, 0, 0.0),
    ],
)
def test_characters(
    reference: str, hypothesis: str, hits: int, substitutions: int, insertions: int,
    deletions: int, rate: float,
) -> None:  # fmt: skip
    counts = count_character_errors(reference, hypothesis)
    assert counts == ErrorCounts(hits, substitutions, insertions, deletions)
    assert counts.rate == rate


def test_a_corpus_is_the_sum_of_counts_not_the_mean_of_rates() -> None:
    counts = [count_word_errors("a", "b"), count_word_errors("a b c", "a b c")]
    total = sum(counts, ErrorCounts())
    assert total == ErrorCounts(hits=3, substitutions=1)
    assert total.rate == 0.25  # the mean of the rates is 0.5


@given(st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=5))
def test_sums_are_jiwers_over_the_corpus(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = (list(side) for side in zip(*pairs, strict=True))
    words = sum((count_word_errors(*pair) for pair in pairs), ErrorCounts())
    characters = sum((count_character_errors(*pair) for pair in pairs), ErrorCounts())
    assert words.rate == pytest.approx(jiwer.wer(references, hypotheses))
    assert characters.rate == pytest.approx(jiwer.cer(references, hypotheses))


def test_real_text_damaged_on_purpose_agrees_with_jiwer(shared_data: Path) -> None:
    dice = random.Random(0)
    references = [
        utterance.text
        for manifest in sorted((shared_data / "tiny").rglob("test.jsonl"))
        for utterance in read_manifest(manifest)
    ]
    hypotheses = ["".join(each for each in text if dice.random() < 0.9) for text in references]
    pairs = list(zip(references, hypotheses, strict=True))
    words = sum((count_word_errors(*pair) for pair in pairs), ErrorCounts())
    characters = sum((count_character_errors(*pair) for pair in pairs), ErrorCounts())
    expected_words = jiwer.process_words(references, hypotheses)
    expected_characters = jiwer.process_characters(references, hypotheses)
    for counts, expected in ((words, expected_words), (characters, expected_characters)):
        assert counts.errors > 0
        assert counts.errors == expected.substitutions + expected.insertions + expected.deletions
        assert counts.hits == expected.hits
    assert words.rate == pytest.approx(expected_words.wer)
    assert characters.rate == pytest.approx(expected_characters.cer)
