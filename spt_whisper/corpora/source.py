"""What a reader is given: where a corpus is, and which part of it to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spt_whisper.errors import InputError


class MissingSplitError(InputError):
    """The corpus is there, but not the split of it that was asked for."""


@dataclass(frozen=True)
class CorpusSource:
    """One split of one corpus."""

    root: str  # folder; for `manifest` also a file, for `huggingface` also a hub id
    split: str  # as the corpus names it
    subset: str | None = None  # a language's folder or a hub configuration; None: there is none
    text_column: str | None = None  # None: the reader's usual one

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"{self.root}, {self.subset}" if self.subset else self.root

    @property
    def path(self) -> Path:
        """`root` on disk.

        Raises:
            InputError: there is nothing.
        """
        path = Path(self.root)
        if not path.exists():
            raise InputError(f"{path}: no such corpus; give an existing folder or manifest")
        return path
