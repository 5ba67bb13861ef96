"""Feed-forward slots: hooks that see x at fc1 and add the slots' output at fc2."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from spt_whisper.prompts.vectors import SideVectors
from spt_whisper.whisper.injection.rows import check_rows


def feed_forward_hooks(model: Any, side: str, given: SideVectors) -> list[RemovableHandle]:
    """Attaches the slots of one side."""
    slots, handles = given.feed_forward, []
    if slots is None:
        return []
    for index, layer in enumerate(getattr(model.model, side).layers):
        parts = (slots.key[:, index], slots.bias[:, index], slots.value[:, index])
        hook = _SlotHook(*parts, layer.activation_fn)
        handles.append(layer.fc1.register_forward_hook(hook.read))
        handles.append(layer.fc2.register_forward_hook(hook.add))
    return handles


class _SlotHook:
    """Sees x at fc1, adds the slots' output at fc2."""

    def __init__(self, key: Tensor, bias: Tensor, value: Tensor, activation: nn.Module) -> None:
        self.key, self.bias, self.value = key, bias, value  # (R, N, D), (R, N), (R, N, D)
        self.activation = activation
        self.pending: Tensor | None = None

    def read(self, module: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
        x = args[0]  # (B, T, D)
        key, bias, value = (part.to(x.dtype) for part in (self.key, self.bias, self.value))
        if key.shape[0] == 1:
            self.pending = self.activation(functional.linear(x, key[0], bias[0])) @ value[0]
            return
        check_rows(x, key)
        x_by_row = x.reshape(key.shape[0], -1, x.shape[-1])  # beams of a row stand side by side
        hidden = self.activation(torch.baddbmm(bias[:, None], x_by_row, key.transpose(1, 2)))
        self.pending = torch.bmm(hidden, value).view_as(x)

    def add(self, module: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor:
        added, self.pending = self.pending, None
        return output if added is None else output + added
