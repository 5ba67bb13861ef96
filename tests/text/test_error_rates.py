"""Error counts: rows counted by hand, and agreement with jiwer over whole corpora."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spt_whisper.corpora.manifest import read_manifest
from spt_whisper.errors import InputError
from spt_whisper.text.error_rates import (
    ErrorCounts,
    aligned,
    count_character_errors,
    count_mixed_errors,
    count_word_errors,
    word_error_rate,
)
from spt_whisper.text.units import default_rate

SENTENCES = st.lists(st.sampled_from(["a", "b", "ab", "ñ"]), max_size=6).map(" ".join)


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
        ("你好 世界", "你好世界", 4, 0, 0, 0, 0.0),  # a blank between characters is no speech
        ("ดี มาก", "ดีมาก", 5, 0, 0, 0, 0.0),
        ("我 check 了", "我check了", 7, 0, 0, 0, 0.0),
    ],
)
def test_characters(
    reference: str, hypothesis: str, hits: int, substitutions: int, insertions: int,
    deletions: int, rate: float,
) -> None:  # fmt: skip
    counts = count_character_errors(reference, hypothesis)
    assert counts == ErrorCounts(hits, substitutions, insertions, deletions)
    assert counts.rate == rate


@pytest.mark.parametrize(
    ("reference", "hypothesis", "hits", "substitutions", "insertions", "deletions", "rate"),
    [
        ("", "", 0, 0, 0, 0, 0.0),
        ("我想 check email 了", "我想check email了", 5, 0, 0, 0, 0.0),
        ("我想 check email 了", "我像 check mail", 2, 2, 0, 1, 3 / 5),
        ("我想 check email 了", "i want to check email", 2, 2, 1, 1, 4 / 5),
        ("okay 我们 走吧", "okay 走吧 走吧", 3, 2, 0, 0, 2 / 5),
        ("the cat", "the bat", 1, 1, 0, 0, 0.5),  # one language: words
        ("你好", "你们好", 2, 0, 1, 0, 0.5),  # or characters
        ("สวัสดี hello", "สวัสดี", 4, 0, 0, 1, 0.2),  # a vowel sign stays with its letter
    ],
)
def test_mixed(
    reference: str, hypothesis: str, hits: int, substitutions: int, insertions: int,
    deletions: int, rate: float,
) -> None:  # fmt: skip
    counts = count_mixed_errors(reference, hypothesis)
    assert counts == ErrorCounts(hits, substitutions, insertions, deletions)
    assert counts.rate == rate


@given(SENTENCES, SENTENCES)
def test_mixed_errors_of_spaced_scripts_are_word_errors(reference: str, hypothesis: str) -> None:
    assert count_mixed_errors(reference, hypothesis) == count_word_errors(reference, hypothesis)


@given(st.text("我你好了", max_size=8), st.text("我你好了", max_size=8))
def test_mixed_errors_of_mandarin_are_character_errors(reference: str, hypothesis: str) -> None:
    mixed = count_mixed_errors(reference, hypothesis)
    assert mixed == count_character_errors(reference, hypothesis)
    if reference:
        assert mixed.rate == pytest.approx(jiwer.cer(reference, hypothesis))


def test_aligned_positions() -> None:
    assert list(aligned(list("abc"), list("xbcd"))) == [(0, 0), (1, 1), (2, 2), (None, 3)]
    assert list(aligned(["a", "b"], ["b"])) == [(0, None), (1, 0)]
    assert list(aligned([], ["a"])) == [(None, 0)]
    assert list(aligned([], [])) == []


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
        if default_rate([utterance.text]) == "wer"  # no blanks are dropped there
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


def test_the_rate_of_texts_is_that_of_all_their_words_normalized() -> None:
    errors = word_error_rate(["Ari, wasi!", "llakta"], ["ari wasi kan", ""])
    assert (errors.hits, errors.insertions, errors.deletions) == (2, 1, 1)
    assert errors.rate == pytest.approx(2 / 3)
    assert word_error_rate("Ari", "ari", "raw").rate == 1.0
    assert word_error_rate("caf\u00e9", "cafe\u0301", "raw").rate == 0.0
    with pytest.raises(
        InputError, match="hypotheses: found 1 for 2 references, wanted one for each"
    ):
        word_error_rate(["a", "b"], ["a"])
    with pytest.raises(InputError, match="hypotheses: found NoneType, wanted texts"):
        word_error_rate(["a"], [None])  # type: ignore[list-item]
    with pytest.raises(InputError, match="references: found NoneType, wanted texts"):
        word_error_rate(None, "a")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="normalizer 'nfkb' is unknown"):
        word_error_rate("a", "a", "nfkb")


class Table(list[str]):
    """Iterates over its columns' names, as a DataFrame does."""

    columns = ("text",)


@pytest.mark.parametrize("keyed", [{"u1": "a b c"}, {"a b c"}, Table(["text"])])
def test_keys_are_not_scored(keyed: Any) -> None:
    found = f"found {type(keyed).__name__}, wanted its texts in order"
    with pytest.raises(InputError, match=f"references: {found}"):
        word_error_rate(keyed, keyed)
    with pytest.raises(InputError, match=f"hypotheses: {found}"):
        word_error_rate(["a"], keyed)
    assert word_error_rate({"u1": "a"}.values(), ["a"]).errors == 0  # type: ignore[arg-type]
