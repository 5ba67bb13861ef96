"""The benchmark of training runs its variants, on the tiny model and corpus, and publishes a row for each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny_corpus import write_corpus, write_model

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
def test_a_row_a_variant_with_its_ratio_to_the_first(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    write_corpus(tmp_path / "corpus")
    figures, bank = tmp_path / "training.json", tmp_path / "old" / "bank"
    write_corpus(tmp_path / "older", languages=("ky", "sah"))
    fit = [
        sys.executable, "-m", "spt_whisper", "fit", "--method", "lapt", "--model", str(tmp_path / "model"),
        "--corpus.root", str(tmp_path / "older"), "--corpus.dev", "null", "--languages", "{ky: [es], sah: [it]}",
        "--window_seconds", "10", "--prompt.length", "2", "--trainer.max_steps", "1", "--output", str(bank.parent),
    ]  # fmt: skip
    subprocess.run(fit, cwd=ROOT, check=True, capture_output=True)
    command = [
        sys.executable, "benchmarks/training.py", "--corpus", str(tmp_path / "corpus"), "--model", str(tmp_path / "model"),
        "--only", "trainer", "add_language", "--bank", str(bank), "--utterances", "4", "--updates", "2", "--batch-size", "2", "--scored", "2",
        "--json", str(figures),
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    rows = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    assert [row["variant"] for row in rows] == ["trainer", "add_language"]
    assert rows[0]["ratio"] == 1.0
    assert rows[1]["ratio"] == pytest.approx(rows[1]["seconds"] / rows[0]["seconds"])
    assert all(row["wer_percent"] is not None and row["disk_mebibytes"] > 0 for row in rows)
    assert all(0 < row["limit_seconds"] < row["seconds"] for row in rows)
