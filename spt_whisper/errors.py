"""The exceptions that the command line prints as a single line, without a traceback, and names in such a line."""

from __future__ import annotations

from collections.abc import Sequence


class InputError(ValueError):
    """An error that the user can fix: says which input is wrong, what was found, what was wanted and what to do."""

    def __str__(self) -> str:
        """One line, whatever stands in the names and texts that it quotes."""
        return " ".join(super().__str__().splitlines())


def first_of(names: Sequence[object], most: int = 10) -> str:
    """Returns the first names, and how many more there are: a corpus may have thousands of what one line is about."""
    more = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {more} more" if more > 0 else "")


def check_named(**names: str | None) -> None:
    """Refuses an empty name, as of a shell's variable that is not set: it would count as none given.

    Args:
        names: of folders, files or models, each under the name of its setting.

    Raises:
        InputError: says which is empty.
    """
    for setting, name in names.items():
        if name == "":
            raise InputError(f"{setting}: found an empty name; name one, or leave {setting} out")


class TerminatedError(Exception):
    """The system asked the program to end (SIGTERM), and what was done is kept; says how to go on."""
