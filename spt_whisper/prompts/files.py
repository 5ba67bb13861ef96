"""A prompt on disk: a folder that is written once, read strictly and never unpickled.

    prompt.safetensors   `side.site.name` -> tensor without the row dimension, float32
    prompt.json          {"format_version": 1, "library_version", "config": PromptConfig, "card": PromptCard}
    README.md            a model card, for people and for the Hugging Face Hub

A wrong version, a missing or extra tensor, a wrong shape, a NaN: refused by name. The base model is checked against the
card's fingerprint where the prompt meets a model (`Prompt.check_base`).
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from spt_whisper.errors import InputError
from spt_whisper.prompts.card import render_card
from spt_whisper.prompts.config import ModelShape, PromptConfig
from spt_whisper.prompts.vectors import PromptVectors

FORMAT_VERSION = 1
TENSOR_FILE = "prompt.safetensors"
SETTINGS_FILE = "prompt.json"
_PATTERNS = [TENSOR_FILE, SETTINGS_FILE]
_LARGEST_SETTINGS = 16 * 2**20  # bytes
_LARGEST_TENSORS = 2**30

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PromptCard:
    """What a prompt was made for, and from what."""

    base: str
    """Name of the Whisper that it was trained with."""
    fingerprint: str
    """SHA-256 of that Whisper's weights."""
    shape: ModelShape
    languages: tuple[str, ...]
    """Languages of the speech, as the corpus names them."""
    language_tokens: tuple[str, ...]
    """Codes of the Whisper language tokens that stand for them (a proxy where Whisper has none)."""
    window_seconds: float = 30.0
    """The window it was trained with."""
    text: dict[str, Any] = field(default_factory=dict)
    """What was done to the training texts."""
    recipe: dict[str, Any] = field(default_factory=dict)
    """The recipe as run."""
    training: dict[str, Any] = field(default_factory=dict)
    """Numbers of the training run: utterances, last loss, seconds."""


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
            source: a folder, or a hub id (`owner/name`).

        Raises:
            InputError: there is no prompt, or a file of it is not what it should be.
        """
        folder = _find(str(source))
        settings = _read_settings(folder / SETTINGS_FILE)
        try:
            config = PromptConfig(**settings["config"])
            card = _card(settings["card"])
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{folder / SETTINGS_FILE}: a field is missing or unknown ({error})"
            ) from error
        vectors = _read_vectors(folder / TENSOR_FILE, config.tensor_shapes(card.shape))
        return cls(config, vectors, card, str(source))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Writes the prompt's folder under a temporary name, then puts it in place; returns the folder.

        Raises:
            InputError: the folder holds something that is not a prompt, or the vectors are not finite.
        """
        target = Path(folder)
        if target.exists() and any(target.iterdir()) and not (target / SETTINGS_FILE).exists():
            raise InputError(f"{target}: holds files that are not a prompt; name another folder")
        tensors = {
            name: tensor[0].contiguous() for name, tensor in self.vectors.named_tensors().items()
        }
        for name, tensor in tensors.items():
            if not bool(torch.isfinite(tensor).all()):
                raise InputError(
                    f"{target}: tensor {name} is not finite, so nothing is written; lower the learning rate"
                )
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            save_file(tensors, temporary / TENSOR_FILE, metadata={"format": "pt"})
            (temporary / SETTINGS_FILE).write_text(self._settings_json(), encoding="utf-8")
            (temporary / "README.md").write_text(
                render_card(asdict(self.config), asdict(self.card)), encoding="utf-8"
            )
            _replace_folder(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return target

    def _settings_json(self) -> str:
        from spt_whisper import __version__

        settings = {
            "format_version": FORMAT_VERSION,
            "library_version": __version__,
            "config": asdict(self.config),
            "card": asdict(self.card),
        }
        return json.dumps(settings, ensure_ascii=False, indent=2) + "\n"

    @property
    def numbers(self) -> int:
        """How many numbers the prompt holds."""
        return sum(tensor.numel() for tensor in self.vectors.named_tensors().values())

    def check_base(
        self, name: str, fingerprint: str, shape: ModelShape, quantized: bool = False
    ) -> None:
        """Refuses a model other than the one the prompt was trained with; a quantized one gets a warning.

        Raises:
            InputError: names both models.
        """
        if quantized and shape == self.card.shape and fingerprint != self.card.fingerprint:
            logger.warning(
                "prompt %s was trained for %s; %s is quantized, so its weights are not quite the same",
                self.name, self.card.base, name,
            )  # fmt: skip
            return
        if shape != self.card.shape or fingerprint != self.card.fingerprint:
            raise InputError(
                f"prompt {self.name}: trained for {self.card.base} (weights {self.card.fingerprint[:12]}), "
                f"found {name} (weights {fingerprint[:12]}); load the prompt's own base model"
            )


def _find(source: str) -> Path:
    folder = Path(source)
    if folder.is_dir():
        if not (folder / SETTINGS_FILE).is_file():
            raise InputError(
                f"prompt {source}: no {SETTINGS_FILE} in it; wanted a folder that `spt-whisper fit` wrote"
            )
        return folder
    if source.count("/") != 1 or source.startswith((".", "/", "~")):
        raise InputError(
            f"prompt {source}: no such folder; wanted a prompt's folder or a hub id (owner/name)"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, allow_patterns=_PATTERNS))
    except Exception as error:  # network, name and permission errors share no base class
        message = str(error).strip().splitlines()[0]
        raise InputError(
            f"prompt {source}: no such folder, and the hub gives none ({type(error).__name__}: {message})"
        ) from error


def _read_settings(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST_SETTINGS:
        raise InputError(f"{path}: {path.stat().st_size} bytes; wanted at most {_LARGEST_SETTINGS}")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not JSON ({error}); restore the file") from error
    version = settings.get("format_version") if isinstance(settings, dict) else None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path}: format version {version!r}, this program reads {FORMAT_VERSION}; install the version that wrote it"
        )
    return settings


def _card(values: dict[str, Any]) -> PromptCard:
    known = {item.name for item in fields(PromptCard)}
    if set(values) - known:
        raise KeyError(f"unknown {sorted(set(values) - known)}")
    sequences = {key: tuple(values[key]) for key in ("languages", "language_tokens")}
    return PromptCard(**{**values, **sequences, "shape": ModelShape(**values["shape"])})


def _read_vectors(path: Path, wanted: dict[str, tuple[int, ...]]) -> PromptVectors:
    if not path.is_file() or path.stat().st_size > _LARGEST_TENSORS:
        raise InputError(
            f"{path}: missing or larger than {_LARGEST_TENSORS} bytes; restore the file"
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: is damaged ({error}); restore the file") from error
    if set(tensors) != set(wanted):
        raise InputError(
            f"{path}: missing tensors {sorted(set(wanted) - set(tensors))}, unknown tensors {sorted(set(tensors) - set(wanted))}"
        )
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != wanted[name] or tensor.dtype != torch.float32:
            raise InputError(
                f"{path}: tensor {name} is {tuple(tensor.shape)} {tensor.dtype}, wanted {wanted[name]} float32"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{path}: tensor {name} holds NaN or infinity; train the prompt again")
    return PromptVectors.from_named_tensors(
        {name: tensor[None] for name, tensor in tensors.items()}
    )


def _replace_folder(temporary: Path, target: Path) -> None:
    """Puts a finished folder in place of an older one, which is gone only once the new one stands."""
    if not target.exists():
        temporary.rename(target)
        return
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.old.", dir=target.parent) as old:
        target.rename(Path(old) / "prompt")
        try:
            temporary.rename(target)
        except OSError:
            (Path(old) / "prompt").rename(target)
            raise
