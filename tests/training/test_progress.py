"""What a run shows of how far it is."""

from __future__ import annotations

from pathlib import Path

import lightning
import pytest
from lightning.pytorch.demos.boring_classes import BoringModel

from spt_whisper.cli import main
from spt_whisper.training.progress import RunProgressBar
from tests.tiny_corpus import fit_flags, write_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(
    ("end", "epoch"),
    [
        (["--trainer.max_epochs", "2"], "Epoch 2/2 "),
        (["--trainer.max_epochs", "null", "--trainer.max_steps", "4"], "Epoch 2 "),
    ],
    ids=["by epochs", "by steps"],
)
def test_the_bar_names_the_epoch_from_one_the_figures_and_the_time_that_is_left(
    end: list[str],
    epoch: str,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = ["--trainer.enable_progress_bar", "true", *end]
    assert main(["fit", *fit_flags(home, tmp_path / "run", *shown)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Epoch")]
    assert lines[-1].startswith(epoch)
    for figure in ("loss: ", "dev error: ", "left: 0:00:00"):
        assert figure in lines[-1]  # and so on one line
    assert "v_num" not in lines[-1]


class _Clock(lightning.Callback):
    """A clock on which every update takes ten minutes, and what the bar said after each of them."""

    def __init__(self, bar: RunProgressBar) -> None:
        self.bar, self.now, self.left = bar, 7.0, list[str]()

    def monotonic(self) -> float:
        return self.now

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, *_: object
    ) -> None:
        self.now += 600
        self.left.append(self.bar.get_metrics(trainer, module)["left"])


def run(steps: int, folder: Path, monkeypatch: pytest.MonkeyPatch, after: Path | None) -> list[str]:
    bar = RunProgressBar()
    clock = _Clock(bar)
    monkeypatch.setattr("spt_whisper.training.progress.time", clock)
    trainer = lightning.Trainer(
        max_steps=steps, accelerator="cpu", callbacks=[clock, bar], logger=False, num_sanity_val_steps=0,
        limit_val_batches=0, default_root_dir=folder,
    )  # fmt: skip
    trainer.fit(BoringModel(), ckpt_path=after, weights_only=True)
    trainer.save_checkpoint(folder / "last.ckpt")
    return clock.left


def test_what_is_left_goes_by_the_updates_since_the_start_and_those_of_a_resumed_run_since_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(3, tmp_path, monkeypatch, None) == ["0:20:00", "0:10:00", "0:00:00"]
    resumed = run(6, tmp_path, monkeypatch, tmp_path / "last.ckpt")
    assert resumed == ["0:20:00", "0:10:00", "0:00:00"]
