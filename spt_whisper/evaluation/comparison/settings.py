"""Settings of a comparison: one declaration for flags, help and code."""

from __future__ import annotations

from dataclasses import dataclass, field

from spt_whisper.errors import InputError
from spt_whisper.whisper.options import DecodingOptions, single_pass


@dataclass(frozen=True)
class Scoring:
    """How every run is scored; another scoring is another run."""

    normalizer: str = "basic"
    """Text normalizer before scoring: raw, basic, english, code_switching, or steps with commas between."""
    decoding: DecodingOptions = field(default_factory=single_pass)
    dev_limit: int = 40
    """Number of dev utterances used to choose bare Whisper's language token and window."""


@dataclass(frozen=True)
class CompareConfig:
    """What is done with the recipes, and where it is kept."""

    store: str = "runs/compare"
    """Folder for a JSON of each finished run, the table and the picture."""
    seeds: int = 3
    """Number of seeds for each recipe: 0, 1, 2, ...; zero-shot takes only the first."""
    fit_again: bool = False
    """Whether runs that are already in the store are fitted and scored again."""
    scoring: Scoring = field(default_factory=Scoring)

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"seeds: found {self.seeds}, wanted 1 or more")
