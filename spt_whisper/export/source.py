"""What is exported: a Whisper, and the prompt that goes into it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from spt_whisper.errors import InputError
from spt_whisper.export.settings import ExportConfig
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.base import base_for
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.prompt_or_bank import read_prompt_or_bank
from spt_whisper.prompts.vectors import PromptVectors
from spt_whisper.whisper.adapted import ADAPTER_CONFIG
from spt_whisper.whisper.loading import SHORT_NAMES, FrozenWhisper

MARK = "export.json"  # by it an export is known: it may be replaced, and is no source of another
_MODEL_FILES = ("config.json", "model.bin", ADAPTER_CONFIG)


@dataclass(frozen=True)
class ExportSource:
    """A Whisper with the prompt that becomes a part of it."""

    whisper: FrozenWhisper
    prompt: Prompt | None = None  # None: bare Whisper, or an adapted model

    @property
    def vectors(self) -> PromptVectors:
        """The prompt's vectors, R = 1; none without a prompt."""
        return self.prompt.vectors if self.prompt else PromptVectors()

    @property
    def card(self) -> PromptCard | None:
        """What the prompt or the adapted model was made for."""
        return self.prompt.card if self.prompt else self.whisper.card

    @property
    def decoder_positions(self) -> int:
        """How many rows the prompt adds to the decoder's input."""
        return self.prompt.config.decoder_positions if self.prompt else 0

    @property
    def name(self) -> str:
        """What to call it."""
        return self.prompt.name if self.prompt else self.whisper.name

    @property
    def places(self) -> tuple[str, ...]:
        """Where the prompt stands, such as `decoder.feed_forward`."""
        names = self.vectors.named_tensors()
        return tuple(dict.fromkeys(name.rpartition(".")[0] for name in names))


def read_source(config: ExportConfig) -> ExportSource:
    """Reads a prompt and its Whisper, or an adapted model.

    Raises:
        InputError: there is none, it is damaged or an export, or the prompt is of another Whisper.
    """
    mark = Path(config.source) / MARK
    if config.source not in SHORT_NAMES and mark.is_file():
        made_from, _ = read_mark(mark)
        raise InputError(
            f"export {config.source}: is an export already, made from {made_from}; export that"
        )
    if _is_model(config.source):
        return ExportSource(FrozenWhisper.from_pretrained(config.source))
    prompt = _read_prompt(config.source, config.language)
    whisper = FrozenWhisper.from_pretrained(base_for(config.model, [prompt]))
    prompt.check_base(whisper)
    return ExportSource(whisper, prompt)


def read_mark(mark: Path) -> tuple[str, list[str]]:
    """Returns what an export was made from, and the names of the files that it consists of.

    Raises:
        InputError: the mark is damaged.
    """
    try:
        found = json.loads(mark.read_text(encoding="utf-8"))
        return found["source"], list(found["files"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{mark}: is damaged; name another folder") from error


def _is_model(source: str) -> bool:
    return source in SHORT_NAMES or any((Path(source) / name).is_file() for name in _MODEL_FILES)


def _read_prompt(source: str, language: str | None) -> Prompt:
    """The prompt of a folder or hub id, or of one language of a bank."""
    found = read_prompt_or_bank(source, language)
    if isinstance(found, Bank):
        raise InputError(
            f"language: none given for bank {source}; wanted one of {', '.join(found.languages)}"
        )
    return found
