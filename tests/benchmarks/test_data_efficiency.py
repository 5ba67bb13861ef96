"""The benchmark of data efficiency: minutes become utterances of one draw, and every row is made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from data_efficiency import ROWS, main, utterances_for
from finished_runs import read_run, spt_whisper

from spt_whisper.corpora import CorpusConfig, read_split
from tests.tiny_corpus import write_corpus, write_model


def test_the_fewest_utterances_that_have_so_many_minutes(tmp_path: Path) -> None:
    corpus = CorpusConfig(
        str(write_corpus(tmp_path / "corpus", train=6)), seed=3
    )  # 0.5, 0.6, ... 1 s
    drawn = {
        n: read_split(CorpusConfig(corpus.root, limit=n, seed=3), "train") for n in range(1, 7)
    }
    seconds = {n: sum(u.duration or 0 for u in found) for n, found in drawn.items()}
    for wanted in (0.1, 1.0, 2.0, 4.4):
        expected = min(n for n in drawn if seconds[n] >= wanted - 1e-9)
        assert utterances_for(corpus, wanted / 60) == expected
    assert utterances_for(corpus, 180) == 6


@pytest.mark.slow
def test_every_row_is_made_once(tmp_path: Path, benchmark_output: Callable[..., str]) -> None:
    write_model(tmp_path / "model")
    write_corpus(tmp_path / "corpus", train=4)
    write_corpus(tmp_path / "older", train=2, languages=("ky",))
    spt_whisper(
        "fit", "--method", "lapt", "--model", str(tmp_path / "model"), "--corpus.root", str(tmp_path / "older"),
        "--corpus.dev", "null", "--window_seconds", "10", "--prompt.length", "2", "--trainer.max_steps", "1",
        "--output", str(tmp_path / "old"),
    )  # fmt: skip
    flags = [
        "--corpus", str(tmp_path / "corpus"), "--bank", str(tmp_path / "old" / "bank"), "--minutes", "5", "--epochs", "1",
        "--test-limit", "2", "--model", str(tmp_path / "model"), "--runs", str(tmp_path / "runs"), "--results",
        str(tmp_path / "results"), "--only", *ROWS,
    ]  # fmt: skip
    printed, again = (benchmark_output(main, *flags) for _ in range(2))
    rows = {path.stem: read_run(path) for path in (tmp_path / "results").iterdir()}
    assert set(rows) == {f"{row}-5-0" for row in ROWS}
    sizes = {row.row: row.training.trained_parameters for row in rows.values()}
    assert sizes["lora"] == 5 * sizes["lora_quarter"]  # r=10 and r=2
    for row in rows.values():
        assert row.training.utterances == 4  # all there are
        assert row.scores.utterances == 2
    part = rows["lapt-5-0"]
    assert part.shared is not None
    assert part.training.stored_parameters == part.training.trained_parameters + 2 * 2 * 2 * 65
    assert not (tmp_path / "old" / "bank" / "qug").exists()
    assert printed.count("$ spt-whisper") == 2 * len(ROWS)
    assert "$ spt-whisper" not in again
    assert (tmp_path / "results.png").is_file()
