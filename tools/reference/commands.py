"""The command line as Markdown: what `--help` of every command prints."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
from collections.abc import Iterator
from unittest.mock import patch

from spt_whisper.cli import COMMANDS, main

_COLUMNS = 96  # what fits a page's width


def all_commands() -> str:
    """Returns a section for each command and for each action of a command that has them."""
    sections = []
    for name, summary in COMMANDS.items():
        sections.append(f"## {name}\n\n{summary.capitalize()}.\n\n{_block([name])}")
        sections += [
            f"### {name} {action}\n\n{_block([name, action])}" for action in _actions(name)
        ]
    return "\n\n".join(sections)


def help_text(arguments: list[str]) -> str:
    """Returns what `spt-whisper ARGUMENTS --help` prints."""
    printed = io.StringIO()
    with (
        patch.dict(os.environ, COLUMNS=str(_COLUMNS)),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        main([*arguments, "--help"])
    return printed.getvalue().strip()


def _actions(command: str) -> Iterator[str]:
    module = importlib.import_module(f"spt_whisper.cli.{command.replace('-', '_')}")
    yield from getattr(module, "ACTIONS", ())


def _block(arguments: list[str]) -> str:
    return f"```text\n{help_text(arguments)}\n```"
