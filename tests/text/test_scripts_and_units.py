"""Scripts and units: what is counted as one in each writing system."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spt_whisper.text.scripts import is_unspaced, script_of
from spt_whisper.text.units import (
    characters,
    count_spoken_words,
    default_rate,
    mixed_units,
    words,
)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("email", "Latin"), ("我", "Han"), ("々", "Han"), ("ア", "Katakana"), ("ไทย", "Thai"),
        ("3.5a", "Latin"), ("42", None), ("", None), ("привет", "Cyrillic"), ("မြန်", "Myanmar"),
    ],
)  # fmt: skip
def test_script(text: str, script: str | None) -> None:
    assert script_of(text) == script


def test_scripts_without_blanks() -> None:
    assert all(map(is_unspaced, "我あアー々ไລកមမ၁១"))
    assert not any(map(is_unspaced, "aяह한ع3 -"))  # Hangul puts blanks between words


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", []),
        ("我想check email了", ["我", "想", "check", "email", "了"]),
        ("don't go", ["don't", "go"]),
        ("第3個 mp3", ["第", "3", "個", "mp3"]),
        ("スーパー", ["ス", "ー", "パ", "ー"]),
        ("ดีมาก", ["ดี", "ม", "า", "ก"]),
        ("我\u0301a", ["我\u0301", "a"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("한국어 좋아", ["한국어", "좋아"]),
    ],
)
def test_mixed_units(text: str, units: list[str]) -> None:
    assert mixed_units(text) == units


def test_blanks_count_between_words_only() -> None:
    assert characters(" a  b ") == ["a", " ", "b"]
    assert characters("你 好 a b") == ["你", "好", "a", " ", "b"]
    assert characters("") == []


@given(st.text(st.sampled_from("aé 我のไี\u0301-3"), max_size=12))
def test_no_unit_loses_a_letter(text: str) -> None:
    bare = "".join(text.split())
    assert "".join(mixed_units(text)) == "".join(words(text)) == bare
    assert "".join(characters(text)).replace(" ", "") == bare


@pytest.mark.parametrize(
    ("texts", "rate"),
    [
        (["Kayman shamuychik"], "wer"),
        (["한국어 좋아"], "wer"),
        (["你好", "其家人都在澳门定居"], "cer"),
        (["スーパーへ行く"], "cer"),
        (["ภาษาไทย"], "cer"),
        (["ພາສາລາວ"], "cer"),
        (["ភាសាខ្មែរ"], "cer"),
        (["မြန်မာဘာသာ"], "cer"),
        (["我想 check email"], "mixed_error_rate"),
        (["你好世界", "good morning"], "mixed_error_rate"),
        (["我" * 99 + " DNA"], "cer"),  # a foreign word is no second language
        (["我"] * 1 + ["word"] * 24, "wer"),
        (["我"] * 1 + ["word"] * 19, "mixed_error_rate"),  # 5 %
        (["我"] * 19 + ["word"], "mixed_error_rate"),
        (["我"] * 24 + ["word"], "cer"),
        (["42"], "wer"),
        ([], "wer"),
    ],
)
def test_default_rate(texts: list[str], rate: str) -> None:
    assert default_rate(texts) == rate


def test_spoken_words() -> None:
    assert count_spoken_words("one two three") == 3
    assert count_spoken_words("我们走吧") == 2
    assert count_spoken_words("スーパー") == 2
    assert count_spoken_words("我们 go") == 2
    assert count_spoken_words("") == 0


@pytest.mark.parametrize(
    ("letter", "length"), [("我", 2), ("か", 2), ("カ", 2), ("ก", 5), ("ກ", 5), ("ក", 5), ("က", 5)]
)
def test_a_word_of_a_script_without_blanks_has_a_length(letter: str, length: int) -> None:
    assert count_spoken_words(letter * 2 * length) == pytest.approx(2)
