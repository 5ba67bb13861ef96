"""Vectors in place of decoder tokens: the N placeholders of an input prompt, and the language tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from spt_whisper.prompts.places import Prefix
from spt_whisper.prompts.vectors import SideVectors
from spt_whisper.whisper.injection.rows import check_rows, expand

# (B, T) tokens, the first <|startoftranscript|> of each row (B,), vectors wanted (B,) -> the place in front of them
FindAnchor = Callable[[Tensor, Tensor, Tensor], Tensor]


def decoder_input_hooks(model: Any, side: str, given: SideVectors) -> list[RemovableHandle]:
    """Writes each row's prompt over the placeholders after <|startofprev|>."""
    if given.input is None:
        return []
    previous = model.generation_config.prev_sot_token_id

    def after_previous(tokens: Tensor, first_start: Tensor, wanted: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)[None]
        anchor = torch.where(tokens == previous, places, -1).amax(dim=1)
        if bool(((wanted > 0) & ((anchor < 0) | (anchor + wanted >= first_start))).any()):
            raise RuntimeError(
                "prompts: a row with a decoder input prompt has no <|startofprev|> with that many placeholders "
                "after it, so the prompt would be left out; build the tokens with Tokens.start"
            )
        return anchor

    return _writers(model, given.input, after_previous)


def language_hooks(model: Any, side: str, given: SideVectors) -> list[RemovableHandle]:
    """Writes each row's soft language tokens over those between <|startoftranscript|> and <|transcribe|>."""
    if given.language is None:
        return []
    transcribe = model.generation_config.transcribe_token_id

    def at_start(tokens: Tensor, first_start: Tensor, wanted: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)[None]
        task = torch.where(tokens == transcribe, places, tokens.shape[1]).amin(dim=1)
        found = task - first_start - 1
        if bool(((wanted > 0) & (found != wanted)).any()):
            raise RuntimeError(
                f"prompts: rows with {wanted.tolist()} soft language tokens have {found.tolist()} language tokens "
                "after <|startoftranscript|>; build the tokens with Tokens.start"
            )
        return first_start

    return _writers(model, given.language, at_start)


def _writers(model: Any, prefix: Prefix, find_anchor: FindAnchor) -> list[RemovableHandle]:
    """The hook that writes vectors behind an anchor, wherever first tokens are embedded."""
    start = model.config.decoder_start_token_id
    vectors = prefix.vector[:, 0]  # (R, N, D)
    full = torch.full((vectors.shape[0],), vectors.shape[1], device=vectors.device)
    counts = full if prefix.mask is None else prefix.mask.sum(dim=1)  # (R,)

    def write(embedding: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor:
        tokens = args[0]  # (B, T)
        if not bool((tokens == start).any()):
            return output  # a cached step: the vectors are in the cache
        check_rows(tokens, vectors)
        vector, wanted = expand(vectors, tokens.shape[0]), expand(counts, tokens.shape[0])
        places = torch.arange(tokens.shape[1], device=tokens.device)[None]
        first_start = torch.where(tokens == start, places, tokens.shape[1]).amin(dim=1)
        anchor = find_anchor(tokens, first_start, wanted)[:, None]
        offset = places - anchor - 1  # (B, T): the index into the vectors
        written = (offset >= 0) & (offset < wanted[:, None]) & (anchor >= 0)
        index = offset.clamp(0, vector.shape[1] - 1)[..., None].expand(-1, -1, vector.shape[2])
        return torch.where(written[..., None], vector.gather(1, index).to(output.dtype), output)

    return [model.model.decoder.embed_tokens.register_forward_hook(write)]
