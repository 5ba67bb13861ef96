"""Force the text that is written: every variant of a benchmark writes the same tokens, so as many."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from spt_whisper.whisper.loading import FrozenWhisper

FIRST_WORD = 1000  # below stand single letters and the commonest word parts


def some_text(whisper: FrozenWhisper, length: int) -> list[int]:
    """Returns so many different tokens that Whisper may write: no guard takes them for a loop."""
    never = set(whisper.model.generation_config.suppress_tokens or [])
    return [token for token in range(FIRST_WORD, whisper.tokens.end) if token not in never][:length]


@contextmanager
def forced_text(whisper: FrozenWhisper, text: Sequence[int]) -> Iterator[None]:
    """Inside the block each row writes the text and then its end: each token has one that is certain to follow.

    The decoder's last state becomes one whose most probable token that is. It does not matter who decodes, ours or
    transformers' `generate`, as long as it runs the model's own decoder.

    Args:
        whisper: the model that decodes.
        text: from `some_text`.
    """
    following = torch.full((whisper.config.vocab_size,), text[0], device=whisper.device)
    following[list(text)] = torch.tensor([*text[1:], whisper.tokens.end], device=whisper.device)
    certain = _certain_states(whisper)

    def write(
        decoder: nn.Module, args: tuple[Any, ...], named: dict[str, Any], output: Any
    ) -> None:
        hidden: Tensor = output.last_hidden_state  # (W, T, D)
        hidden[:, -1] = certain[following[named["input_ids"][:, -1]]]

    handle = whisper.model.model.decoder.register_forward_hook(write, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@functools.cache
@torch.inference_mode()
def _certain_states(whisper: FrozenWhisper) -> Tensor:
    """(V, D): for each token a last state from which it is far more probable than any other.

    It is the token's vector in the vocabulary's own metric (centered, by the inverse covariance): in that metric each
    vector is nearest to itself.
    """
    vectors = whisper.model.proj_out.weight.float()
    centered = vectors - vectors.mean(dim=0)
    covariance = centered.T @ centered / len(vectors)
    return torch.linalg.solve(covariance, centered.T).T.to(whisper.dtype)
