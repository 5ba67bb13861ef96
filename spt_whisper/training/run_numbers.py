"""What a training run took, and where it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class RunNumbers:
    """What a training run took, and where it ended."""

    seconds: float  # of training, dev passes and what came before a resume included
    epochs: int
    last_loss: float | None  # mean training loss of the last epoch; None: resumed at its end
    peak_memory_gigabytes: float  # GiB
    utterances: int  # trained on in each epoch
    trained_parameters: int
    stored_parameters: int

    @classmethod
    def among(cls, training: Mapping[str, Any]) -> RunNumbers:
        """Returns the numbers that stand among others, as in `PromptCard.training`.

        Raises:
            KeyError: one is missing.
        """
        return cls(**{field.name: training[field.name] for field in fields(cls)})
