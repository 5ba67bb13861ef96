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
_JOINERS_ASTRAY = re.compile(
    rf"(?<!\S)[{_JOINERS}]+|[{_JOINERS}]+(?!\S)|(?<=[{_JOINERS}])[{_JOINERS}]+"
)
_SELECTOR = re.compile(
    "[\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)  # of a sign's picture, as behind a heart
_WORD_BREAK = "\u200b"  # between the words of Khmer
# letters that older texts spell with a joiner, as the code points they have since Unicode 5.1: Malayalam's at the end of
# syllables, Bengali's khanda ta
_JOINED_LETTERS = {
    "\u0d23\u0d4d\u200d": "\u0d7a",
    "\u0d28\u0d4d\u200d": "\u0d7b",
    "\u0d30\u0d4d\u200d": "\u0d7c",
    "\u0d32\u0d4d\u200d": "\u0d7d",
    "\u0d33\u0d4d\u200d": "\u0d7e",
    "\u0d15\u0d4d\u200d": "\u0d7f",
    "\u09a4\u09cd\u200d": "\u09ce",
}
_JOINED_LETTER = re.compile("|".join(_JOINED_LETTERS))
_VOWEL_BEFORE_TONE = re.compile("([\u0e4d\u0ecd])([\u0e48-\u0e4b\u0ec8-\u0ecb])")  # Thai, Lao
_TATWEEL = "\u0640"  # stretches a line of Arabic
_TAG = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]|\(pp\w*\)|<pp\w*\)", re.IGNORECASE)


def nfc(text: str) -> str:
    """Composed form: the same letters always as the same code points, also where Malayalam or Bengali spell one with a joiner."""
    return _JOINED_LETTER.sub(
        lambda found: _JOINED_LETTERS[found[0]], unicodedata.normalize("NFC", text)
    )


def nfkc(text: str) -> str:
    """Compatibility form: full-width letters, ligatures and circled digits as the plain ones, marks of Thai and Lao in one order,
    Arabic without the strokes that stretch it.
    """
    plain = unicodedata.normalize("NFKC", _ACUTE.sub("'", nfc(text)))
    return _VOWEL_BEFORE_TONE.sub(r"\2\1", plain).replace(_TATWEEL, "")


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
    written '; at a word's edge it is a blank, since a quotation mark looks the same. A hyphen becomes a blank, since writers
    disagree on it: well-known, well known. What nobody sees vanishes (category Cf: direction marks, soft hyphens; variation
    selectors; a mark without a letter below it), but for joiners between two letters.
    """
    kept = ""
    for position in range(len(text)):
        written = _kept(text, position)
        if not (_is_mark(written) and (not kept or kept[-1].isspace())):
            kept += written
    return _JOINERS_ASTRAY.sub("", kept)


def collapse_whitespace(text: str) -> str:
    """Single blanks between words and none at the ends."""
    return " ".join(text.split())


def _kept(text: str, position: int) -> str:
    character = text[position]
    if character in _IN_ARMENIAN_WORDS:
        return ""
    if character in _APOSTROPHES:
        inside = _in_word(text[position - 1 : position]) and _in_word(
            text[position + 1 : position + 2]
        )
        return "'" if inside else " "
    category = unicodedata.category(character)
    if category == "Cf" and character not in _JOINERS:
        return " " if character == _WORD_BREAK else ""
    if _SELECTOR.match(character):
        return ""
    return " " if category[0] in "PS" or category == "Cc" else character


def _in_word(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in "LMN"


def _is_mark(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] == "M"


@functools.cache
def _simplifier() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("t2s")
