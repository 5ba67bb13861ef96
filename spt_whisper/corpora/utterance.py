"""One utterance of a corpus: where its audio is, what was said, by whom, in which languages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Utterance:
    """What every corpus reader returns, and all that training and scoring know of a corpus."""

    id: str  # unique in its split
    audio: Path
    text: str  # as written in the corpus, not normalized
    languages: tuple[str, ...]  # the corpus's own codes, the main one first; () where it has none
    duration: float | None = None  # seconds; None: the corpus does not say
    start: float | None = None  # seconds into `audio`; None: from its beginning
    end: float | None = None  # seconds into `audio`; None: to its end
    speaker: str | None = None
    word_languages: tuple[str, ...] | None = None  # one code a word, as the corpus splits words
