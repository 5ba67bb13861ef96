"""Force the text that is written: every variant of a benchmark writes the same tokens, so as many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from spt_whisper.whisper.loading import FrozenWhisper

FIRST_WORD = 1000  # below stand single letters and the commonest word parts
CERTAIN = 1e4  # far above any logit, and finite in float16


def some_text(whisper: FrozenWhisper, length: int) -> list[int]:
    """Returns so many different tokens that Whisper may write: no guard takes them for a loop."""
    never = set(whisper.model.generation_config.suppress_tokens or [])
    return [token for token in range(FIRST_WORD, whisper.tokens.end) if token not in never][:length]


@contextmanager
def forced_text(whisper: FrozenWhisper, text: Sequence[int]) -> Iterator[None]:
    """Inside the block each row writes the text and then its end: each token has one that is certain to follow.

    It does not matter who decodes, ours or transformers' `generate`, as long as it runs the model's own modules.

    Args:
        whisper: the model that decodes.
        text: different tokens.
    """
    following = torch.full((whisper.config.vocab_size,), text[0], device=whisper.device)
    following[list(text)] = torch.tensor([*text[1:], whisper.tokens.end], device=whisper.device)
    certain = following[:0]  # the token that follows, of each row of the present step

    def read(decoder: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        nonlocal certain
        certain = following[named["input_ids"][:, -1]]

    def write(output: nn.Module, args: tuple[Tensor], logits: Tensor) -> None:
        last = logits if logits.dim() == 2 else logits[:, -1]  # (W, V) or (W, T, V)
        last.scatter_(1, certain[:, None], CERTAIN)

    model = whisper.model
    handles = (
        model.model.decoder.register_forward_pre_hook(read, with_kwargs=True),
        model.proj_out.register_forward_hook(write),
    )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
