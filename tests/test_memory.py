"""Memory that does not suffice is one line; other errors stay what they are."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from spt_whisper.errors import InputError
from spt_whisper.memory import naming_shortage


def test_memory_that_does_not_suffice_is_one_line() -> None:
    wanted = "decoding: out of memory .*; lower batch_size"
    shortage = partial(naming_shortage, "decoding", "lower batch_size")
    with pytest.raises(InputError, match=wanted) as raised, shortage():
        torch.empty(2**60)
    assert "\n" not in str(raised.value)
    with pytest.raises(RuntimeError, match="must match") as other, shortage():
        torch.ones(2) + torch.ones(3)
    assert not isinstance(other.value, InputError)
    with pytest.raises(NotImplementedError), shortage():
        raise NotImplementedError


@pytest.mark.parametrize(
    "told", ["CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED", "MPS backend out of memory"]
)  # fmt: skip
def test_a_gpu_that_is_full_is_named_whichever_library_asked(told: str) -> None:
    with pytest.raises(InputError, match="out of memory .*; lower"), naming_shortage("x", "lower"):
        raise RuntimeError(told)
