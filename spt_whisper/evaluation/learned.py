"""What `fit` made, as it is scored: a prompt, a bank, or an adapted model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from spt_whisper.corpora.utterance import Utterance
from spt_whisper.engines.engine import Row
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.base import base_for
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.folders import digest_tensors
from spt_whisper.whisper.adapted import read_model_card
from spt_whisper.whisper.onnx import is_onnx, read_settings


@dataclass(frozen=True)
class Learned:
    """Something learned, and how it gets onto the audio of an utterance."""

    system: str  # prompt, bank or adapted: its name in the report
    name: str
    card: PromptCard
    model: str  # with which it is decoded: frozen Whisper, or a model of its own
    row: Callable[[Row, Utterance], Row]
    digests: dict[str, str]  # of the numbers of each prompt, by which a report is known again


def read_learned(prompt: str | None, bank: str | None, model: str | None) -> Learned | None:
    """Returns what is to be scored; None where only bare Whisper is.

    Raises:
        InputError: it cannot be read.
    """
    if prompt:
        return _prompt(Prompt.from_pretrained(prompt), model)
    if bank:
        return _bank(Bank.from_pretrained(bank), model)
    card = card_of_model(model) if model else None
    return _adapted(str(model), card) if card else None


def card_of_model(model: str) -> PromptCard | None:
    """Returns the card of an adapted model, or of the prompt in exported graphs; None of bare Whisper."""
    if is_onnx(model):
        return read_settings(Path(model)).card
    return read_model_card(Path(model))


def bare_name(model: str) -> str:
    """Returns the name of bare Whisper: of an adapted model, or of graphs with a prompt, that of the one that it was before."""
    card = card_of_model(model)
    return card.base if card else model


def _prompt(prompt: Prompt, model: str | None) -> Learned:
    return Learned(
        "prompt", prompt.name, prompt.card, base_for(model, [prompt]),
        lambda row, _: replace(row, prompt=prompt), digests_of(prompt),
    )  # fmt: skip


def digests_of(subject: Prompt | Bank) -> dict[str, str]:
    """Returns the SHA-256 of a prompt's numbers, or of those of each language's in a bank."""
    prompts = (
        {"prompt": subject}
        if isinstance(subject, Prompt)
        else {language: subject.prompt(language) for language in subject.languages}
    )
    return {
        name: digest_tensors(prompt.vectors.named_tensors()) for name, prompt in prompts.items()
    }


def _bank(bank: Bank, model: str | None) -> Learned:
    def with_own_prompt(row: Row, utterance: Utterance) -> Row:
        return replace(row, prompt=bank.prompt(utterance.languages))

    card = bank.common_card
    return Learned(
        "bank", str(bank.folder), card, model or card.base, with_own_prompt, digests_of(bank)
    )


def _adapted(model: str, card: PromptCard) -> Learned:
    def with_own_tokens(row: Row, utterance: Utterance) -> Row:
        found = (code for language in utterance.languages for code in card.codes.get(language, ()))
        return replace(row, languages=tuple(dict.fromkeys(found)) or None)

    return Learned("adapted", model, card, model, with_own_tokens, {})
