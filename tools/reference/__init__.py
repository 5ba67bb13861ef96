"""The parts of the book that are made from the code: a table of makers, by the name that a page calls them with."""

from __future__ import annotations

from collections.abc import Callable

from reference.commands import all_commands
from reference.fields import fields_table, settings_tables
from reference.languages import language_table
from reference.names import public_names
from reference.normalizers import normalizer_tables

MAKERS: dict[str, Callable[..., str]] = {
    "commands": all_commands,
    "fields": fields_table,
    "languages": language_table,
    "normalizers": normalizer_tables,
    "public-names": public_names,
    "settings": settings_tables,
}
"""Each takes the words behind its name, and returns Markdown."""
