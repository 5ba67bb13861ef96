"""Training through the command line on the tiny model: what is written, what trains, what survives a kill."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from transformers.models.whisper.modeling_whisper import WhisperDecoderLayer

from spt_whisper.cli import main
from spt_whisper.errors import InputError
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.training.batch import ExampleBuilder, collate
from spt_whisper.training.data_module import ExampleSet
from spt_whisper.training.epoch_batches import Draw
from spt_whisper.training.methods.soft_prompt import PromptLearner
from spt_whisper.training.prompt_tuner import PromptTuner
from spt_whisper.training.recipe import OptimizerConfig
from spt_whisper.training.run import _signs
from spt_whisper.whisper.fingerprint import fingerprint_weights
from tests.tiny_corpus import fit_flags, write_home
from tests.tiny_model import tiny_whisper

ROOT = Path(__file__).parents[2]
KINDS = {
    "decoder input": ["--prompt.side", "decoder", "--prompt.site", "input"],
    "entire input": ["--prompt.site", "input"],
    "decoder attention": ["--prompt.side", "decoder", "--prompt.site", "attention"],
    "entire attention, residual MLP": [
        "--prompt.site",
        "attention",
        "--prompt.parameterization",
        "residual_mlp",
    ],
    "decoder feed-forward": ["--prompt.side", "decoder"],
    "entire feed-forward": [],
    "encoder feed-forward": ["--prompt.side", "encoder"],
    "all sites": ["--prompt.site", "[input, attention, feed_forward]"],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("home"))


def arguments(home: Path, output: Path, *more: str) -> list[str]:
    own = ["--optimizer.learning_rate", "0.01"]
    return fit_flags(home, output, *own, *more)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_prompt_trains_is_saved_and_changes_the_output(
    kind: str, home: Path, tmp_path: Path
) -> None:
    assert main(["fit", *arguments(home, tmp_path / "run", *KINDS[kind])]) == 0
    unmoved = ["--optimizer.learning_rate", "1e-30"]
    assert main(["fit", *arguments(home, tmp_path / "still", *KINDS[kind], *unmoved)]) == 0
    prompt, still = (Prompt.from_pretrained(tmp_path / run / "prompt") for run in ("run", "still"))
    whisper = tiny_whisper()
    prompt.check_base(whisper)
    assert prompt.card.training["utterances"] == 6
    assert prompt.card.training["stored_parameters"] == prompt.parameter_count
    assert prompt.card.training["last_loss"] != still.card.training["last_loss"]
    trained, start = prompt.vectors.named_tensors(), still.vectors.named_tensors()
    assert set(trained) == set(start)
    for name, tensor in trained.items():
        assert not torch.allclose(tensor, start[name], rtol=0, atol=1e-6), f"{name} did not train"


def test_a_run_leaves_prompt_recipe_checkpoint_and_logs(home: Path, tmp_path: Path) -> None:
    assert main(["fit", *arguments(home, tmp_path / "run", "--prompt.side", "decoder")]) == 0
    run = tmp_path / "run"
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoints",
        "logs",
        "prompt",
        "recipe.yaml",
    ]
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["last.ckpt"]
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    assert list(recipe)[:2] == ["corpus", "method"]  # what a reader looks for
    assert (recipe["prompt"]["length"], recipe["trainer"]["max_epochs"]) == (4, 2)
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert sorted(checkpoint["state_dict"]) == [
        f"learner.prompt.vectors.decoder/feed_forward/{part}" for part in ("bias", "key", "value")
    ]
    with (run / "logs" / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(row["dev_token_error"] for row in rows)
    assert list((run / "logs" / "tensorboard").iterdir())


def test_a_saved_recipe_trains_the_same_prompt_again(home: Path, tmp_path: Path) -> None:
    main(["fit", *arguments(home, tmp_path / "a")])
    assert main(["fit", str(tmp_path / "a" / "recipe.yaml"), "--output", str(tmp_path / "b")]) == 0
    first, second = (tmp_path / run / "prompt" / "prompt.safetensors" for run in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_activations_that_are_computed_twice_end_as_the_same_prompt(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["fit", *arguments(home, tmp_path / "kept")]) == 0
    forward, runs = WhisperDecoderLayer.forward, []

    def counted(*args: Any, **kwargs: Any) -> Any:
        runs.append(torch.is_grad_enabled())
        return forward(*args, **kwargs)

    monkeypatch.setattr(WhisperDecoderLayer, "forward", counted)
    assert main(["fit", *arguments(home, tmp_path / "twice", "--recompute", "true")]) == 0
    assert sum(runs) == 2 * 6 * 2, "6 steps of 2 layers, each of them twice"
    kept, twice = (tmp_path / run / "prompt" / "prompt.safetensors" for run in ("kept", "twice"))
    assert kept.read_bytes() == twice.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("side", ["decoder", "entire"])
def test_a_killed_run_resumes_and_ends_with_the_same_prompt(
    side: str, home: Path, tmp_path: Path
) -> None:
    settings = [
        "--prompt.side",
        side,
        "--trainer.max_epochs",
        "4",
        "--data.timestamps_share",
        "0.5",
    ]
    assert main(["fit", *arguments(home, tmp_path / "whole", *settings)]) == 0
    cut = arguments(home, tmp_path / "cut", *settings)
    killed = [sys.executable, "-m", "tests.training.signalled_run", "SIGKILL", "1", "fit", *cut]
    assert subprocess.run(killed, cwd=ROOT, timeout=600).returncode == -signal.SIGKILL
    assert (tmp_path / "cut" / "checkpoints" / "last.ckpt").exists()
    assert not (tmp_path / "cut" / "prompt").exists()
    assert main(["fit", *cut, "--resume", "true"]) == 0
    whole, resumed = (tmp_path / run / "prompt" / "prompt.safetensors" for run in ("whole", "cut"))
    assert whole.read_bytes() == resumed.read_bytes()


def test_resume_refuses_other_settings_and_starts_anew_without_a_checkpoint(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *arguments(home, tmp_path / "run", "--resume", "true")]) == 0
    changed = arguments(home, tmp_path / "run", "--seed", "5", "--resume", "true")
    assert main(["fit", *changed]) == 2
    assert "was trained with other settings of seed" in capsys.readouterr().err


def test_a_new_run_in_an_old_folder_forgets_the_old_checkpoints(home: Path, tmp_path: Path) -> None:
    """Killed before its first checkpoint, a new run must not resume from the old one's."""
    assert main(["fit", *arguments(home, tmp_path / "run")]) == 0
    old = tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = old.read_bytes()
    (tmp_path / "run" / "checkpoints" / "best.ckpt").write_bytes(before)
    assert main(["fit", *arguments(home, tmp_path / "run", "--seed", "3")]) == 0
    assert [path.name for path in old.parent.iterdir()] == ["last.ckpt"]
    assert old.read_bytes() != before


def test_early_stopping_without_a_dev_part_is_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--early_stopping", "1", "--corpus.dev", "null"]
    assert main(["fit", *arguments(home, tmp_path / "run", *more)]) == 2
    assert "early_stopping: needs a dev part" in capsys.readouterr().err


def test_early_stopping_without_an_epoch_is_one_line(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--early_stopping", "1", "--trainer.max_epochs", "-1", "--trainer.max_steps", "1"]
    assert main(["fit", *arguments(home, tmp_path / "run", *more)]) == 2
    error = capsys.readouterr().err
    assert "early_stopping: the run ended before its first pass over dev" in error
    assert "Traceback" not in error


def test_early_stopping_keeps_the_best_epoch(home: Path, tmp_path: Path) -> None:
    more = [
        "--early_stopping",
        "1",
        "--trainer.max_epochs",
        "30",
        "--optimizer.learning_rate",
        "1.0",
    ]
    assert main(["fit", *arguments(home, tmp_path / "run", *more)]) == 0
    checkpoints = tmp_path / "run" / "checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == ["best.ckpt", "last.ckpt"]
    best = torch.load(checkpoints / "best.ckpt", weights_only=True)["state_dict"]
    saved = Prompt.from_pretrained(tmp_path / "run" / "prompt").vectors.named_tensors()
    key = "decoder.feed_forward.key"
    assert torch.equal(saved[key][0], best["learner.prompt.vectors.decoder/feed_forward/key"])


def test_a_loss_that_is_not_finite_leaves_the_old_prompt(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *arguments(home, tmp_path / "run")]) == 0
    file = tmp_path / "run" / "prompt" / "prompt.safetensors"
    before = file.read_bytes()
    wild = ["--optimizer.learning_rate", "1e30", "--trainer.max_epochs", "20"]
    assert main(["fit", *arguments(home, tmp_path / "run", *wild)]) == 2
    assert "lower optimizer.learning_rate" in capsys.readouterr().err
    assert file.read_bytes() == before


@pytest.mark.parametrize("side", ["decoder", "encoder", "entire"])
def test_exactly_the_prompts_parameters_get_gradient(side: str, home: Path) -> None:
    whisper = tiny_whisper()
    fingerprint = whisper.fingerprint
    config = PromptConfig(
        side=side, site=["input", "attention", "feed_forward"], length=3, start="normal"
    )
    generator = torch.Generator().manual_seed(0)
    start = start_vectors(config, whisper.shape, generator).map(
        lambda t: torch.randn(t.shape, generator=generator)
    )
    tuner = PromptTuner(whisper, PromptLearner(SoftPrompt(config, start)), OptimizerConfig())
    from spt_whisper.corpora import CorpusConfig, read_split

    utterances = read_split(CorpusConfig(str(home / "corpus")), "train")
    builder = ExampleBuilder(whisper.tokens, {"qug": ("es",)}, config.decoder_positions, (2.0,))
    data = ExampleSet(
        builder.examples(utterances, [u.text for u in utterances], "train"), builder, {}
    )
    batch = collate([data[Draw(0, 0)], data[Draw(0, 1)]], whisper.tokens.end)
    tuner._sums(batch).loss.backward()
    with_gradient = {
        name for name, parameter in tuner.named_parameters() if parameter.grad is not None
    }
    assert with_gradient == {
        name for name, _ in tuner.named_parameters() if name.startswith("learner.")
    }
    assert {name for name, p in tuner.named_parameters() if p.requires_grad} == with_gradient
    assert all(p.grad.abs().max() > 0 for p in tuner.learner.parameters())  # type: ignore[union-attr]
    assert fingerprint_weights(whisper.model) == fingerprint


def test_the_loss_of_kept_states_is_the_loss_from_audio(home: Path) -> None:
    from spt_whisper.corpora import CorpusConfig, read_split
    from spt_whisper.training.encoder_states import encode_once

    whisper = tiny_whisper()
    config = PromptConfig(side="decoder", length=3)
    start = start_vectors(config, whisper.shape, torch.Generator())
    tuner = PromptTuner(whisper, PromptLearner(SoftPrompt(config, start)), OptimizerConfig())
    utterances = read_split(CorpusConfig(str(home / "corpus")), "train")
    builder = ExampleBuilder(whisper.tokens, {"qug": ("es",)}, 0, (2.0,))
    examples = builder.examples(utterances, [u.text for u in utterances], "train")
    one_row = 100 * 32 * 2  # bytes: states, width, float16
    states = encode_once(whisper, examples, gigabytes=3.5 * one_row / 1e9)
    assert list(states) == [example.states_key for example in examples[:3]]
    draws = [Draw(0, index) for index in range(6)]
    losses = [
        tuner._sums(
            collate(
                [ExampleSet(examples, builder, kept)[draw] for draw in draws], whisper.tokens.end
            )
        ).loss
        for kept in (states, {})
    ]
    torch.testing.assert_close(losses[0], losses[1], atol=2e-3, rtol=1e-3)


def test_states_of_train_and_dev_with_the_same_ids_are_kept_apart(home: Path) -> None:
    from spt_whisper.corpora import CorpusConfig, read_split
    from spt_whisper.training.encoder_states import encode_audio, encode_once, load_example

    whisper = tiny_whisper()
    builder = ExampleBuilder(whisper.tokens, {"qug": ("es",)}, 0, (2.0,))
    parts = []
    for split in ("train", "dev"):
        utterances = read_split(CorpusConfig(str(home / "corpus")), split)  # type: ignore[arg-type]
        same = [replace(u, id=f"u{index}") for index, u in enumerate(utterances)]
        parts.append(builder.examples(same, [u.text for u in same], split))
    states = encode_once(whisper, [*parts[0], *parts[1]], gigabytes=1.0)
    for example in (parts[0][0], parts[1][0]):
        kept = ExampleSet([example], builder, states)[Draw(0, 0)].states
        expected = encode_audio(whisper, [load_example(example)], 2.0)[0]
        torch.testing.assert_close(kept.float(), expected, atol=5e-3, rtol=5e-3)  # type: ignore[union-attr]


def test_reserved_and_unknown_trainer_settings_are_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flag, value, message in [
        ("--trainer.logger", "false", "logger are set by fit"),
        ("--trainer.max_epoch", "3", "max_epoch"),
    ]:
        try:
            status = main(["fit", *arguments(home, tmp_path / "run", flag, value)])
        except SystemExit as stop:
            status = stop.code
        error = capsys.readouterr().err
        assert status == 2
        assert message in error
        assert "Traceback" not in error


def test_window_and_optimizer_are_checked() -> None:
    from spt_whisper.corpora import CorpusConfig
    from spt_whisper.training.recipe import Recipe

    with pytest.raises(InputError, match="window_seconds: found 31"):
        Recipe(CorpusConfig("x"), window_seconds=31)
    with pytest.raises(InputError, match="corpus: found str, wanted a CorpusConfig"):
        Recipe(corpus="data/x")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="optimizer: wanted learning rates above 0"):
        OptimizerConfig(learning_rate=0)


def test_the_card_has_the_signs_that_whisper_does_not_write_but_the_texts_have(
    tmp_path: Path,
) -> None:
    home = write_home(tmp_path)
    vocabulary = tiny_whisper().tokens.tokenizer.get_vocab()
    settings = home / "model" / "generation_config.json"
    listed = {"suppress_tokens": [vocabulary["k"], vocabulary["@"]]}  # k is in one of the words
    settings.write_text(json.dumps(json.loads(settings.read_text()) | listed))
    assert main(["fit", *arguments(home, tmp_path / "run")]) == 0
    assert Prompt.from_pretrained(tmp_path / "run" / "prompt").card.signs == (vocabulary["k"],)


@pytest.mark.parametrize(("having", "signs"), [(1, ()), (2, (7,))])
def test_a_sign_that_is_a_slip_is_none(having: int, signs: tuple[int, ...]) -> None:
    texts = [(7, 7, 1)] * having + [(1, 2)] * (150 - having)
    prepared: Any = SimpleNamespace(
        whisper=SimpleNamespace(vocabulary=SimpleNamespace(suppressed=(7, 9))),
        train=[SimpleNamespace(text=text) for text in texts],
    )
    assert _signs(prepared) == signs


def test_the_card_has_the_hours(tmp_path: Path) -> None:
    own = write_home(tmp_path, train=10)
    assert main(["fit", *fit_flags(own, tmp_path / "run", "--trainer.max_epochs", "1")]) == 0
    seconds = sum(0.5 + 0.1 * index for index in range(10))
    hours = Prompt.from_pretrained(tmp_path / "run" / "prompt").card.training["hours"]
    assert hours == round(seconds / 3600, 3)


def test_the_same_audio_may_stand_there_with_another_duration(tmp_path: Path) -> None:
    home = write_home(tmp_path)
    manifest = home / "corpus" / "train.jsonl"
    first = json.loads(manifest.read_text().splitlines()[0])
    again = first | {"id": "again", "duration": 0.9}  # of 0.5 s: it gets the longer window
    with manifest.open("a") as file:
        file.write(f"{json.dumps(again)}\n")
    windows = ["--window_seconds", "[0.8, 2.0]", "--prompt.side", "decoder"]
    assert main(["fit", *arguments(home, tmp_path / "run", *windows)]) == 0
