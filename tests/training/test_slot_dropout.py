"""Slots that are left out of a step: which, how many, and when."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from spt_whisper.cli import main
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.folders import digest_tensors
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.prompts.vectors import Prefix, PromptVectors, SideVectors, Slots
from spt_whisper.training.methods.soft_prompt import PromptLearner
from spt_whisper.training.prompt_tuner import PromptTuner, _epochs
from spt_whisper.training.recipe import OptimizerConfig
from spt_whisper.training.slot_dropout import thin_out
from tests.tiny_corpus import fit_flags, write_corpus, write_home
from tests.tiny_model import tiny_whisper
from tests.training.test_kept_activations import batch

ROWS, LAYERS, LENGTH, WIDTH = 2, 3, 400, 4


def slots() -> Slots:
    shape = (ROWS, LAYERS, LENGTH)
    return Slots(torch.randn(*shape, WIDTH), torch.randn(shape), torch.ones(*shape, WIDTH))


def both_sides() -> PromptVectors:
    attention = Prefix(torch.randn(1, LAYERS, 5, WIDTH))
    return PromptVectors(
        SideVectors(feed_forward=slots()), SideVectors(feed_forward=slots(), attention=attention)
    )


def scales(vectors: PromptVectors) -> torch.Tensor:
    """What each slot's value was multiplied by: (sides, rows, layers, slots)."""
    given = [side.feed_forward for side in (vectors.encoder, vectors.decoder)]
    return torch.stack([side.value[..., 0] for side in given if side is not None])


def test_a_share_of_each_layers_slots_is_left_out_and_the_others_stand_in() -> None:
    vectors = both_sides()
    thin = thin_out(vectors, 0.25, seed=0, step=7)
    found = scales(thin)
    assert set(found.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    left_out = (found == 0).float().mean(-1)  # of each layer; 0.25 with a deviation of 0.022
    assert torch.all((left_out - 0.25).abs() < 0.1)
    assert not torch.equal(found[0, 0], found[1, 0])
    assert not torch.equal(found[0, 0, 0], found[0, 0, 1])
    assert torch.equal(found[:, 0], found[:, 1])  # all rows lack the same
    assert thin.decoder.attention is vectors.decoder.attention
    assert thin.encoder.feed_forward is not None
    assert vectors.encoder.feed_forward is not None
    assert torch.equal(thin.encoder.feed_forward.key, vectors.encoder.feed_forward.key)


def test_a_draw_belongs_to_its_seed_and_step() -> None:
    vectors = both_sides()
    first = scales(thin_out(vectors, 0.5, seed=0, step=1))
    torch.rand(3)  # whatever else is drawn
    assert torch.equal(scales(thin_out(vectors, 0.5, seed=0, step=1)), first)
    assert not torch.equal(scales(thin_out(vectors, 0.5, seed=0, step=2)), first)
    assert not torch.equal(scales(thin_out(vectors, 0.5, seed=1, step=1)), first)


def test_no_slots_no_change() -> None:
    vectors = PromptVectors(decoder=SideVectors(attention=Prefix(torch.ones(1, 1, 1, 1))))
    assert thin_out(vectors, 0.5, seed=0, step=0) == vectors


def test_slots_are_left_out_in_training_alone(tmp_path: Path) -> None:
    whisper = tiny_whisper()
    step = batch(whisper, write_corpus(tmp_path / "corpus"), keep_states=False)
    config = PromptConfig(side="entire", site="feed_forward", length=8)
    start = start_vectors(config, whisper.shape, torch.Generator()).map(torch.randn_like)
    learner = PromptLearner(SoftPrompt(config, start))
    plain, thinned = (
        PromptTuner(whisper, learner, OptimizerConfig(slot_dropout=share)) for share in (0.0, 0.5)
    )
    with torch.no_grad():
        assert thinned.train()._sums(step).entropy != plain.train()._sums(step).entropy
        assert thinned.eval()._sums(step).entropy == plain.eval()._sums(step).entropy


@pytest.mark.parametrize(("epochs", "own"), [(14, "0.0"), (15, "0.2")])
def test_whole_prompts_have_a_dropout_of_their_own_in_runs_of_many_epochs(
    epochs: int, own: str, tmp_path: Path
) -> None:
    home = write_home(tmp_path, train=2, dev=1, test=1)
    end = ["--trainer.max_epochs", str(epochs), "--data.workers", "0", "--corpus.dev", "null"]
    made = []
    for share in ("null", own, "0.3"):
        flags = fit_flags(home, tmp_path / share, *end, "--optimizer.slot_dropout", share)
        assert main(["fit", *flags]) == 0
        vectors = Prompt.from_pretrained(tmp_path / share / "prompt").vectors
        made.append(digest_tensors(vectors.named_tensors()))
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize(("batches", "together", "steps"), [(5, 16, 5), (5, 2, 15), (8, 1, 40)])
def test_a_run_has_as_many_epochs_however_many_batches_make_an_update(
    batches: int, together: int, steps: int
) -> None:
    trainer = SimpleNamespace(
        num_training_batches=batches, accumulate_grad_batches=together, estimated_stepping_batches=steps
    )  # fmt: skip
    assert _epochs(trainer) == 5  # type: ignore[arg-type]
