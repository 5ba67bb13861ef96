"""What a Whisper must have to be used here: its files, many languages, all positions, and no tokens that it could not write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spt_whisper.errors import InputError
from spt_whisper.whisper.tokens import MAX_POSITIONS, TIMESTAMP_TOKEN, Tokens

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
_OTHER_FORMS = {WEIGHTS: "model.safetensors.index.json", TOKENIZER: "vocab.json"}
_ENGLISH_ONLY_END = (
    50256  # the number of <|endoftext|> in the .en models; many languages have one token more
)


def check_files(source: Path | str, *needed: str) -> None:
    """Refuses a folder in which a file is missing; of a hub id nothing is asked.

    Without a tokenizer's file transformers makes an empty one, and says nothing.

    Raises:
        InputError: names the folder and the file.
    """
    if isinstance(source, str):
        return
    for name in needed:
        forms = (name, _OTHER_FORMS.get(name, name))
        if not any((source / form).is_file() for form in forms):
            raise InputError(
                f"model {source}: no {name} in it; wanted a transformers or CTranslate2 folder"
            )


def is_english_only(end: int) -> bool:
    """Returns whether a Whisper is English only, by the number of its token `<|endoftext|>`."""
    return end == _ENGLISH_ONLY_END


def check_tokens(name: object, tokens: Tokens) -> None:
    """Refuses a tokenizer of an English-only Whisper, or one with words after its control tokens.

    Raises:
        InputError: names the model.
    """
    if is_english_only(tokens.end):
        raise _english_only(name)
    added = tokens.tokenizer.added_tokens_decoder
    special = {number for number, token in added.items() if token.special}
    behind = sorted(
        (number, token)
        for token, number in tokens.tokenizer.get_vocab().items()
        if number >= tokens.first_timestamp and number not in special
    )
    own = [token for _, token in behind if not TIMESTAMP_TOKEN.fullmatch(token)]
    if own:
        raise InputError(
            f"model {name}: its tokenizer has {len(own)} tokens of its own after the control tokens, such as {own[0]!r}, "
            "which are never written here; take a model with Whisper's own vocabulary"
        )


def check_model(name: object, model: Any, tokens: Tokens) -> None:
    """Refuses an English-only Whisper, one with fewer positions than Whisper's, and what `check_tokens` refuses.

    Args:
        name: what to call it.
        model: a Whisper of transformers.
        tokens: its tokens.

    Raises:
        InputError: names the model.
    """
    if getattr(model.generation_config, "is_multilingual", None) is False:
        raise _english_only(name)
    check_tokens(name, tokens)
    positions = model.config.max_target_positions
    if positions < MAX_POSITIONS:
        raise InputError(
            f"model {name}: has {positions} decoder positions, wanted {MAX_POSITIONS} or more; take another Whisper"
        )


def _english_only(name: object) -> InputError:
    return InputError(f"model {name}: English only; take a multilingual Whisper")
