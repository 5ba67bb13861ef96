"""Several windows: each utterance in the shortest that holds it, batches of one window, the prompt used likewise."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from spt_whisper.corpora import CorpusConfig
from spt_whisper.engines.engine import Row, RowResult
from spt_whisper.engines.torch import TorchEngine
from spt_whisper.errors import InputError
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.training.callbacks import RunWatch
from spt_whisper.training.data_module import ExampleSet
from spt_whisper.training.encoder_states import encode_audio, encode_once, load_example
from spt_whisper.training.epoch_batches import Draw
from spt_whisper.training.preparation import prepare
from spt_whisper.training.recipe import AugmentConfig, DataConfig, Recipe
from spt_whisper.training.run import fit
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import single_pass
from tests.tiny_corpus import write_home

WINDOWS = [0.8, 1.0, 2.0]  # the corpus has utterances of 0.5 s to 1.2 s
QUIET = {"max_epochs": 2, "enable_progress_bar": False, "precision": "32-true"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("windows"), train=8)


def recipe(home: Path, output: Path, **settings: Any) -> Recipe:
    plain = Recipe(
        CorpusConfig(str(home / "corpus")), model=str(home / "model"), output=str(output), languages=["es"],
        window_seconds=WINDOWS, prompt=PromptConfig(length=4), data=DataConfig(batch_size=2), trainer=QUIET,
    )  # fmt: skip
    return replace(plain, **settings)


def test_an_utterance_gets_the_shortest_window_that_holds_it(home: Path, tmp_path: Path) -> None:
    whisper = FrozenWhisper.from_pretrained(home / "model")
    prepared = prepare(recipe(home, tmp_path), whisper)
    found = {round(example.duration, 1): example.window for example in prepared.train}
    assert found == {0.5: 0.8, 0.6: 0.8, 0.7: 0.8, 0.8: 1.0, 0.9: 1.0, 1.0: 2.0, 1.1: 2.0, 1.2: 2.0}
    slow = replace(DataConfig(), augment=AugmentConfig(speed=[0.86, 1.0]))
    slower = prepare(recipe(home, tmp_path, data=slow), whisper)
    assert Counter(example.window for example in slower.train) == {0.8: 2, 1.0: 2, 2.0: 4}
    assert [example.window for example in slower.dev] == [e.window for e in prepared.dev]


def test_states_are_kept_in_the_examples_own_window(home: Path, tmp_path: Path) -> None:
    whisper = FrozenWhisper.from_pretrained(home / "model")
    prepared = prepare(recipe(home, tmp_path), whisper)
    states = encode_once(whisper, prepared.train, gigabytes=1.0)
    for index, example in enumerate(prepared.train):
        kept = ExampleSet(prepared.train, prepared.builder, states)[Draw(0, index)].states
        assert kept is not None
        expected = encode_audio(whisper, [load_example(example)], example.window)[0]
        assert kept.shape == (round(50 * example.window), 32)
        torch.testing.assert_close(kept.float(), expected, atol=5e-3, rtol=5e-3)


@pytest.mark.parametrize("side", ["decoder", "entire"])
def test_a_run_that_is_resumed_ends_with_the_same_prompt(
    side: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"prompt": PromptConfig(side=side, length=4)}
    whole = fit(recipe(home, tmp_path / "whole", **settings)).folder / "prompt.safetensors"

    def stop(watch: RunWatch, trainer: Any, module: Any) -> None:
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RunWatch, "on_train_epoch_start", stop)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            fit(recipe(home, tmp_path / "cut", **settings))
    resumed = fit(recipe(home, tmp_path / "cut", **settings), resume=True).folder
    assert (resumed / "prompt.safetensors").read_bytes() == whole.read_bytes()


class Watching(TorchEngine):
    """Notes the window of each batch."""

    windows: dict[int, float]

    def decode_batch(self, rows: Any, window_seconds: float, options: Any) -> list[RowResult]:
        self.windows |= {row.waveform.shape[0]: window_seconds for row in rows}
        return super().decode_batch(rows, window_seconds, options)


def test_a_row_is_decoded_in_the_window_it_would_have_been_trained_in(
    home: Path, tmp_path: Path
) -> None:
    folder = fit(recipe(home, tmp_path)).folder
    card = json.loads((folder / "prompt.json").read_text())["card"]
    assert card["windows"] == WINDOWS
    prompt = Prompt.from_pretrained(folder)
    assert prompt.card.window_seconds == 2.0
    frozen = FrozenWhisper.from_pretrained(home / "model")
    engine = Watching(frozen)
    engine.windows = {}
    lengths = (8_000, 12_800, 12_801, 32_000, 32_001)
    rows = [Row(0.1 * torch.randn(length), prompt) for length in lengths]
    Whisper(frozen, engine).decode(rows, single_pass(tokens_per_second=2.0))
    assert engine.windows == dict(zip(lengths, (0.8, 0.8, 1.0, 2.0, 30.0), strict=True))
    Whisper(frozen, engine).decode(rows[:2], single_pass(tokens_per_second=2.0), 1.0)
    assert engine.windows[8_000] == 1.0


def test_windows_that_no_utterance_needs_are_not_kept(home: Path, tmp_path: Path) -> None:
    """Later audio is cut to the longest that was trained."""
    fitted = fit(recipe(home, tmp_path, window_seconds=[0.3, 1.0, 2.0, 5.0]))
    card = json.loads((fitted.folder / "prompt.json").read_text())["card"]
    assert card["windows"] == [1.0, 2.0]
    assert card["recipe"]["window_seconds"] == [0.3, 1.0, 2.0, 5.0]


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([4.0, 31.0], "window_seconds: found 4, 31, wanted more than 0 and at most 30"),
        ([], "window_seconds: found none"),
        ([6.0, 4.0], "window_seconds: found 6, 4, wanted the shortest first, each once"),
        ([4.0, 4.0], "each once"),
        ([4.01], "window_seconds: found 4.01, wanted a multiple of 0.02"),
        ([0.5], "window_seconds: found 0.5, wanted 1 or more: speech is not cut to less"),
        ("10", r"window_seconds: found \['10'\], wanted numbers"),
        ([4.0, None], "wanted numbers"),
    ],
)
def test_windows_that_cannot_be_are_refused(windows: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(CorpusConfig("x"), window_seconds=windows)
