"""Languages as corpora name them, by the codes that Whisper has for them."""

from __future__ import annotations

import langcodes
from langcodes.tag_parser import LanguageTagError

_WHISPERS = {
    "fil": "tl",
    "jv": "jw",
    "nb": "no",
}  # the standard's code -> Whisper's, where they differ


def language_code(name: str) -> str | None:
    """Returns Whisper's code of a language code of ISO 639 or BCP 47; for a language that Whisper does not have, the standard's.

    `ky_kg` is ky, `swh` sw, `cmn_hans_cn` zh, `qug` qug. None: it is no such code, as `my-kichwa`, whose end is neither a
    country nor a script.
    """
    try:
        tag = langcodes.get(langcodes.standardize_tag(name, macro=True))
    except LanguageTagError:
        return None
    if not tag.is_valid() or tag.private or tag.extensions or tag.language is None:
        return None
    return _WHISPERS.get(tag.language, tag.language)
