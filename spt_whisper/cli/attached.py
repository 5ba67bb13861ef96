"""The prompt or bank that a command line asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spt_whisper.errors import InputError, check_named
from spt_whisper.prompts.card import AUTO

if TYPE_CHECKING:  # torch takes seconds to import, and help needs none
    from spt_whisper.prompts.bank import Bank
    from spt_whisper.prompts.base import Base
    from spt_whisper.prompts.files import Prompt


@dataclass(frozen=True)
class Attached:
    """One prompt for everything, or a bank of which each window takes its own; or neither."""

    prompts: tuple[Prompt, ...] = ()  # all that may be used
    prompt: Prompt | None = None
    bank: Bank | None = None

    def code(self, language: str | None) -> str | None:
        """Returns Whisper's code for the language that was asked for; None: the prompt's, or what is heard."""
        if language is None or language == AUTO:
            return None
        return self.prompt.card.code_of(language) if self.prompt else language

    def check(self, whisper: Base) -> None:
        """Refuses another Whisper.

        Raises:
            InputError: a prompt is of another model.
        """
        for prompt in self.prompts:
            prompt.check_base(whisper)


def read_attached(prompt: str | None, bank: str | None, language: str | None) -> Attached:
    """Reads what is asked for.

    Args:
        prompt: folder or hub id of a prompt.
        bank: folder or hub id of a bank, where no prompt is named.
        language: of the bank; `auto` for all of them.
    """
    from spt_whisper.prompts.bank import Bank
    from spt_whisper.prompts.files import Prompt
    from spt_whisper.prompts.routing import Router

    check_named(prompt=prompt, bank=bank)
    if prompt:
        own = Prompt.from_pretrained(prompt)
        return Attached((own,), own)
    if not bank:
        return Attached()
    opened = Bank.from_pretrained(bank)
    if not language:
        raise InputError(
            f"language: none given for bank {bank}; wanted {AUTO} or one of {', '.join(opened.languages)}"
        )
    if language != AUTO:
        own = opened.prompt(language)
        return Attached((own,), own)
    Router.from_bank(opened)  # says now which language has no key
    return Attached(tuple(opened.prompt(name) for name in opened.languages), bank=opened)
