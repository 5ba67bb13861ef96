"""Which of PyTorch's attention kernels run on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def without_cudnn_attention() -> Iterator[None]:
    """Inside the block PyTorch leaves attention to its other fused kernels; elsewhere than on a GPU nothing changes.

    On H100, H200 and B200 PyTorch 2.11 takes cuDNN's kernel first, which builds a plan for every shape that it has not met: 0.44 s
    forward and 0.55 s backward on somebody's B200 (github.com/modelscope/FunASR/issues/3704; not measured here). Decoding has a new
    shape at every token, training at nearly every batch. On B200 it also writes wrong text with some models
    (github.com/pytorch/pytorch/issues/193893).
    """
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)
