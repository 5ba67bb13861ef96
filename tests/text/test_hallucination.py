"""Signs of hallucination, each at its limit."""

from __future__ import annotations

import pytest

from spt_whisper.text.hallucination import Recognized, hallucination_signs

LONG = "a b c d e f g h i j k l m n o p q r"


@pytest.mark.parametrize(
    ("reference", "hypothesis", "duration", "signs"),
    [
        (LONG, "no " * 6, None, ("repeats",)),
        (LONG, "no " * 5, None, ()),
        (LONG, "x " + "so it goes " * 6, None, ("repeats",)),
        ("我" * 10, "好的" * 6, None, ("repeats",)),
        ("我" * 10, "好的" * 5, None, ()),
        (LONG, "no no no oh no no no oh no no", None, ()),  # never six in a row
        (LONG, "1 2 3 4 5 6 7 8 " * 6, None, ("repeats", "too_long")),
        (LONG, "1 2 3 4 5 6 7 8 9 " * 6, None, ("too_long",)),  # a cycle of nine
        ("a b", "a b c d", None, ()),
        ("a b", "a b c d e", None, ("too_long",)),
        ("", "", None, ()),
        ("", "a", None, ("too_long",)),
        ("a b c d e f", "a b c d e f", 1.0, ()),
        ("a", "a", 0.0, ("too_fast",)),
        ("a b c d e f g", "a b c d e f g", 1.0, ("too_fast",)),
        ("我们想去看一下这个电影", "我们想去看一下这个电影", 1.0, ()),  # 11 characters
        ("我们想去看一下这个新的电影", "我们想去看一下这个新的电影", 1.0, ("too_fast",)),  # 13
    ],
)
def test_signs(
    reference: str, hypothesis: str, duration: float | None, signs: tuple[str, ...]
) -> None:
    assert hallucination_signs(Recognized(reference, hypothesis, duration)) == signs
