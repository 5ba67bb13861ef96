"""The exported decoder graph behind the searches: keys and values go in and come out at each step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spt_whisper.whisper.decoding import CachedDecoder
from spt_whisper.whisper.onnx import OnnxWhisper, cache_names

_CPU = torch.device("cpu")


class OnnxDecoder(CachedDecoder):
    """R rows on onnxruntime. What the encoder graph gave for self-attention is what stands in front of the first token."""

    def __init__(
        self, whisper: OnnxWhisper, cache: Sequence[Tensor], starts: Sequence[Sequence[int]]
    ) -> None:
        """Takes the first tokens; nothing is run yet.

        Args:
            whisper: the model.
            cache: the encoder graph's keys and values, (R, H, N or S, d) each, in the order of `cache_names`.
            starts: first tokens of each row, from `Tokens.start`.
        """
        super().__init__(whisper.tokens, starts, _CPU)
        self._graph = whisper.decoder
        names = cache_names(len(cache) // 4)
        given = dict(zip(names, cache, strict=True))
        self._own = {name: own for name, own in given.items() if name.startswith("self")}  # W texts
        self._cross = {name: own for name, own in given.items() if name not in self._own}  # R rows
        self._in_front = cache[0].shape[2]  # N

    def _run(self, tokens: Tensor, positions: Tensor, mask: Tensor | None, read: Tensor) -> Tensor:
        rows, (texts, length) = len(next(iter(self._cross.values()))), tokens.shape
        before = next(iter(self._own.values())).shape[2]
        allowed = torch.ones(texts, before + length, dtype=torch.bool)
        if mask is not None:
            allowed[:, self._in_front :] = mask
        given = {
            "tokens": tokens, "positions": positions.expand(texts, -1), "mask": allowed, "read": read, **self._own,
        }  # fmt: skip
        feeds = {name: own.unflatten(0, (rows, -1)).numpy() for name, own in given.items()}
        feeds |= {name: own.numpy() for name, own in self._cross.items()}
        logits, *new = (torch.from_numpy(found).flatten(0, 1) for found in self._graph.run(None, feeds))  # fmt: skip
        self._own = dict(zip(self._own, new, strict=True))
        return logits

    def _repeat(self, candidates: int) -> None:
        self._own = {
            name: own.repeat_interleave(candidates, dim=0) for name, own in self._own.items()
        }

    def _select_texts(self, texts: Tensor) -> None:
        self._own = {name: own[texts] for name, own in self._own.items()}

    def _select_rows(self, rows: Tensor) -> None:
        self._cross = {name: own[rows] for name, own in self._cross.items()}
