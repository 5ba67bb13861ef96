"""What the benchmarks share: their settings, times taken in turn, and one table with its figures as JSON."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from spt_whisper.atomic import write_text
from spt_whisper.evaluation.comparison.machine import this_machine

PACKAGES = ("spt-whisper", "torch", "transformers")
FILE_COLUMNS = 180  # width of a table that goes to a file or a pipe


@dataclass(frozen=True)
class Conditions:
    """What the figures of a table were measured on and with."""

    machine: str
    device: str
    dtype: str
    threads: int
    repeats: int
    versions: dict[str, str | None]  # package -> version; None: it is not installed
    notes: dict[str, Any]  # the benchmark's own settings


def settings_parser(description: str | None, repeats: int = 5) -> argparse.ArgumentParser:
    """Returns a parser with the flags of every benchmark."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="file for the figures")
    parser.add_argument("--repeats", type=int, default=repeats, help="rounds (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="processor threads (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--dtype", default="float32", help="float32 or bfloat16 (%(default)s)")
    parser.add_argument("--model", default="base", help="Whisper to measure (%(default)s)")
    return parser


def conditions(
    settings: argparse.Namespace, packages: Sequence[str] = PACKAGES, **notes: Any
) -> Conditions:
    """Sets the number of threads, here and for processes started later, and returns what is measured with."""
    os.environ["OMP_NUM_THREADS"] = str(settings.threads)
    torch.set_num_threads(settings.threads)
    return Conditions(
        str(this_machine()), settings.device, settings.dtype, settings.threads, settings.repeats,
        {name: _version(name) for name in packages}, {"model": settings.model, **notes},
    )  # fmt: skip


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def seconds_of(run: Callable[[], object]) -> float:
    """Returns how long one call takes, with what it leaves running on a GPU."""
    begin = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def interleave(
    variants: Mapping[str, Callable[[], object]], repeats: int
) -> dict[str, list[float]]:
    """Runs each variant once for nothing, then all in turn, each round beginning with another one.

    Returns:
        For each variant its seconds, one a round: those of a round belong together.
    """
    for run in variants.values():
        seconds_of(run)
    names = list(variants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(repeats):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(seconds_of(variants[name]))
    return seconds


def peak_mebibytes() -> float:
    """Returns the most memory that this process has had (Linux), without what its parent had."""
    return _status_mebibytes("VmHWM")


def resident_mebibytes() -> float:
    """Returns the memory that this process has now (Linux)."""
    return _status_mebibytes("VmRSS")


def _status_mebibytes(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


@dataclass(frozen=True)
class Ratio:
    """One variant's time by another's, taken within each round."""

    median: float
    lowest: float
    highest: float


def time_ratio(seconds: Sequence[float], baseline: Sequence[float]) -> Ratio:
    """Returns the ratio of two variants that `interleave` ran together."""
    ratios = [own / other for own, other in zip(seconds, baseline, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def publish(title: str, made: Conditions, rows: Sequence[Any], path: Path | None) -> None:
    """Prints rows (dataclasses of one kind) as a table, and writes them as JSON where a path is given.

    A column is named like the field; a field that is None, as where something failed, is left empty.
    """
    columns = [field.name for field in fields(rows[0])]
    table = Table(title=title, caption=_caption(made), caption_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column.replace("_", " "), justify="right" if index else "left")
    for row in rows:
        table.add_row(*(_cell(getattr(row, column)) for column in columns))
    console = Console()
    wide = console if console.is_terminal else Console(width=FILE_COLUMNS)
    wide.print(table)
    if path is not None:
        figures = [asdict(row) for row in rows]
        content = {"title": title, "conditions": asdict(made), "rows": figures}
        write_text(path, json.dumps(content, indent=2) + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _caption(made: Conditions) -> str:
    versions = ", ".join(f"{name} {number or 'none'}" for name, number in made.versions.items())
    notes = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in made.notes.items())
    return (
        f"{made.machine}; {made.device}, {made.dtype}, {made.threads} threads; medians of {made.repeats} rounds\n"
        f"{notes}\n{versions}"
    )
