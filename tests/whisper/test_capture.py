"""Starts that Whisper has met: what is captured is what the layers saw."""

from __future__ import annotations

import pytest
import torch

from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.whisper.capture import Turn, capture_start, layer_inputs
from spt_whisper.whisper.injection import prompted
from tests.tiny_model import tiny_whisper

FEATURES = torch.randn(2, 80, 200, generator=torch.Generator().manual_seed(0))


def test_vectors_are_layer_inputs_of_real_positions() -> None:
    whisper = tiny_whisper()
    end = whisper.tokens.end
    tokens = torch.tensor(
        [[*whisper.tokens.start(["es"]), 5, 6], [*whisper.tokens.start(["es"]), end, end]]
    )
    config = PromptConfig(site=["input", "attention", "feed_forward"], length=4)
    captured = capture_start(whisper, config, FEATURES, tokens)
    assert sorted(captured) == [
        f"{side}.{site}.vector"
        for side in ("decoder", "encoder")
        for site in ("attention", "input")
    ]
    assert captured["encoder.attention.vector"].shape == (2, 4, 32)
    assert captured["encoder.input.vector"].shape == (1, 4, 32)
    # the first and the last of the text positions: <|startoftranscript|> of one row, <|notimestamps|> of the other
    embedded = whisper.model.model.decoder.embed_tokens(tokens)
    assert torch.equal(captured["decoder.input.vector"][0, 0], embedded[0, 0])
    assert torch.equal(captured["decoder.input.vector"][0, -1], embedded[1, 3])
    positions = whisper.model.model.decoder.embed_positions.weight
    torch.testing.assert_close(
        captured["decoder.attention.vector"][0, 0], embedded[0, 0] + positions[0]
    )


def test_feed_forward_slots_capture_nothing() -> None:
    whisper = tiny_whisper()
    tokens = torch.tensor([whisper.tokens.start(["es"])] * 2)
    assert capture_start(whisper, PromptConfig(), FEATURES, tokens) == {}


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_a_captured_deep_start_disturbs_whisper_less_than_a_large_random_one(side: str) -> None:
    whisper = tiny_whisper()
    tokens = torch.tensor([[*whisper.tokens.start(["es"]), 5, 6, 7]] * 2)

    @torch.no_grad()
    def shift(start: str, deviation: float) -> float:
        config = PromptConfig(
            side=side, site="attention", length=8, start=start, start_deviation=deviation
        )
        captured = capture_start(whisper, config, FEATURES, tokens) if start == "capture" else None
        vectors = start_vectors(config, whisper.shape, torch.Generator().manual_seed(0), captured)
        plain = whisper.model(
            encoder_outputs=(whisper.encode(FEATURES),), decoder_input_ids=tokens
        ).logits
        with prompted(whisper.model, vectors):
            other = whisper.model(
                encoder_outputs=(whisper.encode(FEATURES),), decoder_input_ids=tokens
            ).logits
        return float((plain - other).norm() / plain.norm())

    assert 0 < shift("capture", 0.0) < shift("normal", 1.0)


def test_silence_behind_the_speech_is_not_captured() -> None:
    whisper = tiny_whisper()
    tokens = torch.tensor([[*whisper.tokens.start(["es"]), 5, 6]] * 2)
    config = PromptConfig(site=["attention", "cross"], length=8)
    spoken = torch.tensor([10, 20])  # of 100 states each
    captured = capture_start(whisper, config, FEATURES, tokens, spoken)
    states = whisper.encode(FEATURES)
    expected = torch.cat([states[0, :10], states[1, :20]])
    places = torch.linspace(0, 29, 8).round().long()
    torch.testing.assert_close(captured["decoder.cross.vector"][0], expected[places])
    torch.testing.assert_close(captured["decoder.cross.vector"][1], expected[places])


def test_what_is_captured_does_not_depend_on_how_many_utterances_run_at_once() -> None:
    whisper = tiny_whisper()
    features = torch.randn(6, 80, 200, generator=torch.Generator().manual_seed(1))
    tokens = torch.tensor([[*whisper.tokens.start(["es"]), row + 5] for row in range(6)])
    config = PromptConfig(site=["attention", "cross"], length=13)
    captured = capture_start(whisper, config, features, tokens)
    model = whisper.model.model
    with layer_inputs(model.encoder.layers) as heard, layer_inputs(model.decoder.layers) as read:
        states = whisper.encode(features)
        model.decoder(input_ids=tokens, encoder_hidden_states=states)
    for name, seen in {"encoder.attention": heard, "decoder.attention": read}.items():
        pool = torch.stack(seen).flatten(1, 2)
        places = torch.linspace(0, pool.shape[1] - 1, 13).round().long()
        torch.testing.assert_close(captured[f"{name}.vector"], pool[:, places])


@pytest.mark.parametrize("site", ["attention", "cross"])
def test_prompts_that_stand_side_by_side_start_from_places_of_their_own(site: str) -> None:
    """Twins would get the same gradient, and stay twins."""
    whisper = tiny_whisper()
    tokens = torch.tensor([[*whisper.tokens.start(["es"]), 5, 6, 7]] * 2)
    config = PromptConfig(side="decoder", site=site, length=3)
    first, second = (
        capture_start(whisper, config, FEATURES, tokens, None, Turn(number, 2))[
            f"decoder.{site}.vector"
        ]
        for number in range(2)
    )
    together = PromptConfig(side="decoder", site=site, length=6)
    all_six = capture_start(whisper, together, FEATURES, tokens)[f"decoder.{site}.vector"]
    assert torch.equal(first, all_six[:, ::2])
    assert torch.equal(second, all_six[:, 1::2])
