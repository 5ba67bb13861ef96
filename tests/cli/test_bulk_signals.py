"""Signals that end `transcribe --engine ray`: one line, their own status, and Ray is gone."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from spt_whisper.bulk.settings import BulkJob
from spt_whisper.cli.bulk import run
from spt_whisper.errors import TerminatedError
from tests.bulk.manifests import write_rows
from tests.tiny_corpus import write_home


def children(pid: int) -> list[psutil.Process]:
    """All that a process has started, so that their ends can be seen."""
    return psutil.Process(pid).children(recursive=True)


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose Ray is not put behind all other work of the machine; a test that fails leaves nothing of it."""
    with log.open("w") as output:
        environment = {**os.environ, "RAY_worker_niceness": "0"}
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        try:
            yield process
        finally:
            if process.poll() is None:
                for each in [*children(process.pid), process]:
                    each.kill()
                process.wait(60)


@pytest.mark.parametrize("started", [False, True])
def test_whoever_hears_sigterm_it_ends_the_command_once(
    started: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def transcribe(_: BulkJob, ready: Callable[[], None]) -> None:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))  # as `ray.init` does
        if started:
            ready()
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            if started:
                signal.raise_signal(signal.SIGTERM)  # again, as `timeout` sends it

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("spt_whisper.bulk.run.transcribe_manifest", transcribe)
    with pytest.raises(TerminatedError, match="ended by SIGTERM"):
        run(BulkJob("manifest", "output"))
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [(signal.SIGTERM, 143, "ended by SIGTERM"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_signal_ends_a_bulk_run_and_ray(
    number: signal.Signals, status: int, said: str, tmp_path: Path
) -> None:
    home = write_home(tmp_path / "home")
    audio = str(home / "corpus" / "audio" / "train0.wav")
    manifest = write_rows(
        tmp_path / "m.jsonl", [{"id": f"{row}", "audio": audio} for row in range(2000)]
    )
    command = [
        sys.executable, "-m", "spt_whisper", "transcribe", "--engine", "ray", "--manifest", str(manifest),
        "--output", str(tmp_path / "out"), "--model", str(home / "model"), "--voice_activity", "null",
        "--bulk.workers", "1", "--bulk.shard_rows", "2",
    ]  # fmt: skip
    with running(command, tmp_path / "log") as process:
        deadline = time.monotonic() + 300
        while not (tmp_path / "out" / "part-000002.jsonl").exists():
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        started = children(process.pid)
        process.send_signal(number)
        assert process.wait(60) == status, (tmp_path / "log").read_text()
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line for line in lines if line.startswith("spt-whisper")] == [
        f"spt-whisper transcribe: {said}"
    ]
    assert not any("Traceback" in line for line in lines)
    assert psutil.wait_procs(started, timeout=60)[1] == []
    for path in sorted((tmp_path / "out").glob("part-*.jsonl")):
        assert len([json.loads(line) for line in path.read_text().splitlines()]) == 2
