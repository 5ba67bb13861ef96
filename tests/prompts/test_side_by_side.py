"""Slots side by side: what they add is the weighted mean of what each prompt adds, whatever its start and length."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spt_whisper.cli import main
from spt_whisper.errors import InputError
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.side_by_side import side_by_side
from spt_whisper.whisper.injection import prompted
from tests.tiny_model import tiny_whisper


def slots(name: str, seed: int, length: int = 3, **settings: object) -> Prompt:
    whisper = tiny_whisper()
    config = PromptConfig(length=length, **settings)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(seed)
    start = start_vectors(config, whisper.shape, generator)
    vectors = start.map(lambda tensor: tensor + torch.randn(tensor.shape, generator=generator))
    card = PromptCard(
        "tiny", whisper.fingerprint, whisper.shape, (name,), ("es",), (2.0,), training={"hours": 1.5, "utterances": 10},
    )  # fmt: skip
    return Prompt(config, vectors, card, name)


def added(prompt: Prompt) -> torch.Tensor:
    """What the encoder's first layer gives with the prompt on, less what it gives without."""
    whisper = tiny_whisper()
    layer = whisper.model.model.encoder.layers[0]
    outputs: list[torch.Tensor] = []
    handle = layer.register_forward_hook(lambda *call: outputs.append(call[2]))
    features = torch.randn(1, 80, 200, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whisper.encode(features)
        with prompted(whisper.model, prompt.vectors):
            whisper.encode(features)
    handle.remove()
    return outputs[1] - outputs[0]


def test_it_adds_the_weighted_mean_of_what_each_adds() -> None:
    first, second = slots("a", 1), slots("b", 2, length=5)
    joined = side_by_side([first, second], [3, 1])
    assert joined.config.length_at("feed_forward") == 8
    assert joined.parameter_count == first.parameter_count + second.parameter_count
    assert joined.card.training["weights"] == [0.75, 0.25]
    wanted = 0.75 * added(first) + 0.25 * added(second)
    assert wanted.abs().max() > 0.1
    torch.testing.assert_close(added(joined), wanted, atol=1e-4, rtol=1e-4)


def test_it_is_saved_by_the_command_and_names_its_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [
        str(slots(name, seed).save_pretrained(tmp_path / name)) for name, seed in (("a", 1), ("b", 2))
    ]  # fmt: skip
    call = ["prompt", "average", *folders, "--output", str(tmp_path / "joined")]
    assert main([*call, "--side_by_side", "true"]) == 0
    assert "weights [0.5, 0.5]" in capsys.readouterr().out
    card = Prompt.from_pretrained(tmp_path / "joined").card
    assert (card.method, card.languages) == ("side_by_side", ("a", "b"))
    assert card.training["sources"] == folders
    assert main(call) == 2  # of other starts
    assert "start" in capsys.readouterr().err


def test_slots_learned_through_a_network_are_plain_side_by_side() -> None:
    through_a_network = [slots(name, 1, parameterization="low_rank") for name in ("a", "b")]
    assert side_by_side(through_a_network).config.parameterization == "none"


def test_what_cannot_go_side_by_side_is_named() -> None:
    first = slots("a", 1)

    def with_card(**changed: object) -> Prompt:
        return replace(first, card=replace(first.card, **changed))  # type: ignore[arg-type]

    for other, said in (
        (slots("b", 2, site="attention"), "only feed_forward slots go side by side"),
        (slots("b", 2, site=["attention", "feed_forward"]), "has site attention, feed_forward"),
        (slots("b", 2, side="decoder"), "prompt.side is decoder, in a it is entire"),
        (with_card(language_tokens=("pl",)), "the language token is pl"),
        (with_card(fingerprint="e" * 64), "the base's fingerprint is eee"),
        (with_card(shape=replace(first.card.shape, width=64)), "the base's shape is"),
        (with_card(text={"lowercase": True}), "text is .*lowercase"),
    ):
        with pytest.raises(InputError, match=said):
            side_by_side([first, other])
    with pytest.raises(InputError, match="found 1 prompt"):
        side_by_side([first])
