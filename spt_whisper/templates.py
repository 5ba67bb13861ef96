"""Pages from the Jinja templates of a package: everything that is filled in is escaped, and what is missing is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def page_templates(package: str, **filters: Callable[..., Any]) -> Environment:
    """Returns the templates in the folder `templates` of a package, such as `spt_whisper.evaluation`, with filters."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment
