"""The tokens of a Whisper alone: its tokenizer is read, its weights are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import WhisperTokenizer

from spt_whisper.errors import InputError
from spt_whisper.whisper import ctranslate2
from spt_whisper.whisper.loading import find_model
from spt_whisper.whisper.requirements import TOKENIZER, check_files, check_tokens
from spt_whisper.whisper.tokens import Tokens


def load_tokens(name: str | Path) -> Tokens:
    """Loads the tokens of a Whisper, found by name as `FrozenWhisper.from_pretrained` finds it.

    Args:
        name: hub id, folder (transformers or CTranslate2 layout), or short name (`base`).

    Raises:
        InputError: there is no such model, its tokenizer is missing or damaged, or of a Whisper that cannot be used here.
    """
    source = find_model(str(name))
    tokens = Tokens(_load_tokenizer(source))
    check_tokens(source, tokens)
    return tokens


def _load_tokenizer(source: Path | str) -> Any:
    if isinstance(source, Path) and (source / "model.bin").exists():
        return ctranslate2.load_tokenizer(source)
    check_files(source, TOKENIZER)
    try:
        tokenizer = WhisperTokenizer.from_pretrained(source)
        if len(tokenizer) == 1:  # what transformers makes of a hub that it cannot reach
            raise OSError("its files are not in the cache, and the hub was not reached")
        return tokenizer
    except Exception as error:  # JSON, tokenizer and hub errors share no base class
        message = " ".join(str(error).split())
        raise InputError(
            f"model {source}: its tokenizer cannot be loaded ({type(error).__name__}: {message}); "
            "restore the file, or check the name and the network"
        ) from error
