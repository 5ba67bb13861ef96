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

_APOSTROPHES = "'\u2019"
_TAG = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]|\(pp\w*\)|<pp\w*\)", re.IGNORECASE)


def nfc(text: str) -> str:
    """Composed form: the same letters always as the same code points."""
    return unicodedata.normalize("NFC", text)


def nfkc(text: str) -> str:
    """Compatibility form: full-width letters, ligatures and circled digits as the plain ones."""
    return unicodedata.normalize("NFKC", text)


def lowercase(text: str) -> str:
    """Lower case, composed again (a lowered J with caron has a code point, the capital has none).

    Not `casefold`, which is for matching: it spells ß as ss and final ς as σ, and a prompt that
    is trained on such targets would write them so.
    """
    return nfc(text.lower())


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

    An apostrophe between two letters belongs to the word (don't, l'acqua, p'unchaw) and is
    written '. A hyphen becomes a blank, since writers disagree on it: well-known, well known.
    """
    return "".join(_kept(text, position) for position in range(len(text)))


def collapse_whitespace(text: str) -> str:
    """Single blanks between words and none at the ends."""
    return " ".join(text.split())


def _kept(text: str, position: int) -> str:
    character = text[position]
    if character in _APOSTROPHES and 0 < position < len(text) - 1:
        inside = _in_word(text[position - 1]) and _in_word(text[position + 1])
        return "'" if inside else " "
    return " " if unicodedata.category(character)[0] in "PS" else character


def _in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


@functools.cache
def _simplifier() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("t2s")
