"""The English normalizer agrees with Whisper's own, but where its first lines say so."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from spt_whisper.text.normalization import get_normalizer

AGREEING = [
    "", "Hello, World!", "I don't know, it's Mr. Smith's.", "He's got twenty-one dollars.",
    "Two hundred and fifty three point five percent", "One oh one", "minus four degrees",
    "It costs $3.50, or 1,000,000 euros!", "um, I, uh, can't go [laughter]", "one thousand two hundred",
    "the 1960s and the twenty first", "a.m. 7:30 p.m.", "Dr. Who won't", "nine and a half",
    "x-ray, e-mail", "Rock 'n' roll", "I'd been there. You'd go?", "$2 and 7 cents", "don't 'quote' me",
    "state-of-the-art", "A B C.", "no. 5", "twenty twenty one", "U.S. is 10.", "double seven",
    "the cat's five-year plan", "$20 million", "I'm gonna wanna", "St. John's", "1st 2nd third",
    "it 's fine", "5% of it", "they've said we're late", "ain't y'all", "<noise> mhm yes",
]  # fmt: skip


@pytest.mark.parametrize("text", AGREEING)
def test_agrees_with_whisper(text: str) -> None:
    assert get_normalizer("english")(text) == EnglishTextNormalizer({})(text).strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("café — naïve", "café naïve"),
        ("What’s up", "what is up"),
        ("at 5 o'clock", "at 5 o'clock"),
        ("double o seven", "7"),
        ("it (really) is", "it really is"),
        ("the colour", "the colour"),
        ("it rose point five percent", "it rose 0.5%"),
        ("it rose .5 percent ...5 more", "it rose 0.5% 5 more"),
        ("He said “3.5 percent” (50%) —$20", "he said 3.5% 50% $20"),
    ],
)
def test_differs_where_it_says_so(text: str, expected: str) -> None:
    assert get_normalizer("english")(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3.5% of $20 - 4", "3.5% of $20   4"), ("-4 x-4 a.5", "-4 x 4 a 5"), ("don't!", "don't ")],
)
def test_punctuation_of_numbers_stays(text: str, expected: str) -> None:
    step = get_normalizer("remove_punctuation_around_numbers")
    assert step(text) == expected


NUMBERS = "one oh twenty hundred thousand point double and minus cent dollars percent per first a"
SIGNS = "1 20 3.5 1,000 $5 50% -4 ¢7 1960s 2nd 007 it's y'all n't 's mr um <b> x1y ' . - ,"
PIECES = st.sampled_from([*NUMBERS.split(), *SIGNS.split()])


@given(st.lists(st.tuples(PIECES, st.sampled_from([" ", "", "-"])).map("".join), max_size=6))
@example(["1 cent"])
@example(["1y'all"])
@example(["20 one"])
def test_twice_is_once_also_where_numbers_make_new_numbers(pieces: list[str]) -> None:
    english = get_normalizer("english")
    once = english("".join(pieces))
    assert english(once) == once
