"""Steps of text normalization, for any language; `english.py` has those for English.

Nothing here removes a combining mark (Unicode category M): in Indic scripts, Thai or Arabic the
marks are the vowels, and a normalizer that strips them tears words apart.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # its dictionaries are loaded only for who simplifies
    from opencc import OpenCC

Step = Callable[[str], str]

# typewriter, typographic both ways, the letters of p\u02bcunchaw and o\u02bbzbek, a backquote, Hebrew's geresh
_APOSTROPHES = "'\u2019\u2018\u02bc\u02bb`\u05f3"
_ACUTE = re.compile(r"(?<=\w)\u00b4(?=\w)")  # typed for an apostrophe; NFKC makes a blank of it
_IN_ARMENIAN_WORDS = "\u055b\u055c\u055e"  # marks of stress, exclamation and question, over a vowel
_JOINERS = "\u200c\u200d"  # decide how letters join, in Persian or Sinhala
_WORD_BREAK = "\u200b"  # between the words of Khmer
_TAG = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]|\(pp\w*\)|<pp\w*\)", re.IGNORECASE)


def nfc(text: str) -> str:
    """Composed form: the same letters always as the same code points."""
    return unicodedata.normalize("NFC", text)


def nfkc(text: str) -> str:
    """Compatibility form: full-width letters, ligatures and circled digits as the plain ones."""
    return unicodedata.normalize("NFKC", _ACUTE.sub("'", text))


def lowercase(text: str) -> str:
    """Lower case, composed again (a lowered J with caron has a code point, the capital has none).

    Not `casefold`, which is for matching: it spells ß as ss and final ς as σ, and a prompt that
    is trained on such targets would write them so. The dotted capital of Turkish is i, without a dot above it.
    """
    return nfc(text.replace("\u0130", "i").lower())


def remove_tags(text: str) -> str:
    """Filler and noise tags of transcribers as blanks: `<v-noise>`, `[laugh]`, SEAME's `(ppl)`."""
    return _TAG.sub(" ", text)


def simplify_chinese(text: str) -> str:
    """Traditional Chinese characters as simplified ones (OpenCC's t2s, which knows phrases)."""
    return _simplifier().convert(text)


def decimal_digits(text: str) -> str:
    """Decimal digits of any script (٣, ३, ၃) as 0 to 9."""
    values = ((character, unicodedata.decimal(character, None)) for character in text)
    return "".join(character if value is None else str(value) for character, value in values)


def join_digit_groups(text: str) -> str:
    """Numbers without the commas that group their digits: 1,000,000 is 1000000."""
    return re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)


def remove_punctuation(text: str) -> str:
    """Punctuation and symbols (categories P and S) as blanks; marks, digits and joiners stay.

    An apostrophe between two letters, whatever its sign, belongs to the word (don't, l'acqua, p'unchaw) and is
    written '. A hyphen becomes a blank, since writers disagree on it: well-known, well known.
    What nobody sees (category Cf: direction marks, soft hyphens) vanishes, but for joiners.
    """
    return "".join(_kept(text, position) for position in range(len(text)))


def collapse_whitespace(text: str) -> str:
    """Single blanks between words and none at the ends."""
    return " ".join(text.split())


def _kept(text: str, position: int) -> str:
    character = text[position]
    if character in _IN_ARMENIAN_WORDS:
        return ""
    if character in _APOSTROPHES and 0 < position < len(text) - 1:
        inside = _in_word(text[position - 1]) and _in_word(text[position + 1])
        if inside:
            return "'"
    category = unicodedata.category(character)
    if category == "Cf" and character not in _JOINERS:
        return " " if character == _WORD_BREAK else ""
    return " " if category[0] in "PS" else character


def _in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


@functools.cache
def _simplifier() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("t2s")
