"""Prompts of several languages one behind the other, `[P_zh; P_en]`, for speech that mixes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spt_whisper.errors import InputError
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.vectors import concatenate


def join_prompts(members: Sequence[Prompt], name: str) -> Prompt:
    """Returns the prompts of several languages one behind the other, for speech that mixes them.

    Raises:
        InputError: a member takes decoder positions, of which the first tokens have one place only.
    """
    first = members[0]
    if any(member.config.decoder_positions for member in members):
        raise InputError(f"{name}: decoder input prompts cannot stand one behind the other")
    lengths = {
        site: sum(member.config.length_at(site) for member in members)
        for site in first.config.sites
    }
    card = replace(
        first.card,
        languages=tuple(code for member in members for code in member.card.languages),
        language_tokens=tuple(
            dict.fromkeys(code for member in members for code in member.card.language_tokens)
        ),
        signs=tuple(sorted({token for member in members for token in member.card.signs})),
        key=None,
    )
    vectors = concatenate([member.vectors for member in members])
    return Prompt(replace(first.config, length=lengths), vectors, card, name)
