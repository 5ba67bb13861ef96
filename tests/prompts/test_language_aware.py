"""Shared vectors and small parts: identity at the start, the formulas, and who gets gradient."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spt_whisper.errors import InputError
from spt_whisper.prompts.config import (
    LEFT,
    RIGHT,
    LanguageAwareConfig,
    PromptConfig,
)
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.language_aware import (
    LanguageAwarePrompt,
    combine,
    start_part,
    widened,
)
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.prompts.places import LANGUAGE_VECTOR
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.prompts.vectors import PromptVectors

METHODS_PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "methods.md"
SHAPE = ModelShape(width=8, encoder_layers=2, decoder_layers=3)
CONFIGS = {
    "attention": PromptConfig(site="attention", length=4, start="normal"),
    "feed_forward": PromptConfig(site="feed_forward", length=4),
}


def shared_prompt(config: PromptConfig, seed: int = 0) -> SoftPrompt:
    generator = torch.Generator().manual_seed(seed)
    start = start_vectors(config, SHAPE, generator)
    random = start.map(lambda tensor: torch.randn(tensor.shape, generator=generator))
    return SoftPrompt(config, random)


def part(
    config: PromptConfig, aware: LanguageAwareConfig, seed: int = 1
) -> dict[str, torch.Tensor]:
    return start_part(config, aware, SHAPE, torch.Generator().manual_seed(seed))


def assert_same(found: PromptVectors, expected: PromptVectors) -> None:
    assert set(found.named_tensors()) == set(expected.named_tensors())
    for name, tensor in expected.named_tensors().items():
        assert torch.equal(found.named_tensors()[name], tensor), name


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("operation", ["hadamard", "add"])
def test_a_part_in_a_higher_rank_does_what_it_did_and_all_of_it_learns(
    kind: str, operation: str
) -> None:
    config = CONFIGS[kind]
    older = LanguageAwareConfig(combine=operation, rank=2)  # type: ignore[arg-type]
    newer = replace(older, rank=5)
    generator = torch.Generator().manual_seed(3)
    learned = {
        name: torch.randn(tensor.shape, generator=generator)
        for name, tensor in part(config, older).items()
    }
    wide = widened(learned, part(config, newer))
    assert {name: tuple(tensor.shape) for name, tensor in wide.items()} == newer.part_shapes(
        config, SHAPE
    )
    shared = shared_prompt(config)
    before = combine(shared(), learned, older).named_tensors()
    prompt = LanguageAwarePrompt(shared, newer, {"ky": wide})
    after = prompt(["ky"])
    for name, tensor in after.named_tensors().items():
        torch.testing.assert_close(tensor, before[name])
    torch.stack(
        [tensor.square().sum() for tensor in after.named_tensors().values()]
    ).sum().backward()
    left = [tensor for name, tensor in prompt.part("ky").items() if name.endswith(LEFT)]
    assert all((tensor.grad.abs() > 0).all() for tensor in left)


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("operation", ["hadamard", "add"])
def test_one_language_with_an_identity_part_is_the_plain_prompt(kind: str, operation: str) -> None:
    config = CONFIGS[kind]
    aware = LanguageAwareConfig(combine=operation, soft_token=False)  # type: ignore[arg-type]
    shared = shared_prompt(config)
    bank = LanguageAwarePrompt(shared, aware, {"ky": part(config, aware)})
    assert_same(bank(["ky", "ky"]), shared())


def test_concat_slots_start_as_no_slots() -> None:
    """[P; Q]: P as it is, and behind it slots whose values are 0."""
    config, aware = CONFIGS["feed_forward"], LanguageAwareConfig("concat", length=2)
    shared = shared_prompt(config)
    whole = LanguageAwarePrompt(shared, aware, {"ky": part(config, aware)})(["ky"])
    slots, own = whole.encoder.feed_forward, shared().encoder.feed_forward
    assert slots is not None
    assert own is not None
    assert torch.equal(slots.key[:, :, :4], own.key)
    assert slots.key.shape[2] == 6
    assert slots.value[:, :, 4:].count_nonzero() == 0


@pytest.mark.parametrize("operation", ["hadamard", "add"])
def test_each_layer_and_part_has_its_own_factors(operation: str) -> None:
    config = CONFIGS["feed_forward"]
    aware = LanguageAwareConfig(combine=operation, rank=3)  # type: ignore[arg-type]
    vectors = shared_prompt(config)()
    own = part(config, aware)
    name = "decoder.feed_forward.value"
    left, right = own[name + LEFT], own[name + RIGHT]
    assert left.shape == (3, 4, 3)  # layers of the decoder, N, r
    assert right.shape == (3, 3, 8)
    own[name + LEFT] = left = torch.randn(left.shape, generator=torch.Generator().manual_seed(5))
    whole = combine(vectors, own, aware)
    shared, found = (each.decoder.feed_forward.value[0] for each in (vectors, whole))  # type: ignore[union-attr]
    for layer in range(3):
        delta = left[layer] @ right[layer]
        expected = shared[layer] * (1 + delta) if operation == "hadamard" else shared[layer] + delta
        torch.testing.assert_close(found[layer], expected)
    assert torch.equal(whole.decoder.feed_forward.bias, vectors.decoder.feed_forward.bias)  # type: ignore[union-attr]
    assert torch.equal(whole.decoder.feed_forward.key, vectors.decoder.feed_forward.key)  # type: ignore[union-attr]


def test_a_new_part_starts_at_the_token_given_and_at_factors_of_the_width() -> None:
    wide = ModelShape(width=64, encoder_layers=2, decoder_layers=2)
    token = torch.randn(1, 1, 64)
    own = start_part(
        PromptConfig(), LanguageAwareConfig(), wide, torch.Generator().manual_seed(0), token
    )
    assert torch.equal(own[LANGUAGE_VECTOR], token)
    assert own["encoder.feed_forward.key" + LEFT].count_nonzero() == 0
    assert abs(float(own["encoder.feed_forward.key" + RIGHT].std()) - 1 / 8) < 0.02


def test_base_size_part_has_the_numbers_that_the_docs_name() -> None:
    base, config = ModelShape(512, 6, 6), PromptConfig(length=48)
    shapes = LanguageAwareConfig(rank=4).part_shapes(config, base)
    numbers = sum(math.prod(sizes) for sizes in shapes.values())
    assert numbers == 2 * 12 * 4 * (48 + 512) + 512
    assert f"has {numbers:,} parameters, {4 * numbers // 1000} KB" in METHODS_PAGE.read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("operation", ["hadamard", "add", "concat"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_new_part_learns_and_nothing_older_gets_gradient(kind: str, operation: str) -> None:
    config = CONFIGS[kind]
    aware = LanguageAwareConfig(combine=operation)  # type: ignore[arg-type]
    shared = shared_prompt(config).requires_grad_(False)
    bank = LanguageAwarePrompt(shared, aware, {"sah": part(config, aware)})
    sum(t.square().sum() for t in bank(["sah"]).named_tensors().values()).backward()  # type: ignore[union-attr]
    assert all(parameter.grad is None for parameter in bank.shared.parameters())
    grown = [name for name, p in bank.parts.named_parameters() if p.grad is not None]
    assert len(grown) == len(list(bank.parts.parameters()))


def test_rows_of_two_languages_get_their_own_vectors_and_both_feed_the_shared_ones() -> None:
    config, aware = CONFIGS["feed_forward"], LanguageAwareConfig()
    parts = {code: part(config, aware, seed) for seed, code in enumerate(("to", "rm.sursilv"))}
    for own in parts.values():
        generator = torch.Generator().manual_seed(9)
        for name in own:
            if name.endswith(LEFT):
                own[name].normal_(generator=generator)
    bank = LanguageAwarePrompt(shared_prompt(config), aware, parts)
    mixed = bank(["to", "rm.sursilv", "to"])
    assert mixed.rows == 3
    for row, code in enumerate(("to", "rm.sursilv", "to")):
        alone = bank([code]).named_tensors()
        for name, tensor in mixed.named_tensors().items():
            assert torch.equal(tensor[row], alone[name][0])
    sum(t.sum() for t in mixed.named_tensors().values()).backward()  # type: ignore[union-attr]
    assert all(p.grad is not None for p in bank.parameters())


def test_the_combined_configuration_has_the_combined_shapes() -> None:
    for operation in ("add", "hadamard", "concat"):
        for config in CONFIGS.values():
            aware = LanguageAwareConfig(combine=operation, length=3)  # type: ignore[arg-type]
            whole = combine(shared_prompt(config)(), part(config, aware), aware)
            expected = aware.combined_config(config).tensor_shapes(SHAPE)
            found = {name: tuple(t.shape[1:]) for name, t in whole.named_tensors().items()}
            assert found == expected
            assert LANGUAGE_VECTOR in found


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError, match="lapt: wanted rank"):
        LanguageAwareConfig(rank=0)
    with pytest.raises(InputError, match="leave language out"):
        LanguageAwareConfig().check(PromptConfig(site=["attention", "language"]))
    with pytest.raises(InputError, match="concat cannot lengthen a decoder input prompt"):
        LanguageAwareConfig(combine="concat").check(PromptConfig(site="input", length=3))
    with pytest.raises(InputError, match="a language token is the decoder's"):
        LanguageAwareConfig().check(PromptConfig(side="encoder", site="attention"))
    with pytest.raises(InputError, match=r"prompt\.length: found 1026 at attention"):
        LanguageAwareConfig(combine="concat").check(PromptConfig(site="attention", length=1022))
