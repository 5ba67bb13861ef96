"""Settings of checking and preparing a corpus: one declaration for flags, help and code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.audio.window import check_windows
from spt_whisper.corpora import CorpusConfig, Split
from spt_whisper.errors import InputError


@dataclass(frozen=True)
class CheckConfig:
    """What is checked, and for what."""

    corpus: CorpusConfig
    model: str = "base"
    """Whisper whose tokens are counted; only its tokenizer is read."""
    window_seconds: float = float(WINDOW_SECONDS)
    """Window to train with."""
    output: str | None = None
    """File for the result as JSON, in addition to the printed text."""
    workers: int | None = None
    """Audio files read at a time; none: one per core."""

    def __post_init__(self) -> None:
        check_windows([self.window_seconds])
        if self.output is not None and Path(self.output).suffix != ".json":
            raise InputError(f"output: found {self.output}, wanted a file that ends in .json")


@dataclass(frozen=True)
class PrepareConfig:
    """What is prepared, and where it goes."""

    corpus: CorpusConfig
    output: str
    """Manifest to write (.jsonl), outside the corpus; converted audio goes to the folder `audio` beside it."""
    split: Split = "train"
    """Part of the corpus."""
    audio: Literal["flac", "opus"] | None = None
    """Convert the audio to 16 kHz mono of this format; none: the manifest names the files where they are."""
    workers: int | None = None
    """Files at a time; none: one per core."""

    def __post_init__(self) -> None:
        if Path(self.output).suffix != ".jsonl":
            raise InputError(f"output: found {self.output}, wanted a manifest that ends in .jsonl")
        written = [Path(self.output), *([self.audio_folder] if self.audio else [])]
        for path in written:
            if _lies_in(self.corpus, path):
                raise InputError(
                    f"output: {path} lies in the corpus {self.corpus.root}, which must stay as it is; "
                    "give a file in another folder"
                )

    @property
    def audio_folder(self) -> Path:
        """Where converted audio goes."""
        output = Path(self.output)
        return output.parent / "audio" / output.stem


def _lies_in(corpus: CorpusConfig, path: Path) -> bool:
    """Whether a path is within the corpus's folder, or beside the one manifest that it is."""
    root = Path(corpus.root).resolve()
    if corpus.is_one_file:
        return path.resolve().parent == root.parent
    return path.resolve().is_relative_to(root)
