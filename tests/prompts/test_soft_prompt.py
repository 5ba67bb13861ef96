"""Exactly a prompt's own numbers train, and folding changes nothing."""

from __future__ import annotations

import pytest
import torch

from spt_whisper.errors import InputError
from spt_whisper.prompts.config import ModelShape, PromptConfig
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.soft_prompt import SoftPrompt

SHAPE = ModelShape(width=8, encoder_layers=2, decoder_layers=3)


def soft_prompt(config: PromptConfig, seed: int = 0) -> SoftPrompt:
    generator = torch.Generator().manual_seed(seed)
    return SoftPrompt(config, start_vectors(config, SHAPE, generator), generator)


@pytest.mark.parametrize(
    ("config", "names", "numbers"),
    [
        (PromptConfig(side="decoder", site="input", length=4), ["decoder.input.vector"], 4 * 8),
        (
            PromptConfig(side="entire", site="attention", length=4),
            ["encoder.attention.vector", "decoder.attention.vector"],
            (2 + 3) * 4 * 8,
        ),
        (
            PromptConfig(side="encoder", site="feed_forward", length=4),
            ["encoder.feed_forward.key", "encoder.feed_forward.bias", "encoder.feed_forward.value"],
            2 * 4 * (8 + 1 + 8),
        ),
        (
            PromptConfig(
                side="decoder",
                site=["attention", "feed_forward"],
                length={"attention": 2, "feed_forward": 5},
            ),
            [
                "decoder.attention.vector",
                "decoder.feed_forward.key",
                "decoder.feed_forward.bias",
                "decoder.feed_forward.value",
            ],
            3 * 2 * 8 + 3 * 5 * 17,
        ),
    ],
)
def test_parameters_are_the_vectors_and_nothing_else(
    config: PromptConfig, names: list[str], numbers: int
) -> None:
    prompt = soft_prompt(config)
    assert list(prompt.fold().named_tensors()) == names
    assert sorted(prompt.state_dict()) == sorted(f"vectors.{name}" for name in names)
    assert prompt.trained_numbers == prompt.stored_numbers == numbers


def test_base_size_decoder_slots_have_the_numbers_of_the_design() -> None:
    base = ModelShape(512, 6, 6)
    config = PromptConfig(side="decoder", site="feed_forward", length=64)
    prompt = SoftPrompt(config, start_vectors(config, base, torch.Generator()))
    assert prompt.trained_numbers == 393_600


def test_residual_mlp_starts_as_the_identity_and_folds_away() -> None:
    config = PromptConfig(
        side="entire",
        site=["input", "attention"],
        length=4,
        parameterization="residual_mlp",
        bottleneck=6,
    )
    prompt = soft_prompt(config)
    plain = soft_prompt(PromptConfig(side="entire", site=["input", "attention"], length=4))
    for name, tensor in plain.fold().named_tensors().items():
        assert torch.equal(prompt.fold().named_tensors()[name], tensor)
    with torch.no_grad():
        for parameter in prompt.networks.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(1))
    folded, live = prompt.fold().named_tensors(), prompt().named_tensors()
    assert prompt.stored_numbers < prompt.trained_numbers
    for name, tensor in folded.items():
        assert torch.equal(tensor, live[name].detach())
        assert not torch.equal(tensor, plain.fold().named_tensors()[name])


def test_residual_mlp_is_the_formula_of_the_paper() -> None:
    config = PromptConfig(
        side="decoder", site="attention", length=4, parameterization="residual_mlp", bottleneck=6
    )
    prompt = soft_prompt(config)
    network = prompt.networks["decoder_attention"]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(2))
    x = prompt.vectors["decoder"]["attention"]["vector"][1]
    hidden = (
        torch.relu(x @ network.down[1] + network.down_bias[1]) @ network.up[1] + network.up_bias[1]
    )
    expected = x + torch.nn.functional.layer_norm(
        hidden, (8,), network.norm_weight[1, 0], network.norm_bias[1, 0]
    )
    torch.testing.assert_close(prompt().decoder.attention.vector[0, 1], expected)  # type: ignore[union-attr]


def test_captured_vectors_are_the_start() -> None:
    config = PromptConfig(side="decoder", site=["attention", "feed_forward"], length=2)
    captured = {"decoder.attention.vector": torch.arange(48.0).view(3, 2, 8)}
    start = start_vectors(config, SHAPE, torch.Generator(), captured).named_tensors()
    assert torch.equal(start["decoder.attention.vector"][0], captured["decoder.attention.vector"])
    assert start["decoder.feed_forward.value"].count_nonzero() == 0
    assert 0.01 < start["decoder.feed_forward.key"].std() < 0.03


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"site": "output"}, "prompt.site: found 'output'"),
        ({"site": []}, "prompt.site"),
        ({"site": ["input", "input"]}, "prompt.site"),
        ({"side": "both"}, "prompt.side: found 'both'"),
        ({"length": 0}, "prompt.length: found 0"),
        ({"length": {"input": 4}}, "wanted exactly the sites"),
        ({"parameterization": "residual_mlp"}, "residual_mlp needs a site"),
    ],
)
def test_wrong_settings_are_refused_in_the_users_words(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        PromptConfig(**settings)  # type: ignore[arg-type]
