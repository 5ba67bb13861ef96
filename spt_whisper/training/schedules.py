"""Learning-rate schedules: warm up, then fall to about 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR


def _one_cycle(
    optimizer: Optimizer, learning_rates: Sequence[float], warmup: float, steps: int
) -> LRScheduler:
    # OneCycleLR divides by the length of each phase: none may be empty
    total = max(steps, 4)
    share = min(max(warmup, 2 / total), 1 - 2 / total)
    return OneCycleLR(
        optimizer, max_lr=list(learning_rates), total_steps=total + 1, pct_start=share
    )


def _cosine(
    optimizer: Optimizer, learning_rates: Sequence[float], warmup: float, steps: int
) -> LRScheduler:
    rise = max(1, round(warmup * steps))

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, steps - rise))))

    return LambdaLR(optimizer, factor)


SCHEDULES: dict[str, Callable[[Optimizer, Sequence[float], float, int], LRScheduler]] = {
    "one_cycle": _one_cycle,
    "cosine": _cosine,
}
