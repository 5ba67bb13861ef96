"""Force the text that is written: every variant of a benchmark writes the same tokens, so as many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from spt_whisper.whisper.loading import FrozenWhisper

FIRST_WORD = 1000  # below stand single letters and the commonest word parts
CERTAIN = 100.0  # factor that makes a token's logit stand far above the others, and stay finite


def some_text(whisper: FrozenWhisper, length: int) -> list[int]:
    """Returns so many different tokens that Whisper may write (no guard takes them for a loop) and that can be forced."""
    never = set(whisper.model.generation_config.suppress_tokens or [])
    vectors = whisper.model.proj_out.weight
    candidates = (token for token in range(FIRST_WORD, whisper.tokens.end) if token not in never)
    found = (t for t in candidates if int((vectors @ vectors[t]).argmax()) == t)
    return [token for token, _ in zip(found, range(length), strict=False)]


@contextmanager
def forced_text(whisper: FrozenWhisper, text: Sequence[int]) -> Iterator[None]:
    """Inside the block each row writes the text and then its end: each token has one that is certain to follow.

    The decoder's last state is that token's own vector. It does not matter who decodes, ours or transformers'
    `generate`, as long as it runs the model's own decoder.

    Args:
        whisper: the model that decodes.
        text: from `some_text`.
    """
    following = torch.full((whisper.config.vocab_size,), text[0], device=whisper.device)
    following[list(text)] = torch.tensor([*text[1:], whisper.tokens.end], device=whisper.device)
    vectors = CERTAIN * whisper.model.proj_out.weight

    def write(
        decoder: nn.Module, args: tuple[Any, ...], named: dict[str, Any], output: Any
    ) -> None:
        hidden: Tensor = output.last_hidden_state  # (W, T, D)
        hidden[:, -1] = vectors[following[named["input_ids"][:, -1]]]

    handle = whisper.model.model.decoder.register_forward_hook(write, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
