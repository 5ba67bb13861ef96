"""Settings of adding a language to a bank: one declaration for flags, YAML, help and code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from spt_whisper.corpora import CorpusConfig, check_corpus
from spt_whisper.errors import InputError
from spt_whisper.prompts.language_names import composed
from spt_whisper.training.recipe import LoopConfig


@dataclass(frozen=True)
class ExpansionConfig(LoopConfig):
    """A language to add, the bank to which it is added, and how it is learned."""

    language: str
    """The language, as its corpus names it; its folder in the bank gets this name."""
    bank: str
    """Folder of a bank."""
    corpus: CorpusConfig
    model: str | None = None
    """Whisper to keep frozen; by default the bank's base."""
    output: str | None = None
    """Folder for the run's recipe, checkpoints and logs; by default runs/add-LANGUAGE. The bank changes only at the end."""
    form: Literal["auto", "part", "whole"] = "auto"
    """What the language gets: a prompt of its own like those of the bank (whole), or a small part over the bank's shared vectors
    (part), which has a tenth of the parameters and made more errors. auto: whole, unless rank or init ask for a part."""
    rank: int | None = None
    """Rank of the language's part; by default the highest of the bank's parts. A higher one learns more, and has more parameters."""
    init: str = "auto"
    """Where the language's part starts: zero (it changes nothing, except for concat at sites other than feed_forward),
    nearest (the part of the language of the bank that sounds most alike to bare Whisper), a language of the bank, or auto:
    zero or nearest, whichever has the lower loss."""
    tokens: list[str] = field(default_factory=list)
    """Whisper language token that a soft token replaces, or that stands for the language; by default its own, or if
    Whisper has none the one, of those it hears in the training audio, that suits the texts best."""
    probes: int = 4
    """Utterances that are transcribed with every older prompt before and after, to show that nothing has changed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_corpus(self.corpus)
        object.__setattr__(
            self, "language", composed(self.language)
        )  # as corpora and banks have it
        if self.rank is not None and self.rank < 1:
            raise InputError(f"rank: found {self.rank}, wanted 1 or more")
