"""A file of settings, looked through before the parser reads it: what is no YAML, or stands twice, is one line that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from spt_whisper.errors import InputError


def check_config(path: Path) -> None:
    """Refuses a file of which the parser would take something else than what its author sees.

    Raises:
        InputError: the file is not UTF-8, empty, no YAML of names and values, holds itself, or has a name twice.
        OSError: it cannot be read.
    """
    try:
        tree = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        if tree is None:
            raise InputError(f"{path}: is empty; wanted settings, `name: value`")
        if not isinstance(tree, yaml.MappingNode):
            raise InputError(f"{path}: found no names; wanted settings, `name: value`")
        _check_names(path, tree, set(), set())
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is not YAML ({_fault(error)}); fix the file") from error
    except RecursionError as error:
        raise InputError(f"{path}: is nested too deep; wanted settings, `name: value`") from error


def _check_names(path: Path, node: Any, above: set[int], seen: set[int]) -> None:
    """Goes through each node once, however many aliases it has."""
    if id(node) in above:
        raise InputError(
            f"{path}: line {node.start_mark.line + 1} holds itself, by an alias (*); write it out"
        )
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        _check_once(path, node)
    for inner in _inner(node):
        _check_names(path, inner, {*above, id(node)}, seen)


def _check_once(path: Path, node: yaml.MappingNode) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        line = key.start_mark.line + 1
        if key.value in lines:
            raise InputError(
                f"{path}: {key.value!r} appears twice, in lines {lines[key.value]} and {line}; keep one"
            )
        lines[key.value] = line


def _inner(node: Any) -> Iterator[Any]:
    for value in node.value:
        yield from value if isinstance(node, yaml.MappingNode) else (value,)


def _fault(error: yaml.YAMLError) -> str:
    """What is wrong, and where, without the name that the parser gives to texts."""
    mark = getattr(error, "problem_mark", None)
    found = getattr(error, "problem", None) or getattr(error, "reason", None) or error
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return " ".join(f"{place}{found}".split())
