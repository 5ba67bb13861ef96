"""Training on two processes: the steps of a single process at the same global batch, and one that speaks and writes."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from spt_whisper.cli import main
from tests.tiny_corpus import fit_flags, write_home

pytestmark = pytest.mark.slow  # each process starts PyTorch anew
TWO = ["--data.batch_size", "2", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
ONE = ["--data.batch_size", "4"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # 5 utterances: the last batch of 4 leaves nothing for the second process
    return write_home(tmp_path_factory.mktemp("home"), train=5, dev=3, languages=("ky", "sah"))


def arguments(home: Path, output: Path, *more: str) -> list[str]:
    own = [
        "--optimizer.learning_rate",
        "0.01",
        "--trainer.max_epochs",
        "3",
        "--trainer.log_every_n_steps",
        "1",
    ]
    return fit_flags(home, output, *own, *more)


def fit_on_two(home: Path, output: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spt_whisper", "fit", *arguments(home, output, *more, *TWO)],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def curve(run: Path) -> list[tuple[str, float]]:
    """Every figure that was logged, in order."""
    with (run / "logs" / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [(name, float(row[name])) for row in rows for name in sorted(row) if row[name]]


@pytest.mark.parametrize(
    "method",
    [
        ["--languages", "[es]"],
        ["--languages", "[es]", "--window_seconds", "[0.8, 2]"],
        ["--method", "lapt", "--languages", "{ky: [es], sah: [it]}"],
    ],
    ids=["prompt", "windows", "lapt"],
)
def test_two_processes_learn_what_one_learns(method: list[str], home: Path, tmp_path: Path) -> None:
    assert main(["fit", *arguments(home, tmp_path / "one", *method, *ONE)]) == 0
    done = fit_on_two(home, tmp_path / "two", *method)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("parameters") == 1, "more than one process speaks"
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert len(one) > 12
    assert [name for name, _ in one] == [name for name, _ in two]
    values = [torch.tensor([value for _, value in found]) for found in (one, two)]
    torch.testing.assert_close(values[0], values[1], atol=1e-4, rtol=0)
    files = sorted((tmp_path / "one").glob("*/**/*.safetensors"))
    assert files
    for file in files:
        other = load_file(tmp_path / "two" / file.relative_to(tmp_path / "one"))
        for key, tensor in load_file(file).items():
            torch.testing.assert_close(other[key], tensor, atol=1e-4, rtol=0)


def test_a_loss_that_is_not_finite_is_said_once(home: Path, tmp_path: Path) -> None:
    wild = [
        "--languages",
        "[es]",
        "--optimizer.learning_rate",
        "1e30",
        "--trainer.max_epochs",
        "20",
    ]
    done = fit_on_two(home, tmp_path / "run", *wild)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("lower optimizer.learning_rate") == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "prompt").exists()


@pytest.mark.parametrize("name", ["dev0.wav", "dev1.wav"], ids=["the first", "another"])
def test_a_fault_of_one_process_is_said_without_a_traceback(name: str, tmp_path: Path) -> None:
    home = write_home(tmp_path / "home", train=4, dev=2)  # each process reads one file of dev
    (home / "corpus" / "audio" / name).write_text("no audio")
    done = fit_on_two(home, tmp_path / "run", "--prompt.side", "entire")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    said = "".join(done.stderr.split())  # log lines are folded
    assert said.count(f"{name}:cannotbereadasaudio") == 1
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("spt-whisper fit: "))
    assert ("another of the 2 processes has ended" in line) == (name == "dev1.wav")
