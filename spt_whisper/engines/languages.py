"""Which language each row is in, and what it begins with: what every engine does alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from spt_whisper.engines.engine import Heard, Row
from spt_whisper.errors import InputError
from spt_whisper.prompts.card import PromptCard
from spt_whisper.whisper.language import pooled_state
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.tokens import Tokens


def heard_in(
    rows: Sequence[Row], states: Tensor, log_posteriors: Tensor, tokens: Tokens
) -> list[Heard]:
    """Returns how rows sound.

    Args:
        rows: what was listened to.
        states: bare Whisper's encoder states, (B, S, D).
        log_posteriors: log-probability of each of Whisper's languages, (B, languages).
        tokens: Whisper's.
    """
    pooled = pooled_state(states, [row.seconds for row in rows])
    codes, best = list(tokens.languages), log_posteriors.argmax(dim=1).tolist()
    return [
        Heard(posterior, state, own, codes[index])
        for posterior, state, own, index in zip(log_posteriors, pooled, states, best, strict=True)
    ]


def with_languages(
    rows: Sequence[Row],
    card: PromptCard | None,
    listen: Callable[[list[int]], Sequence[Heard]],
) -> list[Row]:
    """Returns each row with its languages: given, else its prompt's (or the model's), else what Whisper hears.

    Args:
        rows: a batch.
        card: what the model itself was made for.
        listen: hears how the rows of these numbers sound.
    """
    named = [replace(row, languages=row.languages or _own_codes(row, card)) for row in rows]
    deaf = [i for i, row in enumerate(named) if not row.languages and row.heard is None]
    if deaf:
        for index, own in zip(deaf, listen(deaf), strict=True):
            named[index] = replace(named[index], heard=own)
    return [
        row if row.languages or row.heard is None else replace(row, languages=(row.heard.language,))
        for row in named
    ]


def card_of(row: Row, card: PromptCard | None) -> PromptCard | None:
    """Returns what decodes the row was made for: its prompt, else the model, whose card is given."""
    return row.prompt.card if row.prompt else card


def signs_of(row: Row, card: PromptCard | None) -> tuple[int, ...]:
    """Returns what the row's prompt, or the model, was taught to write though bare Whisper never does."""
    own = card_of(row, card)
    return own.signs if own else ()


def first_tokens(rows: Sequence[Row], tokens: Tokens, options: DecodingOptions) -> list[list[int]]:
    """Returns what the decoder of each row begins with; the rows have their languages."""
    hotwords = tokens.encode(options.hotwords) if options.hotwords else []
    previous = tokens.encode(options.previous_text) if options.previous_text else []
    return [
        tokens.start(
            row.languages or (),
            placeholders=row.prompt.config.decoder_positions if row.prompt else 0,
            hotwords=hotwords,
            text_prompt=previous[len(hotwords) :],  # hotwords are its first tokens
            timestamps=options.timestamps,
        )
        for row in rows
    ]


def check_soft_language(row: Row, owner: str, card: PromptCard | None) -> None:
    """Refuses to name a language where the token that stands for it was learned.

    Args:
        row: what is to be decoded.
        owner: what has a language token of its own, in words.
        card: what it was made for.

    Raises:
        InputError: the row names another language than the owner's.
    """
    trained = card.language_tokens if card else ()
    if row.languages and row.languages != trained:
        raise InputError(
            f"language {'+'.join(row.languages)}: {owner} has a language token of its own, which would stand in its "
            "place; leave the language out"
        )


def _own_codes(row: Row, card: PromptCard | None) -> tuple[str, ...] | None:
    own = card_of(row, card)
    return (own.language_tokens or None) if own else None
