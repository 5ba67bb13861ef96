"""Benchmarks that run commands, run here: one process loads the libraries once."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace

import finished_runs
import pytest

from spt_whisper.cli import main

Benchmark = Callable[..., str]


def run_command(command: Sequence[str], **_: object) -> SimpleNamespace:
    """Runs `python -m spt_whisper ...` in this process."""
    return SimpleNamespace(returncode=main(list(command[3:])))


@pytest.fixture
def benchmark_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Benchmark]:
    """Calls the `main` of a benchmark with flags, and returns what it printed."""
    monkeypatch.setattr(finished_runs, "subprocess", SimpleNamespace(run=run_command))
    logger = logging.getLogger("spt_whisper")
    level, handlers = logger.level, logger.handlers

    def output(benchmark: Callable[[], None], *flags: str) -> str:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["benchmark", *flags])
        benchmark()
        return capsys.readouterr().out

    yield output
    logger.level, logger.handlers = level, handlers
