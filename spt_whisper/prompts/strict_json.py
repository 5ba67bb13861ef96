"""JSON files into dataclasses: unknown and missing fields, wrong types and numbers that are not finite are refused."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from spt_whisper.errors import InputError
from spt_whisper.prompts.safe_files import check_file

if TYPE_CHECKING:  # a third of a second to import
    from pydantic import TypeAdapter, ValidationError

Kind = TypeVar("Kind")


def read_strict(
    path: Path, kind: type[Kind], version: int | None = None, largest: int | None = None
) -> Kind:
    """Returns what a JSON file holds.

    Args:
        path: the file.
        kind: a dataclass whose annotations say what must be there, to the type: 1 is no "1" and no true.
        version: the `format_version` that the file must have; None for a file without one.
        largest: bytes that the file may have; None: what a prompt's may.

    Raises:
        InputError: the file is missing, too large, no JSON, of another version, or holds something else.
    """
    from pydantic import ValidationError

    check_file(path, largest)
    text = _text(path)
    values = _parse(path, text)
    found = values.get("format_version") if isinstance(values, dict) else None
    if found != version:
        raise InputError(
            f"{path}: format version {found!r}, this program reads {version}; install the version that wrote it"
        )
    try:
        adapter = _adapter(kind)  # type: ignore[arg-type]  # mypy takes a class for unhashable
        return adapter.validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        raise InputError(f"{path}: {_first_fault(error)}; restore the file") from error


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not JSON ({error}); restore the file") from error


def _parse(path: Path, text: str) -> Any:
    try:
        return json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON ({error}); restore the file") from error


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number:.20} is not a finite number")
    return value


def _first_fault(error: ValidationError) -> str:
    """The first thing that is wrong: where, what was found, what was wanted."""
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(step) for step in fault["loc"]) or "the file"
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, InputError):  # of a dataclass's own check
        return f"{where}: {cause}"
    return f"{where}: found {fault['input']!r:.80}; {fault['msg'][:200]}"
