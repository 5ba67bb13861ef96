"""Settings of showing a prompt: one declaration for flags, help and code."""

from __future__ import annotations

from dataclasses import dataclass

from spt_whisper.errors import InputError


@dataclass(frozen=True)
class ShowConfig:
    """What is shown, and with which Whisper its vectors are read as words."""

    source: str
    """Folder or hub id of a prompt or a bank."""
    language: str | None = None
    """Of a bank: the language whose whole prompt is shown."""
    model: str | None = None
    """Whisper whose vocabulary is used; by default the prompt's base."""
    slots: int = 10
    """How many feed-forward slots are read, those with the largest values."""
    picture: str | None = None
    """Of a bank: PNG file for the similarity of its languages."""

    def __post_init__(self) -> None:
        if self.slots < 0:
            raise InputError(f"slots: found {self.slots}, wanted 0 or more")
