"""Prompts of several languages one after the other, `[P_zh; P_en]`, for speech that mixes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spt_whisper.errors import InputError
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.vectors import concatenate


def join_prompts(members: Sequence[Prompt], name: str) -> Prompt:
    """Returns the prompts of several languages one after the other, for speech that mixes them.

    Raises:
        InputError: a member takes decoder positions, of which the first tokens have one place only; the members are of different
            kinds; or two of them stand for their language by the same token.
    """
    first = members[0]
    for member in members[1:]:
        if _kind(member) != _kind(first):
            raise InputError(
                f"{name}: {member.name} and {first.name} have other sides, sites, gates or texts; only prompts of one kind "
                "can be put one after the other"
            )
    if any(member.config.decoder_positions for member in members):
        raise InputError(f"{name}: decoder input prompts cannot be put one after the other")
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
        windows=tuple(sorted({window for member in members for window in member.card.windows})),
        key=None,
        training={},  # each member has its own
    )
    tokens = [code for member in members for code in member.card.language_tokens]
    if "language" in first.config.sites and len(set(tokens)) < len(tokens):
        raise InputError(
            f"{name}: {', '.join(member.name for member in members)} each learned a token of the same name"
        )
    vectors = concatenate([member.vectors for member in members])
    return Prompt(replace(first.config, length=lengths), vectors, card, name)


def _kind(prompt: Prompt) -> tuple[object, ...]:
    """What prompts must have in common to be one."""
    config = prompt.config
    return (
        config.side, set(config.sites), config.gate, config.parameterization == "key_value", prompt.card.text,
    )  # fmt: skip
