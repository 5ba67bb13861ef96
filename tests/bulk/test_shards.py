"""The output folder: whole shards, what is finished, and folders that do not fit."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from spt_whisper.bulk.shards import FailedRow, Transcribed, claimed, open_folder, write_shard
from spt_whisper.errors import InputError
from spt_whisper.transcription.transcript import Segment
from tests.bulk.manifests import results_in

SETTINGS = {"model": "base", "prompt": None}
SAID = Transcribed("a", "a.wav", "ñuka", (Segment(0.0, 1.0, "ñuka"),), "es", None, 1.0, 0.1)


def test_a_folder_tells_what_is_finished(tmp_path: Path) -> None:
    assert open_folder(tmp_path / "out", SETTINGS).last_shard == 0
    write_shard(tmp_path / "out", 3, [SAID, FailedRow("b", "b.wav", "no audio")])
    write_shard(tmp_path / "out", 12, [FailedRow("c", "c.wav", "no audio")])
    finished = open_folder(tmp_path / "out", SETTINGS)
    assert finished.audio == {"a": "a.wav", "b": "b.wav", "c": "c.wav"}
    assert (finished.failed, finished.last_shard) == (2, 12)
    assert results_in(tmp_path / "out")[:2] == [
        {
            "id": "a", "audio": "a.wav", "text": "ñuka", "language": "es", "prompt": None, "duration": 1.0,
            "segments": [json.loads(json.dumps(asdict(SAID.segments[0])))], "seconds": 0.1,
        },
        {"id": "b", "audio": "b.wav", "error": "no audio"},
    ]  # fmt: skip


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with claimed(tmp_path), pytest.raises(InputError, match="another run writes there"):
        claimed(tmp_path).__enter__()
    with claimed(tmp_path):  # the first has ended
        pass


def test_other_settings_need_another_folder(tmp_path: Path) -> None:
    open_folder(tmp_path, SETTINGS)
    with pytest.raises(InputError, match="made with model 'base', found 'small'; name another"):
        open_folder(tmp_path, {**SETTINGS, "model": "small"})


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": "b',
        b'{"id": "\xff"}',
        b'{"id": ["b"], "audio": "b"}',
        b'{"id": 1, "audio": "b"}',
        b'{"id": "b"}',
        b'"id"',
        b"[" * 100_000,
    ],
    ids=["cut", "not UTF-8", "a list", "a number", "no audio", "no object", "deep"],
)
def test_a_broken_shard_is_named(line: bytes, tmp_path: Path) -> None:
    open_folder(tmp_path, SETTINGS)
    (tmp_path / "part-000001.jsonl").write_bytes(b'{"id": "a", "audio": "a.wav"}\n' + line)
    with pytest.raises(InputError, match=r"part-000001\.jsonl row 2: is no finished row"):
        open_folder(tmp_path, SETTINGS)


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OSError, match="out"):
        open_folder(tmp_path / "out", SETTINGS)
