"""Manifests through Ray: complete and equal rows, restarts, and what is wrong in one line."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spt_whisper.bulk import pool
from spt_whisper.bulk.cluster import cluster
from spt_whisper.bulk.rows import BulkRow
from spt_whisper.bulk.run import transcribe_manifest
from spt_whisper.bulk.settings import BulkConfig
from spt_whisper.bulk.shards import FailedRow, open_folder, shard_path, write_shard
from spt_whisper.bulk.worker import ShardReport
from spt_whisper.cli.bulk import run
from spt_whisper.errors import InputError
from spt_whisper.transcription.transcriber import Whisper
from tests.bulk.manifests import job_in, results_in, write_all, write_prompt, write_rows

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install -e '.[ray]'"
)


@needs_ray  # stands before the tests that have Ray running
def test_a_cluster_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"  # free again once the block ends
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match=f"RAY_ADDRESS={address}: no Ray cluster there"), cluster():
        pass


@pytest.fixture(scope="module")
def one_cluster() -> Iterator[None]:
    """Ray for all tests of this file, since starting it takes seconds."""
    with cluster():
        yield


@needs_ray
@pytest.mark.slow
def test_every_row_once_over_stops_and_restarts(
    one_cluster: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, out = write_all(tmp_path), tmp_path / "out"
    prompt = write_prompt(tmp_path / "prompt", tmp_path / "model")
    rows[0] |= {"prompt": prompt, "language": "qug"}
    write_rows(tmp_path / "corpus" / "all.jsonl", rows)
    workers = min(2, os.cpu_count() or 1)
    job = job_in(tmp_path, bulk=BulkConfig(workers=workers, shard_rows=2))
    assert run(job) == 1
    assert "5 rows transcribed" in capsys.readouterr().out
    found = {row["id"]: row for row in results_in(out)}
    assert sorted(found) == sorted(row["id"] for row in rows)
    assert len(results_in(out)) == len(rows)
    assert [name for name, row in found.items() if "error" in row] == ["broken"]
    direct = Whisper.from_pretrained(tmp_path / "model").transcribe(
        str(tmp_path / "corpus" / rows[0]["audio"]), voice_activity=None
    )
    assert found["u0"]["prompt"] == prompt
    assert found["u0"]["language"] == "es"
    assert found["u0"]["text"] != direct.text

    written = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert run(job) == 1  # the error row is still there
    assert "0 rows transcribed" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == written

    (out / "part-000002.jsonl").unlink()
    result = transcribe_manifest(job)
    assert (result.kept, result.transcribed + result.failed) == (4, 2)
    again = {row["id"]: row for row in results_in(out)}
    assert len(results_in(out)) == len(rows)
    assert {name: row.get("text") for name, row in again.items()} == {
        name: row.get("text") for name, row in found.items()
    }


@needs_ray
@pytest.mark.slow
def test_workers_without_room_and_faults_of_all_are_one_line(
    one_cluster: None, tmp_path: Path
) -> None:
    write_all(tmp_path)
    with pytest.raises(InputError, match=r"bulk\.workers: found 1000 of 1 cores each, wanted at"):
        transcribe_manifest(job_in(tmp_path, bulk=BulkConfig(workers=1000)))
    job = job_in(tmp_path, language="qug", bulk=BulkConfig(workers=1))
    with pytest.raises(InputError, match="another folder"):
        transcribe_manifest(job)
    with pytest.raises(InputError, match="language 'qug': Whisper has no token for it"):
        transcribe_manifest(replace(job, output=str(tmp_path / "other")))


def dying(deaths: int) -> type:
    """A worker that dies so many times on each shard, and then writes it."""

    class Dying:
        def __init__(self, settings: Any) -> None:
            self.folder = settings.folder

        def __call__(self, shard: Mapping[str, Any]) -> dict[str, Any]:
            number = int(shard["number"])
            died = Path(self.folder, f"died-{number}")
            before = died.stat().st_size if died.exists() else 0
            if before < deaths:
                died.write_bytes(bytes(before + 1))
                os.kill(os.getpid(), signal.SIGKILL)
            shard_path(self.folder, number).touch()
            return asdict(ShardReport(number, len(shard["rows"])))

    return Dying


@needs_ray
@pytest.mark.slow
def test_deaths_of_a_worker_are_counted_for_each_shard(
    one_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [BulkRow(f"u{index}", "a.wav", "a.wav", None, None, None, None) for index in range(3)]
    settings: Any = SimpleNamespace(folder=str(tmp_path))
    spread = BulkConfig(workers=1, shard_rows=1)
    monkeypatch.setattr(pool, "ShardWorker", dying(1))
    assert {report.number for report in pool.run_shards(rows, 1, settings, spread)} == {1, 2, 3}
    assert [(tmp_path / f"died-{number}").stat().st_size for number in (1, 2, 3)] == [1, 1, 1]
    monkeypatch.setattr(pool, "ShardWorker", dying(3))
    with pytest.raises(InputError, match="a worker died 3 times on one shard"):
        list(pool.run_shards(rows[:1], 4, settings, spread))
    assert (tmp_path / "died-4").stat().st_size == 3


def test_missing_ray_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install '\.\[ray\]' in the clone"):
        transcribe_manifest(job_in(tmp_path))


@pytest.mark.parametrize(
    "settings",
    [{"workers": 0}, {"cores": 0}, {"shard_rows": -1}],
    ids=lambda values: next(iter(values)),
)
def test_wrong_settings_are_named(settings: dict[str, int]) -> None:
    with pytest.raises(InputError, match=rf"bulk\.{next(iter(settings))}: found"):
        BulkConfig(**settings)


def test_other_audio_under_the_id_of_a_finished_row_is_one_line(tmp_path: Path) -> None:
    rows, job = write_all(tmp_path), job_in(tmp_path)
    open_folder(job.output, job.of_the_folder)
    write_shard(job.output, 1, [FailedRow(rows[0]["id"], "other.wav", "no audio")])
    with pytest.raises(InputError, match=f"holds row {rows[0]['id']} of other.wav, which is of "):
        transcribe_manifest(job)
