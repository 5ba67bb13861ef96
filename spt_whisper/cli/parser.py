"""The parser that every command shares: flags, YAML and help from dataclasses, and one line for a wrong call."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import (  # type: ignore[attr-defined]
    ActionConfigFile,
    ArgumentParser,
    Namespace,
    set_parsing_settings,
)
from rich.console import Console
from rich.logging import RichHandler

from spt_whisper.cli import split_call
from spt_whisper.cli.config_file import check_config
from spt_whisper.cli.wanted import wanted
from spt_whisper.errors import InputError
from spt_whisper.printable import printable

# jsonargparse's help of a flag for each section, which takes a file of that section alone: noise, and so not shown
_SECTION_FILE = "Path to a configuration file."
_NO_SUCH_CHOICE = re.compile(
    r'Parser key "([\w.]+)": Expected a typing\.Literal\[(.+?)\]\. Got value: '
)
_NONE_OF_SEVERAL = re.compile(
    r'Parser key "([\w.]+)": Does not validate against any of the Union subtypes .* Given value: (.*)'
)
_TRUTH_FOR_TEXT = re.compile(r"Expected a <class 'str'>\. Got value: (True|False)\b")

# the text below a field of a dataclass is the help of its flag
set_parsing_settings(docstring_parse_attribute_docstrings=True)


class CommandParser(ArgumentParser):
    """A jsonargparse parser whose errors end the command with one line and status 2."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints what is wrong, in one line, without a traceback."""
        cause: BaseException | None = ex
        while cause is not None and not isinstance(cause, InputError):
            cause = cause.__cause__ or cause.__context__
        line = " ".join(str(cause or message).split())
        line = _NO_SUCH_CHOICE.sub(r"\1: wanted one of \2; found ", line)
        truth = _TRUTH_FOR_TEXT.search(line)
        line = _NONE_OF_SEVERAL.sub(self._wanted_instead, line)
        if truth:
            line += "; YAML reads no, yes, on and off as true and false: put quotes around them"
        print(f"{self.prog}: {printable(line)}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)

    def _wanted_instead(self, error: re.Match[str]) -> str:
        """What a setting takes that takes several types; jsonargparse's own words where it is not known."""
        hints = [getattr(own, "_typehint", None) for own in self._actions if own.dest == error[1]]
        return f"{error[1]}: wanted {wanted(hints[0])}; found {error[2]}" if hints else error[0]


class _LaidOver(ActionConfigFile):
    """Reads a file of settings over those so far; one under `trainer`, which are free, replaces only its like."""

    @staticmethod
    def apply_config(parser: ArgumentParser, cfg: Namespace, dest: str, value: str) -> None:
        """Changes `cfg`."""
        if _is_file(value):  # not settings themselves, as JSON
            check_config(Path(value))
        before = cfg.get("trainer")
        ActionConfigFile.apply_config(parser, cfg, dest, value)
        after = cfg.get("trainer")
        if isinstance(before, dict) and isinstance(after, dict):
            cfg["trainer"] = {**before, **after}


def _is_file(value: str) -> bool:
    try:
        return Path(value).is_file()
    except (OSError, ValueError):  # no name that a file could have
        return False


def command_parser(name: str, description: str) -> CommandParser:
    """Returns a parser for one command, which reads `--config FILE` too."""
    parser = CommandParser(prog=f"spt-whisper {name}", description=description)
    parser.add_argument(
        "--config",
        action=_LaidOver,
        help="settings of this command in YAML (of fit and compare: a recipe); flags after it win",
    )
    return parser


Action = Callable[[Sequence[str]], int]


def run_action(
    command: str, description: str, actions: Mapping[str, Action], arguments: Sequence[str]
) -> int:
    """Runs a sub-command by the name that stands first, and returns its exit status.

    Args:
        command: the command that has the sub-commands.
        description: what it is for.
        actions: the sub-commands by name; the help shows their docstrings.
        arguments: what stands behind the command.
    """
    table = "\n".join(f"  {name:<12} {action.__doc__}" for name, action in actions.items())
    parser = argparse.ArgumentParser(
        prog=f"spt-whisper {command}",
        description=description,
        epilog=f"actions:\n{table}\n\nspt-whisper {command} ACTION --help tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=actions, metavar="ACTION", help="one of those below")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="what it takes")
    call, rest = split_call(arguments)
    return actions[parser.parse_args(call).action](rest)


def recipe_first(arguments: Sequence[str]) -> list[str]:
    """Rewrites `fit recipes/x.yaml ...` to `fit --config recipes/x.yaml ...`."""
    rest = list(arguments)
    if rest and not rest[0].startswith("-") and rest[0].endswith((".yaml", ".yml")):
        return ["--config", *rest]
    return rest


def show_progress() -> None:
    """Sends the package's log lines to standard error, and hides the bars of weights that are loaded."""
    logger = logging.getLogger("spt_whisper")
    handler = RichHandler(
        console=Console(stderr=True), show_path=False, show_time=False, markup=False
    )
    handler.addFilter(_make_printable)
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()


def _make_printable(record: logging.LogRecord) -> bool:
    """Changes a log line, which may name foreign files."""
    record.msg, record.args = printable(record.getMessage()), None
    return True


def _at_home(value: Any) -> Any:
    """A path below `~` in full, as a shell would give it: of what stands in YAML or behind = it knows nothing."""
    if isinstance(value, list):
        return [_at_home(one) for one in value]
    return str(Path(value).expanduser()) if isinstance(value, str) and value[:2] == "~/" else value


def instantiate(parser: ArgumentParser, arguments: Sequence[str]) -> Any:
    """Parses and builds the dataclasses, and returns all settings by name; a wrong value ends the command with one line."""
    for action in parser._actions:
        if action.help == _SECTION_FILE:
            action.help = argparse.SUPPRESS
    parsed = parser.parse_args(list(arguments))
    for name, value in parsed.items():
        parsed[name] = _at_home(value)
    try:
        settings = parser.instantiate(parsed)
    except TypeError as error:
        sections = vars(parser.get_defaults()).items()
        empty = [
            name for name, own in sections if isinstance(own, Namespace) and parsed[name] is None
        ]
        if not empty:
            raise
        raise InputError(
            f"{empty[0]}: the section is empty; leave it out, or put settings under it"
        ) from error
    settings.pop("config", None)  # the files are read: nobody asks for their names
    return settings
