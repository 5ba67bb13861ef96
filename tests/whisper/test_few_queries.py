"""Attention of a few queries is PyTorch's own, by another way."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from spt_whisper.whisper.injection.few_queries import MOST_QUERIES, attend, is_few


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scaling", [None, 1.0])
@pytest.mark.parametrize("masked", [False, True])
def test_it_is_scaled_dot_product_attention(
    dtype: torch.dtype, scaling: float | None, masked: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(3, 2, 4, 8, generator=generator).to(dtype)
    key, value = torch.randn(2, 3, 2, 50, 8, generator=generator).to(dtype)
    mask = torch.arange(50) >= torch.tensor([0, 7, 20])[:, None] if masked else None
    mask = None if mask is None else mask[:, None, None]
    with torch.inference_mode():
        found = attend(query, key, value, mask, scaling)
        wanted = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=scaling
        )
    assert found.dtype == dtype
    tolerance = 1e-6 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=tolerance)


def test_it_is_for_a_few_queries_without_gradients_on_a_processor() -> None:
    few, many = torch.zeros(1, 1, 1, 8), torch.zeros(1, 1, MOST_QUERIES + 1, 8)
    assert not is_few(few)
    with torch.no_grad():
        assert is_few(few)
        assert not is_few(many)
        assert not is_few(few.to("meta"))
