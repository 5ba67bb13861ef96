"""What the languages of a bank may be called: each names a folder of its own, on any disk."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from spt_whisper.errors import InputError
from spt_whisper.prompts.card import AUTO

_TAKEN = ("", AUTO, "null", "~")  # as --language they mean something else


def composed(language: str) -> str:
    """Returns the name of a language as banks compare it: each letter and its accents in one (NFC)."""
    return unicodedata.normalize("NFC", language)


def one_on_disk(language: str) -> str:
    """Returns what is the same of two names where a disk that ignores case would have one folder for both."""
    return composed(composed(language).casefold())


def check_names(languages: Sequence[str], bank: Path, reserved: str) -> None:
    """Refuses languages that cannot each name a folder of their own.

    Args:
        languages: those of one bank.
        bank: its folder, for messages.
        reserved: the name of the folder that is no language's.

    Raises:
        InputError: names the language, or the two that would share a folder.
    """
    known: dict[str, str] = {}
    for language in languages:
        folder = one_on_disk(language)
        if Path(language).name != language or language.startswith(".") or folder == reserved:
            raise InputError(f"language {language!r}: cannot name a folder of bank {bank}")
        if folder in _TAKEN:
            raise InputError(
                f"language {language!r}: means something else as --language; give it another name in the corpus"
            )
        if folder in known:
            raise InputError(
                f"bank {bank}: {known[folder]} and {language} are one name where a disk ignores case; rename one in the corpus"
            )
        known[folder] = language
