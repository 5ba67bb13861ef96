"""Where a recipe names no learning rate, what trains has one of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from spt_whisper.cli import main
from tests.tiny_corpus import fit_flags, write_corpus, write_home


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The highest rates of each run."""
    import spt_whisper.training.prompt_tuner as tuner

    rates_of_runs: list[float] = []
    real = tuner.SCHEDULES["one_cycle"]

    def heard(optimizer, rates, *more):  # type: ignore[no-untyped-def]
        rates_of_runs.extend(rates)
        return real(optimizer, rates, *more)

    monkeypatch.setitem(tuner.SCHEDULES, "one_cycle", heard)
    return rates_of_runs


@pytest.mark.parametrize(
    ("method", "rate"),
    [
        ([], 1e-3),
        (["--prompt.site", "attention"], 1e-2),
        (["--prompt.site", "[input, feed_forward]"], 1e-3),
        (["--method", "lora"], 1.5e-3),
        (["--method", "lapt"], 1e-3),
        (["--optimizer.learning_rate", "0.5"], 0.5),
        (["--method", "full"], 1e-5),
    ],
)
def test_the_highest_rate_of_a_run(
    method: list[str], rate: float, tmp_path: Path, seen: list[float]
) -> None:
    home = write_home(tmp_path)
    assert (
        main(["fit", *fit_flags(home, tmp_path / "run", "--trainer.max_steps", "1", *method)]) == 0
    )
    assert seen == [rate]


@pytest.mark.parametrize(
    ("bank", "rate"),
    [
        ([], 4e-3),
        (["--lapt.combine", "hadamard"], 4e-3),
        (["--lapt.combine", "concat"], 1e-3),
        (["--prompt.site", "attention"], 1e-2),
    ],
)
def test_the_highest_rate_of_an_added_part(
    bank: list[str], rate: float, tmp_path: Path, seen: list[float]
) -> None:
    home, once = write_home(tmp_path), ("--trainer.max_steps", "1")
    lapt = fit_flags(home, tmp_path / "run", "--method", "lapt", *once, *bank)
    assert main(["fit", *lapt]) == 0
    write_corpus(tmp_path / "new", languages=("cv",))
    added = [
        "add-language", "cv", "--bank", str(tmp_path / "run" / "bank"), "--corpus.root", str(tmp_path / "new"),
        "--output", str(tmp_path / "add"), "--trainer.enable_progress_bar", "false", *once,
    ]  # fmt: skip
    assert main(added) == 0
    assert seen[-1] == rate
