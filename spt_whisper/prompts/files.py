"""A prompt on disk: a folder that is written once, read strictly and never unpickled.

    prompt.safetensors   `side.place.part` -> tensor without the row dimension, float32
    prompt.json          {"format_version": 1, "library_version", "config": PromptConfig, "card": PromptCard}
    README.md            a model card, for people and for the Hugging Face Hub

A wrong version, a missing or extra field or tensor, a wrong type or shape, a NaN, a link, a pickle: refused by name
(`safe_files.py`, `strict_json.py`). The base model is checked against the
card's fingerprint where the prompt meets a model (`Prompt.check_base`).
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from spt_whisper.errors import InputError
from spt_whisper.prompts.base import Base
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.folders import FORMAT_VERSION, Versions, read_tensors, write_folder
from spt_whisper.prompts.hub import find_folder
from spt_whisper.prompts.misnamed import what_instead
from spt_whisper.prompts.readme import render_readme
from spt_whisper.prompts.safe_files import check_entries
from spt_whisper.prompts.strict_json import read_strict
from spt_whisper.prompts.vectors import PromptVectors

KIND = "prompt"
TENSOR_FILE = f"{KIND}.safetensors"
SETTINGS_FILE = f"{KIND}.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PromptSettings(Versions):
    """What `prompt.json` holds."""

    config: PromptConfig
    card: PromptCard


@dataclass(frozen=True)
class Prompt:
    """A trained prompt: what `transcribe` takes."""

    config: PromptConfig
    vectors: PromptVectors
    card: PromptCard
    name: str = "prompt"

    @classmethod
    def from_pretrained(cls, source: str | Path) -> Prompt:
        """Reads a prompt.

        Args:
            source: a folder, or a hub id (`owner/name` or `owner/name@revision`).

        Raises:
            InputError: there is no prompt, or a file of it is not what it should be.
        """
        return cls.from_folder(find_folder(str(source), KIND), str(source))

    @classmethod
    def from_folder(cls, folder: Path, name: str | None = None) -> Prompt:
        """Reads a prompt from a folder on disk; `name` is what to call it, by default the folder.

        Raises:
            InputError: as above.
        """
        path = folder / SETTINGS_FILE
        if not path.is_file():
            instead = what_instead(folder, name or str(folder), flags=True)
            raise InputError(
                f"prompt {name or folder}: no {SETTINGS_FILE} in it; "
                f"{instead or 'wanted a folder that `spt-whisper fit` wrote'}"
            )
        check_entries(folder, folder.rglob("*"))
        settings = read_strict(path, PromptSettings, FORMAT_VERSION)
        config, card = settings.config, settings.card
        tensors = read_tensors(folder / TENSOR_FILE, config.tensor_shapes(card.shape))
        vectors = PromptVectors.from_named_tensors(
            {name: tensor[None] for name, tensor in tensors.items()}
        )
        return cls(config, vectors, card, name or str(folder))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Writes the prompt's folder under a temporary name, then puts it in place; returns the folder.

        Raises:
            InputError: the folder holds something that is not a prompt, or the vectors are not finite.
        """
        tensors = {name: tensor[0] for name, tensor in self.vectors.named_tensors().items()}
        settings = {"config": asdict(self.config), "card": asdict(self.card)}
        return write_folder(
            Path(folder), KIND, tensors, settings, render_readme(self.config, self.card)
        )

    @property
    def parameter_count(self) -> int:
        """How many parameters the prompt holds."""
        return self.vectors.parameter_count

    def check_base(self, whisper: Base) -> None:
        """Refuses a model other than the one the prompt was trained with; a quantized one gets a warning.

        Raises:
            InputError: names both models.
        """
        fits = whisper.shape == self.card.shape
        if fits and whisper.fingerprint == self.card.fingerprint:
            return
        if fits and whisper.quantized:
            logger.warning(
                "prompt %s was trained for %s; %s is quantized, so its weights are not quite the same",
                self.name, self.card.base, whisper.name,
            )  # fmt: skip
            return
        raise InputError(
            f"prompt {self.name}: trained for {self.card.base} (weights {self.card.fingerprint[:12]}), "
            f"found {whisper.name} (weights {whisper.fingerprint[:12]}); load the prompt's own base model"
        )
