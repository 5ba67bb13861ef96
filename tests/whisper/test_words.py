"""Which tokens make a word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spt_whisper.whisper.tokens import Tokens
from spt_whisper.whisper.words import split_words
from tests.tiny_model import tiny_tokenizer

TOKENS = Tokens(tiny_tokenizer())


def bytes_of(text: str) -> list[int]:
    return TOKENS.tokenizer.encode(text, add_special_tokens=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" And so, my  friend.", [" And", " so,", " my", "  friend."]),
        (" ñuka wasi-pi 3.5 don't c'est", [" ñuka", " wasi-pi", " 3.5", " don't", " c'est"]),
        (' He said: "Go (now)!"', [" He", " said:", ' "Go', ' (now)!"']),
        ('他说"好"', ["他", '说"', '好"']),
        (" ¿Qué? ¡Ya! - Sí ...", [" ¿Qué?", " ¡Ya!", " - Sí ..."]),
        (" Oui ? « Non » .", [" Oui ?", " « Non » ."]),
        ("他说,你好。(再见)", ["他", "说,", "你", "好。", "(再", "见)"]),
        ("我想check email了", ["我", "想", "check", " email", "了"]),
        ("カバー", ["カ", "バ", "ー"]),
        ("ที่นี่", ["ที่", "นี่"]),
        (" 안녕 하세요", [" 안녕", " 하세요"]),
        (" ♪ la ♪", [" ♪ la ♪"]),
        (" (", [" ("]),
        (" a (", [" a ("]),
        (" ", []),
        ("", []),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert [word.text for word in split_words(bytes_of(text), TOKENS)] == words


def test_punctuation_is_not_spoken() -> None:
    written = bytes_of(' "Go", 好。')
    words = split_words(written, TOKENS)
    spoken = [TOKENS.tokenizer.decode(written[word.first : word.after]) for word in words]
    assert spoken == ["Go", " 好"]


def test_no_word_reaches_across_a_timestamp() -> None:
    stamp = TOKENS.timestamp(1.0)
    written = [stamp, *bytes_of(" one tw"), stamp, stamp, *bytes_of("o three"), stamp]
    words = split_words(written, TOKENS)
    assert [word.text for word in words] == [" one", " tw", "o", " three"]
    assert [word.first for word in words] == [0, 4, 7, 8]  # among the text tokens


@given(st.lists(st.integers(0, TOKENS.end - 1), max_size=40))
def test_no_token_is_lost_even_of_broken_characters(written: list[int]) -> None:
    words = split_words(written, TOKENS)
    text = TOKENS.tokenizer.decode(written)
    assert "".join(word.text for word in words) == (text if text.strip() else "")
    places = [place for word in words for place in (word.first, word.after)]
    assert places == sorted(places)
    assert all(word.first < word.after <= len(written) for word in words)
