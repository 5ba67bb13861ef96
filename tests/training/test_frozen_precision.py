"""Frozen weights in autocast's format give the same numbers to the bit, and are float32 again afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from spt_whisper.corpora import CorpusConfig
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.training.frozen_precision import narrowed
from spt_whisper.training.preparation import prepare
from spt_whisper.training.recipe import DataConfig, OptimizerConfig, Recipe
from spt_whisper.training.run import build_learner, train
from spt_whisper.whisper.loading import FrozenWhisper
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_whisper
from tests.training.test_kept_activations import batch, tuner

SITES = ["input", "attention", "cross", "feed_forward"]


def copied(whisper: FrozenWhisper) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in whisper.model.state_dict().items()}


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("gate", [False, True])
def test_loss_and_gradient_are_those_of_autocast_to_the_bit(
    gate: bool, precision: str, tmp_path: Path
) -> None:
    config = PromptConfig(site=SITES, length=3, start="normal", gate=gate)
    whisper = tiny_whisper()
    step = batch(whisper, write_corpus(tmp_path / "corpus"), False, config.decoder_positions)
    dtype = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}[precision]
    found = []
    for own in ("32-true", precision):
        tuned = tuner(whisper, config)
        with narrowed(whisper.model, own), torch.autocast("cpu", dtype):
            assert whisper.dtype == (torch.float32 if own == "32-true" else dtype)
            loss = tuned._sums(step).loss
            loss.backward()
        found.append([loss.detach(), *(p.grad for p in tuned.learner.parameters())])
    for one, other in zip(*found, strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)


def test_what_trains_and_what_is_no_product_stays() -> None:
    whisper = tiny_whisper()
    before, decoder = copied(whisper), whisper.model.model.decoder
    trained = decoder.layers[0].fc1.weight.requires_grad_(True)
    norms = [each for each in whisper.model.modules() if isinstance(each, nn.LayerNorm)]

    def run_that_ends() -> None:
        with narrowed(whisper.model, "bf16-mixed"):
            assert decoder.layers[0].fc1.weight is trained
            assert decoder.layers[1].fc1.weight.dtype == torch.bfloat16
            assert {norm.weight.dtype for norm in norms} == {torch.float32}
            assert decoder.embed_tokens.weight.dtype == torch.float32
            raise RuntimeError("the run ends")

    with pytest.raises(RuntimeError, match="ends"):
        run_that_ends()
    assert whisper.model.proj_out.weight is decoder.embed_tokens.weight  # tied as before
    assert all(torch.equal(tensor, before[name]) for name, tensor in copied(whisper).items())


@pytest.mark.parametrize("side", ["decoder", "entire"])
def test_a_run_leaves_whisper_as_it_was(side: str, tmp_path: Path) -> None:
    whisper = tiny_whisper()
    before = copied(whisper)
    recipe = Recipe(
        CorpusConfig(str(write_corpus(tmp_path / "corpus", train=2, dev=1))), output=str(tmp_path / "run"),
        window_seconds=2.0, languages=["es"], prompt=PromptConfig(side=side, length=2), data=DataConfig(batch_size=1),
        optimizer=OptimizerConfig(learning_rate=0.01),
        trainer={"max_epochs": 1, "enable_progress_bar": False, "precision": "bf16-mixed", "accelerator": "cpu"},
    )  # fmt: skip
    prepared = prepare(recipe, whisper)
    assert train(recipe, prepared, build_learner(recipe, prepared)).last_loss is not None
    after = whisper.model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert whisper.dtype == torch.float32
