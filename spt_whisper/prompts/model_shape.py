"""The sizes of a Whisper."""

from __future__ import annotations

from dataclasses import dataclass

from spt_whisper.errors import InputError


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a Whisper that a prompt must fit."""

    width: int
    """D, the width of the activations."""
    encoder_layers: int
    decoder_layers: int

    def __post_init__(self) -> None:
        if min(self.width, self.encoder_layers, self.decoder_layers) < 1:
            raise InputError(f"shape: found {self}, wanted sizes of at least 1")

    def layers(self, side: str) -> int:
        """Returns the number of layers of one side."""
        return self.encoder_layers if side == "encoder" else self.decoder_layers
