"""What a folder or a repository of the hub holds: one prompt, or a bank of them."""

from __future__ import annotations

from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.files import SETTINGS_FILE, Prompt
from spt_whisper.prompts.hub import find_folder


def read_prompt_or_bank(source: str, language: str | None = None) -> Prompt | Bank:
    """Reads a prompt, a bank (each a folder or a hub id), or the whole prompt of one language of a bank.

    Raises:
        InputError: there is none, it is not what it should be, or a language is named where there is no bank.
    """
    folder = find_folder(source, "prompt or bank")
    if (folder / SETTINGS_FILE).is_file():
        if language:
            raise InputError(f"language {language}: only a bank has several; {source} is a prompt")
        return Prompt.from_folder(folder, source)
    bank = Bank.from_folder(folder)
    return bank.prompt(language) if language else bank
