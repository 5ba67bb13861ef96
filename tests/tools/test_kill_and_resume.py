"""Runs that are killed at random moments end with the undisturbed run's prompt, to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from kill_and_resume import kill_and_resume

from tests.tiny_corpus import write_corpus, write_model


@pytest.mark.slow
def test_two_random_kills_leave_no_trace(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    write_corpus(tmp_path / "corpus")
    fit = [
        "--corpus.root", str(tmp_path / "corpus"), "--model", str(tmp_path / "model"), "--languages", "[es]",
        "--window_seconds", "2", "--prompt.length", "4", "--data.batch_size", "1", "--data.timestamps_share", "0.5",
        "--trainer.precision", "32-true", "--trainer.max_epochs", "15", "--trainer.enable_progress_bar", "false",
        "--checkpoint_minutes", "0",
    ]  # fmt: skip
    kills = kill_and_resume(fit, tmp_path / "runs", kills=2, seed=4)
    assert all(kill.same for kill in kills), kills
    assert not all(kill.ended for kill in kills), kills
