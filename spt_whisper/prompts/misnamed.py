"""What somebody meant who names a folder next to the right one."""

from __future__ import annotations

import json
from pathlib import Path

_MADE = {  # folders that `fit` makes in its output, named as their flags: files by which each is known
    "prompt": ("prompt.json",),
    "bank": ("*/part.json", "*/prompt.json"),
    "model": ("spt_whisper.json",),
}


def what_instead(folder: Path, name: str, flags: bool) -> str | None:
    """Says what to name instead of a folder that is not what it was taken for; None: it holds nothing of ours.

    Args:
        folder: what was named.
        name: how it was named.
        flags: whether a prompt was wanted, to write the others as flags (`--bank DIR`); a bank may be named without one.
    """
    dashes = "--" if flags else ""
    if (folder / "part.json").is_file():
        parent = folder.parent if folder.name not in ("", "..") else folder.resolve().parent
        return f"it is a part of bank {parent}; wanted {dashes}bank {parent} --language {_language_in(folder)}"
    if (folder / "prompt.json").is_file():
        return f"it is a prompt; wanted {dashes}prompt {name}"
    made = [kind for kind in _MADE if _is_a(kind, folder / kind)]
    if made:
        return "wanted " + " or ".join(f"{dashes}{kind} {folder / kind}" for kind in made)
    if flags and _is_a("bank", folder):
        return f"it is a bank; wanted --bank {name} --language NAME"
    return None


def _is_a(kind: str, folder: Path) -> bool:
    return any(path.is_file() for mark in _MADE[kind] for path in folder.glob(mark))


def _language_in(part: Path) -> str:
    """The language that a part is of; where it cannot be read, its folder's name."""
    try:
        settings = json.loads((part / "part.json").read_text(encoding="utf-8"))
        return str(settings["card"]["languages"][0])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return part.resolve().name
