"""What one language of a bank adds to the shared vectors, on disk: a folder in the bank.

part.safetensors   name -> tensor, float32
part.json          {"format_version": 1, "library_version", "aware": LanguageAwareConfig, "card": PromptCard,
                   "shared", "own": SHA-256 of the shared prompt.safetensors and of the numbers of part.safetensors}
README.md          a model card
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from spt_whisper.errors import InputError
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import LanguageAwareConfig, PromptConfig
from spt_whisper.prompts.files import TENSOR_FILE, Prompt
from spt_whisper.prompts.folders import (
    FORMAT_VERSION,
    Versions,
    blaming,
    digest_tensors,
    read_tensors,
    write_folder,
)
from spt_whisper.prompts.readme import render_readme
from spt_whisper.prompts.safe_files import check_entries
from spt_whisper.prompts.strict_json import read_strict

PART_METHOD = "lapt_language"
PART_KIND = "part"


@dataclass(frozen=True)
class LanguagePart:
    """What one language adds to the shared vectors of its bank."""

    aware: LanguageAwareConfig
    tensors: Mapping[str, Tensor]
    card: PromptCard

    @property
    def language(self) -> str:
        """The language, as the corpus names it."""
        return self.card.languages[0]

    @property
    def parameter_count(self) -> int:
        """How many parameters the part holds."""
        return sum(tensor.numel() for tensor in self.tensors.values())


@dataclass(frozen=True)
class SharedPart:
    """The shared prompt of a bank, as it lies on disk."""

    folder: Path
    prompt: Prompt
    digest: str  # SHA-256 of its prompt.safetensors

    @classmethod
    def read(cls, folder: Path) -> SharedPart:
        """Reads it.

        Raises:
            InputError: a file is not what it should be.
        """
        return cls(folder, Prompt.from_folder(folder), _digest(folder / TENSOR_FILE))


@dataclass(frozen=True)
class PartSettings(Versions):
    """What `part.json` holds."""

    aware: LanguageAwareConfig
    card: PromptCard
    shared: str  # SHA-256 of the shared folder's prompt.safetensors
    own: str  # SHA-256 of the numbers of part.safetensors


def write_part(target: Path, part: LanguagePart, shared: Path, config: PromptConfig) -> Path:
    """Writes a language's part beside the shared folder that it belongs to."""
    settings = {
        "aware": asdict(part.aware),
        "shared": _digest(shared / TENSOR_FILE),
        "own": digest_tensors(part.tensors),
        "card": asdict(part.card),
    }
    loading = f'Bank.from_pretrained("THE FOLDER ABOVE").prompt("{part.language}")'
    readme = render_readme(part.aware.combined_config(config), part.card, loading=loading)
    return write_folder(target, PART_KIND, part.tensors, settings, readme)


def read_part(folder: Path, shared: SharedPart) -> LanguagePart:
    """Reads what a language adds to the shared prompt beside it.

    Raises:
        InputError: a file is not what it should be, or belongs to another shared prompt.
    """
    path = folder / f"{PART_KIND}.json"
    check_entries(folder, folder.rglob("*"))
    settings = read_strict(path, PartSettings, FORMAT_VERSION)
    aware, card = settings.aware, settings.card
    if len(card.languages) != 1:
        raise InputError(f"{path}: languages are {list(card.languages)}, wanted one; restore it")
    if settings.shared != shared.digest:
        raise InputError(
            f"{path}: belongs to another shared part than {shared.folder}; restore that one"
        )
    with blaming(path):
        aware.check(shared.prompt.config)
        wanted = aware.part_shapes(shared.prompt.config, card.shape)
    tensors = read_tensors(folder / f"{PART_KIND}.safetensors", wanted)
    if settings.own != digest_tensors(tensors):
        raise InputError(
            f"{folder / PART_KIND}.safetensors: holds other numbers than {path.name} says; restore the file"
        )
    return LanguagePart(aware, tensors, card)


def _digest(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: missing; restore the file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
