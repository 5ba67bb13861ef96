"""Names and texts of strangers on a terminal: all is seen, nothing acts."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from spt_whisper.printable import cell, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x\x1b[2J\x9b1m\x07\t\x7f", r"x\x1b[2J\x9b1m\x07\t\x7f"),
        ("a\r\nb\u2028c", r"a\r\nb\u2028c"),
        ("fdp.\u202evaw", r"fdp.\u202evaw"),  # right to left: it would look like another name
        ("ñuka 我\u3000می\u200cخواهم", "ñuka 我\u3000می\u200cخواهم"),
    ],
)
def test_what_would_steer_the_terminal_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_any_name_can_be_printed() -> None:
    assert printable(Path(os.fsdecode(b"a\xff\xc3\xb1.wav"))) == r"a\udcffñ.wav"


def test_a_cell_is_broken_and_never_cut() -> None:
    table = Table()
    table.add_column(cell("[red]"))
    table.add_row(cell("123456789"))
    screen = io.StringIO()
    Console(file=screen, width=7).print(table)
    assert "".join(sign for sign in screen.getvalue() if sign.isalnum()) == "red123456789"
    assert "[re" in screen.getvalue()
