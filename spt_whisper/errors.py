"""The exceptions that the command line prints as a single line, without a traceback."""

from __future__ import annotations


class InputError(ValueError):
    """An error that the user can fix: says which input is wrong, what was found, what was wanted and what to do."""

    def __str__(self) -> str:
        """One line, whatever stands in the names and texts that it quotes."""
        return " ".join(super().__str__().splitlines())


class TerminatedError(Exception):
    """The system asked the program to end (SIGTERM), and what was done is kept; says how to go on."""
