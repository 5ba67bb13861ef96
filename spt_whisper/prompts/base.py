"""The Whisper that a prompt is for: what a prompt asks of it, and which one is loaded for some prompts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from spt_whisper.prompts.model_shape import ModelShape

if TYPE_CHECKING:
    from spt_whisper.prompts.files import Prompt

DEFAULT_BASE = "base"


class Base(Protocol):
    """A loaded Whisper, by what tells it from others."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its weights."""
        ...

    @property
    def shape(self) -> ModelShape:
        """The sizes that a prompt must fit."""
        ...

    @property
    def quantized(self) -> bool:
        """Whether its weights were integers, and so are not quite those they were made from."""
        ...


def base_for(model: str | None, prompts: Iterable[Prompt]) -> str:
    """Returns the Whisper to load: the one named, else that of the first prompt, else `base`."""
    if model:
        return model
    return next((prompt.card.base for prompt in prompts), DEFAULT_BASE)
