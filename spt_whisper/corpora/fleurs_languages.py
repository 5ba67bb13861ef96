"""FLEURS's language codes: as Whisper writes them, and tokens for languages that Whisper lacks."""

from __future__ import annotations

# Where Whisper's code is not the first part of FLEURS's.
_OTHERS = {"cmn": "zh", "fil": "tl", "jv": "jw", "nb": "no"}

PROXIES = {
    "ast": "es",  # Asturian: Spanish
    "ceb": "tl",  # Cebuano: Tagalog
    "ckb": "fa",  # Sorani Kurdish: Persian
    "ff": "ha",  # Fula: Hausa, a neighbor
    "ga": "cy",  # Irish: Welsh
    "ig": "yo",  # Igbo: Yoruba
    "kam": "sw",  # Kamba: Swahili
    "kea": "pt",  # Cape Verdean Creole: Portuguese
    "ky": "kk",  # Kyrgyz: Kazakh
    "lg": "sw",  # Ganda: Swahili
    "luo": "sw",  # Luo: Swahili, a neighbor
    "nso": "sn",  # Northern Sotho: Shona
    "ny": "sn",  # Nyanja: Shona
    "om": "so",  # Oromo: Somali
    "or": "bn",  # Odia: Bengali
    "umb": "ln",  # Umbundu: Lingala
    "wo": "ha",  # Wolof: Hausa, of the same region
    "xh": "sw",  # Xhosa: Swahili
    "zu": "sw",  # Zulu: Swahili
}
"""Token of a related or neighboring language, by short code, for the 19 languages of FLEURS that
no Whisper has a token for. A first guess: choose on dev. Those of ast, ckb, ky and xh are in use."""


def short_code(full: str) -> str:
    """Whisper's code of a FLEURS language (`ky_kg` -> `ky`, `cmn_hans_cn` -> `zh`)."""
    language = full.split("_")[0]
    return _OTHERS.get(language, language)
