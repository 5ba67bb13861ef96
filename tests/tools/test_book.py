"""The parts of the book that are made from the code, and its links."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

import pytest
from transformers.models.whisper.tokenization_whisper import LANGUAGES

import spt_whisper
from book import without_outer_links
from reference import MAKERS
from reference.commands import help_text
from spt_whisper.cli import COMMANDS


@dataclass(frozen=True)
class Inner:
    """How it is done."""

    rate: float = 2e-3
    """Highest rate."""


@dataclass(frozen=True, kw_only=True)
class Common:
    """What all have."""

    seed: int = 0
    """Seed of all draws."""


@dataclass(frozen=True)
class Settings(Common):
    """What is done."""

    name: str  # of the run
    mode: Literal["fast", "good"] = "good"
    """Which way,
    in two lines."""
    windows: float | list[float] = 30.0
    limit: int | None = None
    inner: Inner = field(default_factory=Inner)


def test_settings_are_tables_named_as_the_flags() -> None:
    made = MAKERS["settings"](f"{__name__}.Settings")
    assert "| `name` | string | required | of the run |" in made
    assert '| `mode` | `fast`, `good` | `"good"` | Which way, in two lines. |' in made
    assert "| `windows` | number, or list of numbers | `30.0` |  |" in made
    assert (
        "| `limit` | integer, or null | `null` |  |\n| `seed` | integer | `0` | Seed of all draws. |"
        in made
    )
    assert "## `inner`\n\nHow it is done." in made
    assert "| `inner.rate` | number | `0.002` | Highest rate. |" in made


def test_fields_keep_what_is_inside_as_one() -> None:
    made = MAKERS["fields"](f"{__name__}.Settings")
    assert "| `inner` | `Inner` |  |" in made
    assert "inner.rate" not in made


def test_every_setting_of_a_recipe_is_a_flag_and_has_a_meaning() -> None:
    made = MAKERS["settings"]("spt_whisper.training.recipe.Recipe")
    rows = re.findall(r"^\| `([\w.]+)` \|.*\| (.*) \|$", made, flags=re.MULTILINE)
    assert len(rows) > 60
    known = help_text(["fit"])
    assert [name for name, meaning in rows if f"--{name}" not in known or not meaning] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_there_with_its_help(command: str) -> None:
    made = MAKERS["commands"]()
    assert f"\n## {command}\n" in f"\n{made}"
    assert help_text([command]) in made
    assert max(map(len, help_text([command]).splitlines())) < 120


def test_actions_have_sections_of_their_own() -> None:
    assert "### data check" in MAKERS["commands"]()
    assert "### prompt push" in MAKERS["commands"]()


def test_every_language_of_whisper_is_in_the_table() -> None:
    made = MAKERS["languages"]()
    assert "| `cy` | Welsh |" in made
    assert made.count("\n") == 1 + len(LANGUAGES)


def test_public_names_are_named_where_they_are_defined() -> None:
    made = MAKERS["public-names"]()
    names = [line.rpartition(".")[2] for line in made.split("\n\n")]
    assert names == sorted(set(spt_whisper.__all__) - {"__version__"})
    assert "::: spt_whisper.transcription.transcriber.Whisper" in made


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("[a](../../spt_whisper/a.py)", "`spt_whisper/a.py`"),
        ("[a](../../README.md#limits)", "`README.md`"),
        ("[a](../how-to/export.md)", "[a](../how-to/export.md)"),
        ("[a](../how-to/export.md#x)", "[a](../how-to/export.md#x)"),
        ("[a](methods.md)", "[a](methods.md)"),
    ],
)
def test_links_out_of_the_book_become_names(link: str, shown: str) -> None:
    assert without_outer_links(link, "explanation/speed.md") == shown
