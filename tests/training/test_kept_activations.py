"""What autograd keeps of a step: nothing below the first prompt, with `recompute` no layer's inside, no gradient of Whisper's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.training.batch import Batch, ExampleBuilder, collate
from spt_whisper.training.data_module import ExampleSet
from spt_whisper.training.encoder_states import encode_once
from spt_whisper.training.epoch_batches import Draw
from spt_whisper.training.methods.soft_prompt import PromptLearner
from spt_whisper.training.prompt_tuner import PromptTuner
from spt_whisper.training.recipe import OptimizerConfig
from spt_whisper.whisper.injection import attachment_of
from spt_whisper.whisper.loading import FrozenWhisper
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_whisper

Side = Literal["encoder", "decoder", "entire"]


def tuner(whisper: FrozenWhisper, config: PromptConfig, recompute: bool = False) -> PromptTuner:
    generator = torch.Generator().manual_seed(0)
    start = start_vectors(config, whisper.shape, generator).map(
        lambda tensor: torch.randn(tensor.shape, generator=generator)
    )
    learner = PromptLearner(SoftPrompt(config, start))
    return PromptTuner(whisper, learner, OptimizerConfig(), recompute=recompute)


def batch(whisper: FrozenWhisper, corpus: Path, keep_states: bool, placeholders: int = 0) -> Batch:
    utterances = read_split(CorpusConfig(str(corpus)), "train")
    builder = ExampleBuilder(whisper.tokens, {"qug": ("es",)}, placeholders, (2.0,))
    examples = builder.examples(utterances, [u.text for u in utterances], "train")
    states = encode_once(whisper, examples, gigabytes=1.0) if keep_states else {}
    data = ExampleSet(examples, builder, states)
    return collate([data[Draw(0, index)] for index in range(4)], whisper.tokens.end)


def kept_by_module(tuned: PromptTuner, step: Batch) -> dict[str, int]:
    """Bytes that autograd keeps while each part of Whisper runs, by the name of the innermost part."""
    running = ["prompt"]
    kept: dict[str, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[running[-1]] = kept.get(running[-1], 0) + tensor.nbytes
        return tensor

    handles = []
    for name, module in tuned.model.model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda *_, name=name: running.append(name)))
        handles.append(module.register_forward_hook(lambda *_: running.pop() and None))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        tuned._sums(step).loss.backward()
    for handle in handles:
        handle.remove()
    return kept


@pytest.mark.parametrize("keep_states", [True, False])
@pytest.mark.parametrize("side", ["decoder", "entire"])
def test_nothing_is_kept_below_the_first_prompt(
    side: Side, keep_states: bool, tmp_path: Path
) -> None:
    whisper = tiny_whisper()
    tuned = tuner(whisper, PromptConfig(side=side, length=3))
    on_encoder = side == "entire"
    step = batch(whisper, write_corpus(tmp_path / "corpus"), keep_states and not on_encoder)
    kept = kept_by_module(tuned, step)
    first = "encoder" if on_encoder else "decoder"
    below: Any = ("conv", "embed", "layers.0.self_attn", "layers.0.encoder_attn")
    names = {name for name in kept if name.startswith(tuple(f"{first}.{part}" for part in below))}
    assert not names
    assert kept[f"{first}.layers.1.self_attn.q_proj"] > 0  # above it something must be
    if not on_encoder:
        assert not {name for name in kept if name.startswith("encoder")}
    assert all(parameter.grad is None for parameter in whisper.model.parameters())


@pytest.mark.parametrize("gate", [False, True])
def test_layers_that_are_run_again_give_the_same_gradient(gate: bool, tmp_path: Path) -> None:
    sites = ["input", "attention", "cross", "feed_forward"]
    config = PromptConfig(site=sites, length=3, start="normal", gate=gate)
    whisper = tiny_whisper()
    step = batch(whisper, write_corpus(tmp_path / "corpus"), False, config.decoder_positions)
    plain, again = (tuner(whisper, config, recompute) for recompute in (False, True))
    kept, less = kept_by_module(plain, step), kept_by_module(again, step)
    within = re.compile(r"layers\.\d+\.")
    assert {name for name in kept if within.search(name)}
    assert not {name for name in less if within.search(name)}
    sums = [sum(n for name, n in each.items() if "layers" in name) for each in (kept, less)]
    assert sums[1] < sums[0] / 5
    gradients = [[p.grad for p in tuned.learner.parameters()] for tuned in (plain, again)]
    for one, other in zip(*gradients, strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)
    assert "forward" not in vars(whisper.model.model.encoder.layers[0])
    assert attachment_of(whisper.model) is None
