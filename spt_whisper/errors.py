"""The one exception for what a user can mend; the command line prints it as a single line, without a traceback."""

from __future__ import annotations


class InputError(ValueError):
    """Says which input is wrong, what was found, what was wanted and what to do."""

    def __str__(self) -> str:
        """One line, whatever stands in the names and texts that it quotes."""
        return " ".join(super().__str__().splitlines())
