"""The benchmark of the service runs both services on the tiny model, and publishes a row for each load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny_corpus import write_corpus, write_model

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
def test_every_load_is_answered_by_both_services(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    write_corpus(tmp_path / "corpus", languages=("es",))
    figures = tmp_path / "serving.json"
    command = [
        sys.executable, "benchmarks/serving.py", "--data", str(tmp_path / "corpus"), "--language", "es",
        "--model", str(tmp_path / "model"), "--clients", "1", "4", "--requests", "4", "--repeats", "1", "--threads", "1",
        "--prompts", "1", "--json", str(figures),
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    rows = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    loads = [(row["clients"], row["service"], row["requests"], row["failed"]) for row in rows]
    assert loads == [
        (clients, name, 4, 0) for clients in (1, 4) for name in ("batches", "one by one")
    ]
    for on, off in zip(rows[::2], rows[1::2], strict=True):
        paces = on["audio_seconds_a_second"], off["audio_seconds_a_second"]
        assert on["ratio"] == pytest.approx(paces[0] / paces[1])
