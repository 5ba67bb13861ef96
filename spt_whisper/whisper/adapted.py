"""Folders of adapted models: a fine-tuned checkpoint, or a LoRA adapter that is merged into its base; with a card each."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from transformers import WhisperForConditionalGeneration

from spt_whisper.atomic import write_text
from spt_whisper.errors import InputError
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.strict_json import read_strict

CARD_FILE = "spt_whisper.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"


def write_card(path: Path, card: PromptCard) -> None:
    """Writes beside a model what it was made for: languages, tokens, window, text processing."""
    write_text(path, json.dumps(asdict(card), ensure_ascii=False, indent=2) + "\n")


def read_model_card(folder: Path) -> PromptCard | None:
    """Returns the card of an adapted model; None for any other.

    Raises:
        InputError: the card is damaged.
    """
    path = folder / CARD_FILE
    return read_strict(path, PromptCard) if path.is_file() else None


def adapter_base(folder: Path, card: PromptCard | None = None) -> str:
    """Returns the name of the model that a LoRA adapter belongs to: the card's, where peft's is no folder of this machine.

    Raises:
        InputError: the adapter is damaged.
    """
    path = folder / ADAPTER_CONFIG
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise InputError(f"model {folder}: no {ADAPTER_WEIGHTS} in it; restore the file")
    try:
        name = str(json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is damaged ({error}); restore the file") from error
    return name if card is None or Path(name).is_dir() else card.base


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Hides that peft asks transformers for something by its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*is_gradient_checkpointing. is deprecated")
        yield


def merge_adapter(
    model: WhisperForConditionalGeneration, folder: Path
) -> WhisperForConditionalGeneration:
    """Returns the model with a LoRA adapter added to its weights.

    Raises:
        InputError: the adapter is of another model, or damaged.
    """
    from peft import PeftModel  # a second to import, for adapters alone

    try:
        with quiet_peft():
            adapted = PeftModel.from_pretrained(model, folder)
        return adapted.merge_and_unload()
    except Exception as error:  # safetensors, JSON, shape and peft errors share no base class
        message = " ".join(str(error).split())
        raise InputError(
            f"model {folder}: the adapter cannot be added ({type(error).__name__}: {message}); "
            "restore the damaged file"
        ) from error
