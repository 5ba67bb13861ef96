"""What the page offers to put on Whisper: each prompt, each language of a bank, and the bank's choice by ear."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.routing import Router
from spt_whisper.transcription.request import Audio, Request

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """A prompt, or a bank of which each window takes the prompt that it sounds like."""

    label: str
    """How the page calls it."""
    prompts: tuple[Prompt, ...]
    """All that may be used, at least one."""
    bank: Bank | None = None
    """None: the one prompt is on everywhere."""

    def request(self, audio: Audio) -> Request:
        """Returns what is to be done with a recording."""
        if self.bank is not None:
            return Request(audio, bank=self.bank)
        return Request(audio, self.prompts[0])


def read_choices(prompts: Iterable[str], bank: str | None) -> tuple[Choice, ...]:
    """Reads prompts and a bank, each given as a folder or a hub id; the prompts come first.

    Raises:
        InputError: one of them cannot be read.
    """
    read = [Prompt.from_pretrained(name) for name in dict.fromkeys(prompts)]
    choices = [Choice(_label(prompt), (prompt,)) for prompt in read]
    if bank:
        choices += _of_bank(Bank.from_pretrained(bank), bank)
    return tuple(choices)


def _of_bank(bank: Bank, name: str) -> Iterator[Choice]:
    own = {language: bank.prompt(language) for language in bank.languages}
    try:
        Router.from_bank(bank)
        yield Choice(f"auto: as each window sounds ({name})", tuple(own.values()), bank)
    except InputError as error:  # its languages can still be named
        logger.warning("the page does not offer automatic choice by sound: %s", error)
    for language, prompt in own.items():
        yield Choice(f"{language} ({name})", (prompt,))


def _label(prompt: Prompt) -> str:
    languages = "+".join(prompt.card.languages)
    return f"{languages} ({prompt.name})" if languages else prompt.name
