"""Encoder input prompts: in front of the frame states, cut off again before the final norm."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from spt_whisper.prompts.vectors import SideVectors
from spt_whisper.whisper.injection.rows import check_rows, expand


def encoder_input_hooks(model: Any, side: str, given: SideVectors) -> list[RemovableHandle]:
    """Attaches P in front of the frame states, after convolutions and positions."""
    if given.input is None:
        return []
    encoder, prefix = model.model.encoder, given.input
    length, mask = prefix.vector.shape[2], prefix.mask

    def put_in_front(layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = args[0]  # (B, frames, D)
        check_rows(hidden, prefix.vector)
        vector = expand(prefix.vector[:, 0], hidden.shape[0]).to(hidden.dtype)
        return (torch.cat([vector, hidden], dim=1), *args[1:])

    def cut_off(norm: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        return (args[0][:, length:],)

    def mask_short_rows(layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = args[0]
        assert mask is not None
        allowed = functional.pad(
            expand(mask, hidden.shape[0]), (0, hidden.shape[1] - length), value=True
        )
        return (hidden, allowed[:, None, None], *args[2:])

    handles = [
        encoder.layers[0].register_forward_pre_hook(put_in_front),
        encoder.layer_norm.register_forward_pre_hook(cut_off),
    ]
    if mask is not None and not bool(mask.all()):
        handles += [layer.register_forward_pre_hook(mask_short_rows) for layer in encoder.layers]
    return handles
