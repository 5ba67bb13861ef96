"""cuDNN's attention, which plans anew for every shape, is off while Whisper decodes and trains, and comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from spt_whisper import CorpusConfig, Recipe, Whisper
from spt_whisper.engines.engine import Row
from spt_whisper.training.preparation import prepare
from spt_whisper.training.run import build_learner, train
from spt_whisper.whisper.options import single_pass
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_whisper
from tests.transcription.noise_and_prompts import noise

CUDNN = torch.backends.cuda.cudnn_sdp_enabled


@pytest.fixture
def seen() -> Iterator[set[bool]]:
    """Whether cuDNN's was on, at any layer that ran."""
    states: set[bool] = set()

    def look(module: nn.Module, inputs: object) -> None:
        states.add(CUDNN())

    handle = register_module_forward_pre_hook(look)
    yield states
    handle.remove()
    torch.backends.cuda.enable_cudnn_sdp(True)


def decoding(folder: Path) -> Callable[[], object]:
    engine = Whisper(tiny_whisper()).engine
    return lambda: engine.decode_batch([Row(noise(1.0, 1))], 2.0, single_pass())


def listening(folder: Path) -> Callable[[], object]:
    engine = Whisper(tiny_whisper()).engine
    return lambda: engine.listen([Row(noise(1.0, 1))], 2.0)


def training(folder: Path) -> Callable[[], object]:
    corpus = CorpusConfig(str(write_corpus(folder, train=3)))
    recipe = Recipe(corpus, window_seconds=2.0, output=str(folder), trainer={"max_steps": 1})
    prepared = prepare(recipe, tiny_whisper())
    return lambda: train(recipe, prepared, build_learner(recipe, prepared))


@pytest.mark.parametrize("work", [decoding, listening, training])
@pytest.mark.parametrize("before", [True, False])
def test_it_is_off_inside_and_as_before_outside(
    work: Callable[[Path], Callable[[], object]], before: bool, seen: set[bool], tmp_path: Path
) -> None:
    run = work(tmp_path)
    torch.backends.cuda.enable_cudnn_sdp(before)
    seen.clear()
    run()
    assert (seen, CUDNN()) == ({False}, before)
