"""Several processes: every row once, in order, with the result that one process gives."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
import torch

from spt_whisper.child_processes import spawned_pool
from spt_whisper.corpora import CorpusConfig
from spt_whisper.engines.engine import Row, RowResult
from spt_whisper.errors import InputError
from spt_whisper.evaluation import shards
from spt_whisper.evaluation.evaluate import evaluate
from spt_whisper.evaluation.settings import EvaluateConfig
from spt_whisper.evaluation.shards import in_row_order
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.whisper.options import single_pass
from tests.tiny_corpus import write_corpus, write_model


@pytest.mark.slow
def test_two_processes_score_as_one_does(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    write_corpus(tmp_path / "corpus", dev=2, test=5)
    settings = {"model": str(tmp_path / "model"), "decoding": single_pass(tokens_per_second=3)}
    corpus = CorpusConfig(str(tmp_path / "corpus"))
    one, two = (evaluate(EvaluateConfig(corpus, processes=count, **settings)) for count in (1, 2))  # type: ignore[arg-type]
    assert [score.id for score in two.systems[0].details] == [f"test{index}" for index in range(5)]
    assert two.systems == one.systems


def test_a_process_that_is_killed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = partial(spawned_pool, prepare=partial(os._exit, 9))
    monkeypatch.setattr(shards, "spawned_pool", killed)
    rows = [Row(torch.zeros(8000), None, ("es",))]
    with pytest.raises(InputError, match="one of 1 processes was killed.*; lower batch_size"):
        shards.decode_in_processes("model", rows, single_pass(), 1.0, 8, 2)


def test_a_row_that_comes_twice_or_not_at_all_is_an_error(tmp_path: Path) -> None:
    whisper = Whisper.from_pretrained(write_model(tmp_path / "model"))
    row = Row(torch.zeros(8000), None, ("es",))
    result: RowResult = whisper.decode([row], single_pass(), 1.0)[0]
    assert in_row_order([(1, result), (0, result)], 2) == [result, result]
    for wrong in ([(0, result)], [(0, result), (0, result)], [(0, result), (2, result)]):
        with pytest.raises(RuntimeError, match="came back for 2 rows"):
            in_row_order(wrong, 2)
