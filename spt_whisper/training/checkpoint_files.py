"""Checkpoints on disk: written whole or not at all, and a damaged one is refused by name."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from spt_whisper.atomic import replacing
from spt_whisper.errors import InputError


class WholeFiles(TorchCheckpointIO):
    """Writes beside the old checkpoint, then renames.

    Lightning's own way goes over the system's folder for temporary files, which is often another disk, so that a kill in
    the copy would leave half a checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Writes a checkpoint."""
        with replacing(path, durable=True) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Reads a checkpoint, never code from it.

        Raises:
            InputError: the file is damaged.
        """
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            cause = str(error).partition("\n")[0]
            raise InputError(
                f"{path}: is damaged ({cause}); remove it, and the run starts from the beginning"
            ) from error
