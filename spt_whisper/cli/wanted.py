"""Type hints of settings in words, for what a user has given wrongly."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

_ONE = {
    int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null",
}  # fmt: skip
_MANY = {int: "whole numbers", float: "numbers", str: "texts", bool: "truth values"}


def wanted(hint: Any) -> str:
    """Returns what a setting takes: `a whole number, or null`, `one of 'a', 'b'`."""
    return ", or ".join(_alternatives(hint))


def _alternatives(hint: Any) -> list[str]:
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    choices = [part for part in parts if get_origin(part) is Literal]
    return [
        "a list of these" if get_args(part)[:1] in [(choice,) for choice in choices] else _words(part)
        for part in parts
    ]  # fmt: skip


def _words(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(repr, parts))}"
    if origin is list:
        return f"a list of {_plural(parts[0])}"
    if origin is dict:
        return f"a mapping of names to {_plural(parts[1])}"
    return _ONE.get(hint, "settings of its own")


def _plural(hint: Any) -> str:
    if get_origin(hint) is list:
        return f"lists of {_plural(get_args(hint)[0])}"
    return _MANY.get(hint, "such settings")
