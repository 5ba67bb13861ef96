"""A corpus to score: what was said, and what a poor system makes of it."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass
class Said:
    id: str
    text: str
    speaker: str | None = None
    languages: tuple[str, ...] = ()
    duration: float | None = None
    word_languages: tuple[str, ...] | None = None


def corpus(number: int, speakers: int = 0) -> tuple[list[Said], list[str]]:
    """Utterances of one to nine words, a third of them wrong."""
    dice = random.Random(0)
    said, recognized = [], []
    for n in range(number):
        words = [dice.choice("abcdefgh") for _ in range(dice.randint(1, 9))]
        said.append(Said(str(n), " ".join(words), f"s{n % speakers}" if speakers else None))
        recognized.append(" ".join("x" if dice.random() < 1 / 3 else word for word in words))
    return said, recognized
