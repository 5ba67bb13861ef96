"""Texts of strangers on a terminal, such as names of files: in one line, and nothing in them acts."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the terminal's library, loaded only where a table is made
    from rich.text import Text

WIDE = 10_000  # letters; a narrower terminal breaks a table's lines, but no digit is lost
# control characters, those that turn the direction of writing, bytes that are not UTF-8, ends of lines and paragraphs
_ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # between letters of Persian or Sinhala


def printable(value: object) -> str:
    r"""Returns a text with what could steer the terminal as Python writes it, such as `\x1b`."""
    return "".join(
        repr(sign)[1:-1] if unicodedata.category(sign) in _ACTING and sign not in _JOINERS else sign
        for sign in str(value)
    )


def cell(value: object, style: str = "") -> Text:
    """Returns a text for a table, as it stands: rich reads no [...] in it as a style, and breaks what is too long for its column."""
    from rich.text import Text

    return Text(printable(value), style, overflow="fold")
