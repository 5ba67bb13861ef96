"""Dataclasses as Markdown tables: name, type, default and meaning of each field, as the code has them."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
import types
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import docstring_parser

_COMMENTED = re.compile(r"^    (\w+): [^#\n]*#\s*(.+)$", flags=re.MULTILINE)
_WORDS = {
    type(None): "null",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    Any: "any",
}


def fields_table(path: str) -> str:
    """Returns the fields of one dataclass, such as `spt_whisper.prompts.card.PromptCard`."""
    kind = _load(path)
    notes, hints = _notes(kind), get_type_hints(kind)
    rows = [
        (f"`{field.name}`", _type_text(hints[field.name]), notes.get(field.name, ""))
        for field in dataclasses.fields(kind)
    ]
    return _table(("field", "type", "what it is"), rows)


def settings_tables(path: str) -> str:
    """Returns a section for a dataclass of settings and for each one inside it, named as its flags are."""
    return "\n\n".join(_sections(_load(path), ""))


def _sections(kind: type, prefix: str) -> Iterator[str]:
    notes, hints = _notes(kind), get_type_hints(kind)
    # in the order of the help: what a base class gives (keyword-only) comes last
    fields = sorted(dataclasses.fields(kind), key=lambda field: field.kw_only is True)
    inner = [field for field in fields if dataclasses.is_dataclass(hints[field.name])]
    rows = [
        (f"`{prefix}{field.name}`", _type_text(hints[field.name]), _default_text(field), notes.get(field.name, ""))
        for field in fields
        if field not in inner
    ]  # fmt: skip
    title = f"`{prefix.rstrip('.')}`" if prefix else "The run"
    table = _table(("setting", "type", "default", "what it sets"), rows)
    yield f"## {title}\n\n{inspect.getdoc(kind)}\n\n{table}"
    for field in inner:
        yield from _sections(hints[field.name], f"{prefix}{field.name}.")


def _load(path: str) -> type:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _notes(kind: type) -> dict[str, str]:
    """What each field means: from the docstring below it, or from the comment beside it."""
    notes: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        notes |= dict(_COMMENTED.findall(inspect.getsource(base)))
        notes |= {
            p.arg_name: p.description or "" for p in docstring_parser.parse_from_object(base).params
        }
    return {name: " ".join(text.split()) for name, text in notes.items()}


def _type_text(hint: Any) -> str:
    """`list[float] | None` -> `list of number, or null`; choices are named."""
    parts = [argument for argument in get_args(hint) if argument is not ...]
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return ", or ".join(_type_text(part) for part in parts)
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin is dict:
        return f"mapping of {_type_text(parts[0])} to {_type_text(parts[1])}"
    if origin is tuple and len(set(parts)) == 1 and ... not in get_args(hint):
        return f"{len(parts)} {_plural(_type_text(parts[0]))}"
    if origin in (list, tuple):
        return f"list of {_plural(_type_text(parts[0]))}"
    return _WORDS.get(hint, f"`{hint.__name__}`" if isinstance(hint, type) else str(hint))


def _plural(noun: str) -> str:
    return f"{noun}s" if noun in _WORDS.values() else noun


def _default_text(field: Field[Any]) -> str:
    if field.default_factory is not MISSING:
        return f"`{json.dumps(field.default_factory())}`"
    return "required" if field.default is MISSING else f"`{json.dumps(field.default)}`"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )
