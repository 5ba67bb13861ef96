"""SIGTERM, as a scheduler sends it: a checkpoint, status 143, and a resumed run that ends with the same prompt."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from spt_whisper.cli import main
from spt_whisper.training.batch import Batch
from spt_whisper.training.prompt_tuner import PromptTuner
from tests.tiny_corpus import fit_flags, write_home

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("home"), train=40)


def arguments(home: Path, output: Path, *more: str) -> list[str]:
    own = ["--window_seconds", "5", "--data.batch_size", "1", "--trainer.max_epochs", "6"]
    return fit_flags(home, output, *own, *more)


def stop_in_training(command: Sequence[str], number: signal.Signals) -> tuple[int, str]:
    run = [sys.executable, "-m", "tests.training.signalled_run", number.name, "7", "fit", *command]
    done = subprocess.run(run, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=600)
    return done.returncode, done.stderr


@pytest.mark.slow  # each run starts PyTorch anew
@pytest.mark.parametrize(
    "more",
    [
        [],
        ["--data.workers", "1", "--trainer.accumulate_grad_batches", "3"],
        ["--trainer.devices", "2"],
    ],
    ids=["plain", "workers and gathered gradients", "two processes"],
)
def test_a_terminated_run_goes_on_to_the_same_prompt(
    more: list[str], home: Path, tmp_path: Path
) -> None:
    cut = arguments(home, tmp_path / "cut", *more)
    status, error = stop_in_training(cut, signal.SIGTERM)
    assert status == 143, error
    assert error.count("ended by SIGTERM; --resume true goes on") == 1
    assert "Traceback" not in error
    assert not (tmp_path / "cut" / "prompt").exists()
    checkpoint = tmp_path / "cut" / "checkpoints" / "last.ckpt"
    kept = torch.load(checkpoint, weights_only=True)["SpeechDataModule"]
    assert kept["done"] > 0, "the signal did not fall within an epoch"
    resumed = fit([*cut, "--resume", "true"])
    assert "Warning" not in resumed
    fit(arguments(home, tmp_path / "whole", *more))
    whole, ended = (tmp_path / run / "prompt" / "prompt.safetensors" for run in ("whole", "cut"))
    assert whole.read_bytes() == ended.read_bytes()


@pytest.mark.parametrize("gathered", [1, 3])
def test_a_signal_in_a_pass_over_dev_waits_for_a_batch_of_it(
    gathered: int,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    more = ["--trainer.accumulate_grad_batches", str(gathered), "--trainer.max_epochs", "2"]
    seen: list[int] = []
    step = PromptTuner.validation_step

    def signalled(self: PromptTuner, batch: Batch, index: int) -> None:
        seen.append(self.current_epoch)
        if seen == [0, 0, 1]:
            signal.raise_signal(signal.SIGTERM)
        step(self, batch, index)

    assert main(["fit", *arguments(home, tmp_path / "whole", *more)]) == 0
    monkeypatch.setattr(PromptTuner, "validation_step", signalled)
    cut = arguments(home, tmp_path / "cut", *more)
    capsys.readouterr()
    assert main(["fit", *cut]) == 143
    assert "ended by SIGTERM" in capsys.readouterr().err.splitlines()[-1]
    assert seen == [0, 0, 1]
    assert main(["fit", *cut, "--resume", "true"]) == 0
    assert seen == [0, 0, 1, 1, 1], "the pass is gone through anew, and the epoch before is not"
    whole, ended = (tmp_path / run / "prompt" / "prompt.safetensors" for run in ("whole", "cut"))
    assert whole.read_bytes() == ended.read_bytes()


@pytest.mark.slow
def test_ctrl_c_is_one_line_and_its_own_status(home: Path, tmp_path: Path) -> None:
    status, error = stop_in_training(arguments(home, tmp_path / "run"), signal.SIGINT)
    assert status == 130, error
    assert "spt-whisper fit: interrupted" in error
    assert "Traceback" not in error


def fit(command: Sequence[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "spt_whisper", "fit", *command],
        stderr=subprocess.PIPE, text=True, check=True, timeout=600,
    )  # fmt: skip
    return done.stderr
