"""What is counted as one: words, characters, or both, each script by its own habit."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Literal

from spt_whisper.text.scripts import CHARACTERS_PER_WORD, is_unspaced, scripts_of

RateName = Literal["wer", "cer", "mixed_error_rate"]

MINOR_SHARE = 0.05  # of a corpus's units; a kind of unit below it does not decide how it is scored


def words(text: str) -> list[str]:
    """What stands between white space."""
    return text.split()


def characters(text: str) -> list[str]:
    """Unicode code points; the single blank between two words is one too.

    Not beside a letter of a script without blanks: whether one is written there says nothing.
    """
    spaced = " ".join(text.split())
    return [
        character
        for position, character in enumerate(spaced)
        if character != " "
        or not (is_unspaced(spaced[position - 1]) or is_unspaced(spaced[position + 1]))
    ]


def mixed_units(text: str) -> list[str]:
    """Characters of the scripts without blanks (Han, kana, Thai ...), words of all others.

    `我想check email了` has five units: 我, 想, check, email, 了. A combining mark stays with its
    character.
    """
    return [unit for word in words(text) for unit in _split_word(word)]


def _split_word(word: str) -> list[str]:
    starts = [0]
    for place, character in enumerate(word[1:], start=1):
        mark = unicodedata.category(character)[0] == "M"
        if not mark and (is_unspaced(word[starts[-1]]) or is_unspaced(character)):
            starts.append(place)
    return [word[first:after] for first, after in zip(starts, [*starts[1:], None], strict=True)]


def count_spoken_words(text: str) -> float:
    """About how many words `text` has, also where its script does not show them."""
    lengths = (
        min(CHARACTERS_PER_WORD.get(script, 1.0) for script in scripts_of(unit[0]))
        for unit in mixed_units(text)
    )
    return sum(1 / length for length in lengths)


def default_rate(texts: Iterable[str]) -> RateName:
    """The rate that references like `texts` are scored by, unless told otherwise.

    `cer` where the scripts put no blanks between words (Chinese, Japanese, Thai, Lao, Khmer,
    Burmese), `wer` where they do, `mixed_error_rate` where 5 % of the units or more are of either.
    """
    units = [unit for text in texts for unit in mixed_units(text)]
    share = sum(is_unspaced(unit[0]) for unit in units) / max(1, len(units))
    if share < MINOR_SHARE:
        return "wer"
    return "cer" if share > 1 - MINOR_SHARE else "mixed_error_rate"
