"""Vectors of a batch: rows of different lengths, and masks that go wherever their tensors go."""

from __future__ import annotations

import torch

from spt_whisper.prompts.vectors import PromptVectors, concatenate, stack


def prefix(length: int, value: float = 1.0) -> PromptVectors:
    """A prompt of one row in front of the encoder's attention: (1, 2, N, 4)."""
    return PromptVectors.from_named_tensors(
        {"encoder.attention.vector": torch.full((1, 2, length, 4), value)}
    )


def mask(vectors: PromptVectors) -> list[list[bool]]:
    assert vectors.encoder.attention is not None
    assert vectors.encoder.attention.mask is not None
    return vectors.encoder.attention.mask.tolist()


def test_the_mask_hides_what_short_rows_lack_and_goes_along() -> None:
    rows = stack([prefix(1), prefix(3), None])
    wanted = [[True, False, False], [True, True, True], [False, False, False]]
    assert mask(rows) == wanted
    assert mask(rows.map(lambda tensor: 2 * tensor)) == wanted
    assert mask(rows.select_rows([2, 0])) == [wanted[2], wanted[0]]
    moved = rows.to("meta").encoder.attention
    assert moved is not None
    assert moved.mask is not None
    assert moved.vector.device == moved.mask.device == torch.device("meta")


def test_rows_are_filled_up_with_zeros() -> None:
    (tensor,) = stack([prefix(1), prefix(3)]).named_tensors().values()
    assert tensor[0, :, 1:].count_nonzero() == 0
    assert tensor.count_nonzero() == 4 * 2 * 4


def test_rows_that_share_a_prompt_are_one_row() -> None:
    same, like = prefix(2), prefix(2)
    assert stack([same, same]) is same
    assert stack([same, like]).rows == 2
    assert stack([None, None]).rows == 0


def test_prompts_stand_in_their_order() -> None:
    (tensor,) = concatenate([prefix(1, 5.0), prefix(2, 7.0)]).named_tensors().values()
    assert tensor[0, 0, :, 0].tolist() == [5.0, 7.0, 7.0]


def test_numbers_of_all_rows_count() -> None:
    assert prefix(3).parameter_count == 24
    assert stack([prefix(3), prefix(3)]).parameter_count == 48
