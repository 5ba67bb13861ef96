"""Text normalization: named steps, the normalizers for scoring, and what is done to targets.

Nothing here removes a combining mark (Unicode category M): in Indic scripts, Thai or Arabic the
marks are the vowels, and a normalizer that strips them tears words apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from spt_whisper.errors import InputError

Step = Callable[[str], str]

_APOSTROPHES = "'\u2019"


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


def remove_punctuation(text: str) -> str:
    """Punctuation and symbols (categories P and S) as blanks; marks, digits and joiners stay.

    An apostrophe between two letters belongs to the word (don't, l'acqua, p'unchaw) and is
    written '. A hyphen becomes a blank, since writers disagree on it: well-known, well known.
    """
    return "".join(_kept(text, position) for position in range(len(text)))


def collapse_whitespace(text: str) -> str:
    """Single blanks between words and none at the ends."""
    return " ".join(text.split())


STEPS: dict[str, Step] = {
    "nfc": nfc,
    "nfkc": nfkc,
    "lowercase": lowercase,
    "remove_punctuation": remove_punctuation,
    "collapse_whitespace": collapse_whitespace,
}


def _kept(text: str, position: int) -> str:
    character = text[position]
    if character in _APOSTROPHES and 0 < position < len(text) - 1:
        inside = _in_word(text[position - 1]) and _in_word(text[position + 1])
        return "'" if inside else " "
    return " " if unicodedata.category(character)[0] in "PS" else character


def _in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


@dataclass(frozen=True)
class Normalizer:
    """Named steps, applied in order; the name stands beside every number scored with it."""

    name: str
    steps: tuple[str, ...]

    def __post_init__(self) -> None:
        for step in self.steps:
            if step not in STEPS:
                raise InputError(f"text step {step!r} is unknown; give some of: {', '.join(STEPS)}")

    def __call__(self, text: str) -> str:
        """`text` after all steps."""
        for step in self.steps:
            text = STEPS[step](text)
        return text


NORMALIZERS: dict[str, Normalizer] = {
    normalizer.name: normalizer
    for normalizer in (
        Normalizer("raw", ("collapse_whitespace",)),  # the letters as they are written
        Normalizer("basic", ("nfkc", "lowercase", "remove_punctuation", "collapse_whitespace")),
    )
}


def get_normalizer(name: str) -> Normalizer:
    """The normalizer of that name.

    Raises:
        InputError: there is none.
    """
    if name not in NORMALIZERS:
        raise InputError(f"normalizer {name!r} is unknown; give one of: {', '.join(NORMALIZERS)}")
    return NORMALIZERS[name]


@dataclass(frozen=True)
class TextProcessing:
    """What is done to the text that a prompt is trained to write.

    Composed letters (NFC) and single blanks always; the rest as set.
    """

    lowercase: bool = False
    """Write everything in lower case."""
    remove_punctuation: bool = False
    """Write no punctuation and no symbols; an apostrophe inside a word stays."""

    def apply(self, text: str) -> str:
        """The training target for `text`."""
        text = nfc(text)
        if self.lowercase:
            text = lowercase(text)
        if self.remove_punctuation:
            text = remove_punctuation(text)
        return collapse_whitespace(text)
