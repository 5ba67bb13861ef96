"""The script that a text is written in, and which scripts put no blanks between words."""

from __future__ import annotations

import functools

from fontTools.unicodedata import script as script_code
from fontTools.unicodedata import script_extension, script_name

CHARACTERS_PER_WORD = {
    "Han": 2.0,
    "Hiragana": 2.0,
    "Katakana": 2.0,
    "Thai": 5.0,
    "Lao": 5.0,
    "Khmer": 5.0,
    "Myanmar": 5.0,
}
"""The scripts without blanks between words, with the length of a word in characters, about."""

_SHARED = {"Common", "Inherited", "Unknown"}  # digits, signs, marks: of whatever stands beside them


def script_of(text: str) -> str | None:
    """Unicode's name (`Latin`, `Han`) of the script of the first character that has one."""
    names = (script_name(script_code(character)) for character in text)
    return next((name for name in names if name not in _SHARED), None)


def scripts_of(character: str) -> frozenset[str]:
    """The character's script; of one that has none of its own, as ー, the scripts that it is used in."""
    own = script_of(character)
    return frozenset([own] if own else map(script_name, script_extension(character)))


@functools.cache
def is_unspaced(character: str) -> bool:
    """Whether the character is of a script without blanks between words, or used in no others (as ー is)."""
    return scripts_of(character) <= CHARACTERS_PER_WORD.keys()
