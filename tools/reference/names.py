"""The public Python names as Markdown: what mkdocstrings is to show, each where it is defined."""

from __future__ import annotations

import spt_whisper


def public_names() -> str:
    """Returns a directive of mkdocstrings for each name that `spt_whisper` offers, in their order."""
    homes = {
        name: getattr(spt_whisper, name).__module__
        for name in sorted(spt_whisper.__all__)
        if name[0] != "_"
    }
    return "\n\n".join(f"::: {home}.{name}" for name, home in homes.items())
