"""A decoder of texts whose probabilities are known, so that a search can be written out and compared."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import torch
from torch import Tensor

from spt_whisper.whisper.decoding import CachedDecoder
from spt_whisper.whisper.tokens import Tokens
from spt_whisper.whisper.vocabulary import Vocabulary
from tests.tiny_model import tiny_tokenizer

TOKENS = Tokens(tiny_tokenizer())
VOCABULARY = Vocabulary(TOKENS, len(TOKENS.tokenizer))
LETTERS = [token for letter in "abc" for token in TOKENS.encode(letter)]


def log_probabilities(
    row: str, text: tuple[int, ...], written: Sequence[int] = LETTERS
) -> dict[int, float]:
    """Of what follows a text in a row: the end, or one of the tokens that are written there."""
    dice = random.Random(f"{row} {text}")
    weights = [dice.uniform(-2.0, 2.0) for _ in range(len(written) + 1)]
    total = math.log(sum(map(math.exp, weights)))
    return dict(zip([*written, TOKENS.end], (weight - total for weight in weights), strict=True))


def log_probability(row: str, text: tuple[int, ...]) -> float:
    """Of a text and its end."""
    ended = (*text, TOKENS.end)
    return sum(log_probabilities(row, ended[:place])[token] for place, token in enumerate(ended))


class KnownDecoder(CachedDecoder):
    """Has these probabilities; it knows its texts only by what it has run and kept."""

    def __init__(self, rows: Sequence[str], written: Sequence[int] = LETTERS) -> None:
        super().__init__(TOKENS, [TOKENS.start(["es"])] * len(rows), torch.device("cpu"))
        self.rows, self.written = list(rows), written
        self.texts: list[tuple[int, ...]] = [()] * len(rows)

    def _run(self, tokens: Tensor, positions: Tensor, mask: Tensor | None, read: Tensor) -> Tensor:
        if tokens.shape[1] == 1:  # not the first tokens
            last = tokens[:, 0].tolist()
            self.texts = [(*text, token) for text, token in zip(self.texts, last, strict=True)]
        logits = torch.full((*read.shape, VOCABULARY.size), -torch.inf)
        for index, text in enumerate(self.texts):
            row = self.rows[index * len(self.rows) // len(self.texts)]
            known = log_probabilities(row, text, self.written)
            logits[index, :, list(known)] = torch.tensor(list(known.values()))
        return logits

    def _repeat(self, candidates: int) -> None:
        self.texts = [text for text in self.texts for _ in range(candidates)]

    def _select_texts(self, texts: Tensor) -> None:
        self.texts = [self.texts[index] for index in texts.tolist()]

    def _select_rows(self, rows: Tensor) -> None:
        self.rows = [self.rows[index] for index in rows.tolist()]
