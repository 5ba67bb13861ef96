"""Whisper's decoder over a batch of windows, with keys and values kept from step to step, whoever runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from spt_whisper.whisper.padding import left_padded
from spt_whisper.whisper.tokens import Tokens


class CachedDecoder(ABC):
    """R rows of audio with C candidates each: W = R C texts that grow by a token a step.

    The candidates of a row stand side by side and share its encoder states: what is kept of cross-attention has R rows.
    """

    def __init__(
        self, tokens: Tokens, starts: Sequence[Sequence[int]], device: torch.device
    ) -> None:
        """Takes the first tokens; nothing is run yet.

        Args:
            tokens: Whisper's.
            starts: first tokens of each row, from `Tokens.start`.
            device: where logits are to be.
        """
        self.tokens, self.starts, self.device = tokens, starts, device
        self.candidates = 1
        self._mask: Tensor | None = None  # (W, T), False at what fills up short first tokens
        self._lengths = torch.tensor([len(start) for start in starts], device=device)

    def begin(self, candidates: int) -> tuple[Tensor, list[float]]:
        """Runs the first tokens.

        Returns:
            Logits of the next token, (R C, V), and each row's no-speech probability.
        """
        self.candidates = candidates
        tokens, mask = left_padded(self.starts, self.tokens.end, self.device)
        length = tokens.shape[1]
        places = torch.arange(length, device=self.device)[None]
        positions = (places - (length - self._lengths)[:, None]).clamp(min=0)
        at_start = [
            length - len(start) + start.index(self.tokens.start_of_transcript)
            for start in self.starts
        ]
        read = torch.tensor([[place, length - 1] for place in at_start], device=self.device)
        at_start_of_transcript, logits = self._run(tokens, positions, mask, read).unbind(dim=1)
        no_speech = at_start_of_transcript.softmax(dim=-1)[:, self.tokens.no_speech]
        if candidates > 1:
            self._repeat(candidates)
        self._lengths = self._lengths.repeat_interleave(candidates)
        self._mask = None if mask is None else mask.repeat_interleave(candidates, dim=0)
        return logits.repeat_interleave(candidates, dim=0), no_speech.tolist()

    def step(self, tokens: Tensor) -> Tensor:
        """Runs one more token of each text, (W,), and returns the logits of the next one, (W, V)."""
        if self._mask is not None:
            self._mask = torch.nn.functional.pad(self._mask, (0, 1), value=True)
        read = torch.zeros_like(tokens)[:, None]
        logits = self._run(tokens[:, None], self._lengths[:, None], self._mask, read)
        self._lengths += 1
        return logits[:, 0]

    def reorder(self, texts: Tensor) -> None:
        """Text i becomes a copy of text `texts[i]`, (W,), which is of the same row."""
        self._select_texts(texts)

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Only these rows of the present batch stay."""
        chosen = torch.tensor(rows, device=self.device)
        offsets = torch.arange(self.candidates, device=self.device)
        texts = (chosen[:, None] * self.candidates + offsets).flatten()
        self._lengths = self._lengths[texts]
        self._mask = None if self._mask is None else self._mask[texts]
        self._select_texts(texts)
        self._select_rows(chosen)

    @abstractmethod
    def _run(self, tokens: Tensor, positions: Tensor, mask: Tensor | None, read: Tensor) -> Tensor:
        """Runs tokens behind those that are kept, and keeps them.

        Args:
            tokens: (W, T).
            positions: of these, (W, T) or (1, T).
            mask: (W, T and all before), False at filling; None: there is none.
            read: places within T, (W, K), whose logits are wanted.

        Returns:
            (W, K, V), float32.
        """

    @abstractmethod
    def _repeat(self, candidates: int) -> None:
        """Each row's texts become so many."""

    @abstractmethod
    def _select_texts(self, texts: Tensor) -> None:
        """Only these texts stay, (W,), in this order."""

    @abstractmethod
    def _select_rows(self, rows: Tensor) -> None:
        """Only these rows' encoder states stay, (R,)."""
