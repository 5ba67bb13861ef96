"""The tokens of a Whisper alone: its tokenizer is read, its weights are not."""

from __future__ import annotations

from pathlib import Path

from transformers import WhisperTokenizer

from spt_whisper.errors import InputError
from spt_whisper.whisper import ctranslate2
from spt_whisper.whisper.loading import find_model
from spt_whisper.whisper.tokens import Tokens

_FILES = ("tokenizer.json", "vocab.json")  # one of them holds the tokens


def load_tokens(name: str | Path) -> Tokens:
    """Loads the tokens of a Whisper, found by name as `FrozenWhisper.from_pretrained` finds it.

    Args:
        name: hub id, folder (transformers or CTranslate2 layout), or short name (`base`).

    Raises:
        InputError: there is no such model, or its tokenizer is missing or damaged.
    """
    source = find_model(str(name))
    if isinstance(source, Path) and (source / "model.bin").exists():
        return Tokens(ctranslate2.load_tokenizer(source))
    # without these files transformers makes an empty tokenizer, and says nothing
    if isinstance(source, Path) and not any((source / file).is_file() for file in _FILES):
        raise InputError(
            f"model {source}: no {_FILES[0]} in it; wanted a transformers or CTranslate2 folder"
        )
    try:
        tokenizer = WhisperTokenizer.from_pretrained(source)
    except Exception as error:  # JSON, tokenizer and hub errors share no base class
        message = " ".join(str(error).split())
        raise InputError(
            f"model {source}: its tokenizer cannot be loaded ({type(error).__name__}: {message}); "
            "restore the file, or check the name and the network"
        ) from error
    return Tokens(tokenizer)
