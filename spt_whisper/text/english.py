"""Steps of text normalization for English, with the tables of Whisper's own normalizer.

Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision (2022), appendix C, as
transformers has it. Unlike there, accents and o'clock stay, 007 is 7 like seven, .5 is 0.5, a typographic
apostrophe is one, and what stands in parentheses was said. British spellings are not folded: their
table comes with the weights only.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from spt_whisper.text.steps import remove_punctuation

if TYPE_CHECKING:  # importing transformers takes seconds; only English pays for it
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

# 3.5, .5, -4, $20 or 50%; not where an apostrophe follows, which remove_punctuation has to see whole
_NUMBER = re.compile(r"((?<!\w)[-+]?[$€£¢]?(?:\d+(?:\.\d+)*|(?<!\.)\.\d+)%?)(?!\w*['\u2019])")
_BARE_POINT = re.compile(r"(?<!\d)\.(?=\d)")  # .5, as point five becomes
_LOOSE_ENDING = re.compile(r"\s+'(?=(?:d|ll|m|re|s|t|ve)\b)")  # it 's


def remove_english_fillers(text: str) -> str:
    """Hesitations (uh, um, hmm) as nothing."""
    return re.sub(_whisper().ignore_patterns, "", text)


def expand_english_contractions(text: str) -> str:
    """What's short in full: don't is do not, it's is it is, mr is mister. Wants lower case."""
    text = _LOOSE_ENDING.sub("'", text.replace("\u2019", "'"))
    for pattern, full in _whisper().replacers.items():
        text = re.sub(pattern, full, text)
    return text


def remove_punctuation_around_numbers(text: str) -> str:
    """Punctuation and symbols as blanks, but for those of a number: 3.5, -4, $20, 50%; .5 gets its zero."""
    pieces = _NUMBER.split(text)  # text, number, text, number, ... text
    pieces[::2] = map(remove_punctuation, pieces[::2])
    pieces[1::2] = (_BARE_POINT.sub("0.", number) for number in pieces[1::2])
    return "".join(pieces)


def english_numbers(text: str) -> str:
    """Spelled numbers as digits: twenty one is 21, five percent 5%, one oh one 101."""
    return _whisper().standardize_numbers(text)


@functools.cache
def _whisper() -> EnglishTextNormalizer:
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    return EnglishTextNormalizer({})
