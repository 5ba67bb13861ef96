"""FLEURS's language codes, as Whisper writes them."""

from __future__ import annotations

# Where Whisper's code is not the first part of FLEURS's.
_OTHERS = {"cmn": "zh", "fil": "tl", "jv": "jw", "nb": "no"}


def short_code(full: str) -> str:
    """Whisper's code of a FLEURS language (`ky_kg` -> `ky`, `cmn_hans_cn` -> `zh`)."""
    language = full.split("_")[0]
    return _OTHERS.get(language, language)
