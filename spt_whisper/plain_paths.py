"""A `Path` among settings, as text: they are written as YAML and JSON, which know none."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any


def paths_as_text(settings: Any) -> None:
    """Replaces each `Path` in the fields of a dataclass, which may be frozen."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Path):
            object.__setattr__(settings, field.name, str(value))
