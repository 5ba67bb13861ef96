"""Exactly a prompt's own numbers train, and folding changes nothing."""

from __future__ import annotations

import pytest
import torch

from spt_whisper.errors import InputError
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.prompts.soft_prompt import SoftPrompt

SHAPE = ModelShape(width=8, encoder_layers=2, decoder_layers=3)


def soft_prompt(config: PromptConfig, seed: int = 0) -> SoftPrompt:
    generator = torch.Generator().manual_seed(seed)
    return SoftPrompt(config, start_vectors(config, SHAPE, generator), generator)


def trained(prompt: SoftPrompt) -> int:
    return sum(p.numel() for p in prompt.parameters() if p.requires_grad)


def stored(prompt: SoftPrompt) -> int:
    return sum(tensor.numel() for tensor in prompt.fold().named_tensors().values())


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
            PromptConfig(side="entire", site=["cross", "language"], length=4),
            ["decoder.cross.vector", "decoder.language.vector"],
            3 * 4 * 8 + 8,
        ),
        (
            PromptConfig(side="decoder", site="attention", length=4, gate=True),
            ["decoder.attention_gated.vector", "decoder.attention_gated.gate"],
            3 * 4 * (8 + 1),
        ),
        (
            PromptConfig(side="decoder", site="cross", length=4, parameterization="key_value"),
            ["decoder.cross_pairs.key", "decoder.cross_pairs.value"],
            3 * 4 * (8 + 8),
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
    keys = [f"vectors.{name.replace('.', '/')}" for name in names]
    assert sorted(prompt.state_dict()) == sorted(keys)
    assert trained(prompt) == stored(prompt) == numbers


def test_base_size_decoder_slots_have_the_numbers_of_the_design() -> None:
    base = ModelShape(512, 6, 6)
    config = PromptConfig(side="decoder", site="feed_forward", length=64)
    prompt = SoftPrompt(config, start_vectors(config, base, torch.Generator()))
    assert trained(prompt) == 393_600


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
    assert stored(prompt) < trained(prompt)
    for name, tensor in folded.items():
        assert torch.equal(tensor, live[name].detach())
        assert not torch.equal(tensor, plain.fold().named_tensors()[name])


def test_residual_mlp_is_the_formula_of_the_paper() -> None:
    config = PromptConfig(
        side="decoder", site="attention", length=4, parameterization="residual_mlp", bottleneck=6
    )
    prompt = soft_prompt(config)
    network = prompt.networks["decoder/attention/vector"]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(2))
    x = prompt.vectors["decoder/attention/vector"][1]
    hidden = (
        torch.relu(x @ network.down[1] + network.down_bias[1]) @ network.up[1] + network.up_bias[1]
    )
    expected = x + torch.nn.functional.layer_norm(
        hidden, (8,), network.norm_weight[1, 0], network.norm_bias[1, 0]
    )
    torch.testing.assert_close(prompt().decoder.attention.vector[0, 1], expected)  # type: ignore[union-attr]


def test_low_rank_trains_the_factors_alone_and_folds_into_vectors() -> None:
    config = PromptConfig(
        side="decoder", site="feed_forward", length=4, parameterization="low_rank", rank=2
    )
    prompt, plain = soft_prompt(config), soft_prompt(PromptConfig(side="decoder", length=4))
    factors = 2 * 3 * 2 * (4 + 8)  # keys and values, layers, rank, N + D
    assert trained(prompt) == factors + 3 * 4  # the biases have no width to factor
    assert stored(prompt) == stored(plain)
    start = prompt.fold().named_tensors()
    for name, tensor in plain.fold().named_tensors().items():
        assert torch.equal(start[name], tensor)
    with torch.no_grad():
        prompt.networks["decoder/feed_forward/value"].left.fill_(1.0)
    network = prompt.networks["decoder/feed_forward/value"]
    expected = torch.ones(4, 2) @ network.right[1]
    torch.testing.assert_close(prompt().decoder.feed_forward.value[0, 1], expected)  # type: ignore[union-attr]


def test_low_rank_is_learned_with_all_digits_of_its_start() -> None:
    config = PromptConfig(
        side="decoder", site="feed_forward", length=4, parameterization="low_rank", rank=2
    )
    prompt = soft_prompt(config)
    with torch.autocast("cpu", torch.bfloat16):
        made = prompt().named_tensors()
    for name, tensor in prompt.fold().named_tensors().items():
        assert torch.equal(made[name], tensor)


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
        ({"parameterization": "key_value"}, "key_value needs a site attention or cross"),
        ({"gate": True}, "prompt.gate: needs a site attention or cross"),
        (
            {"site": "attention", "gate": True, "parameterization": "key_value"},
            "prompt.gate: needs",
        ),
        (
            {"side": "encoder", "site": "cross"},
            "the encoder has no site cross; wanted decoder or entire",
        ),
        ({"rank": 0}, "wanted rank and bottleneck of at least 1"),
    ],
)
def test_wrong_settings_are_refused_in_the_users_words(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        PromptConfig(**settings)  # type: ignore[arg-type]
