"""The languages that Whisper has tokens for, as Markdown."""

from __future__ import annotations

from transformers.models.whisper.tokenization_whisper import LANGUAGES


def language_table() -> str:
    """Returns a table of codes and names, in the order of the names."""
    named = sorted(LANGUAGES.items(), key=lambda item: item[1])
    rows = [f"| `{code}` | {name.title()} |" for code, name in named]
    return "\n".join(["| code | language |", "| --- | --- |", *rows])
