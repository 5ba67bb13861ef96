"""Bulk transcription by one worker and by two of one core each, and what 1,000,000 hours would cost.

    python benchmarks/bulk.py --data DIR [--json PATH] [--gpu-rate HOURS]

DIR has test.jsonl; its first 60 rows, without the corpus's own language codes, are transcribed by both numbers of workers in
turn. A run's time is from the first row's beginning to the last one's end, with all models loaded. `ratio` is the rate by
that of the first number of workers, the median over the rounds: with two workers 2 is the best there is.

The cost of the million hours is arithmetic: the rate of one core times the cores of the machine named (as if rates grew with
cores, and its cores were like ours), and the price given. Prices are by default those of AWS on demand, Linux, us-east-1, as
listed at https://aws.amazon.com/ec2/pricing/on-demand/ in 2025: look them up, and give yours. A GPU's rate is not measured here:
run this on one (`--workers 1`), and give what it prints as --gpu-rate.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measure import PACKAGES, conditions, publish, settings_parser, time_ratio

from spt_whisper.bulk.run import transcribe_manifest
from spt_whisper.bulk.settings import BulkConfig, BulkJob

HOURS = 1_000_000
BATCH = 6  # windows decoded together, and rows of a shard: 60 rows are ten shards


@dataclass(frozen=True)
class Throughput:
    """What one machine does; what is not measured is None."""

    machine: str
    units: int  # workers, cores or GPUs
    audio_hours_an_hour: float | None
    lowest: float | None = None
    highest: float | None = None
    ratio: float | None = None
    dollars_an_hour: float | None = None
    dollars_for_a_million_hours: float | None = None


def write_manifest(data: Path, rows: int, path: Path) -> None:
    """Writes the first rows of the test part, with absolute paths, and without the corpus's own languages."""
    with (data / "test.jsonl").open(encoding="utf-8") as file:
        kept = [json.loads(line) for line, _ in zip(file, range(rows), strict=False)]
    lines = (
        json.dumps({"id": row["id"], "audio": str((data / row["audio"]).resolve())}) for row in kept
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def hours_an_hour(manifest: Path, model: str, workers: int, output: Path) -> float:
    """Returns audio-hours an hour of one run."""
    spread = BulkConfig(workers=workers, cores=1, shard_rows=BATCH)
    job = BulkJob(str(manifest), str(output), model=model, batch_size=BATCH, bulk=spread)
    result = transcribe_manifest(job)
    if result.failed:
        raise SystemExit(f"bulk: {result.failed} rows failed; see {output}")
    return result.audio_seconds / result.seconds


def run_rounds(settings: argparse.Namespace) -> dict[int, list[float]]:
    """Lets the numbers of workers take turns; returns the rates of each, one a round."""
    rates: dict[int, list[float]] = {workers: [] for workers in settings.workers}
    with tempfile.TemporaryDirectory() as temporary:
        manifest = Path(temporary) / "all.jsonl"
        write_manifest(settings.data, settings.rows, manifest)
        for number in range(settings.repeats):
            for workers, found in rates.items():
                output = Path(temporary) / f"{workers}-{number}"
                found.append(hours_an_hour(manifest, settings.model, workers, output))
    return rates


def measured(rates: dict[int, list[float]]) -> list[Throughput]:
    """Returns a row for each number of workers."""
    first = next(iter(rates.values()))
    return [
        Throughput(
            "this one, workers", workers, median(found), min(found), max(found), time_ratio(found, first).median
        )
        for workers, found in rates.items()
    ]  # fmt: skip


def for_rent(machine: str, units: int, price: float, rate: float | None) -> Throughput:
    """Returns what the million hours cost on a machine, where one unit's rate is known."""
    if rate is None:
        return Throughput(machine, units, None, dollars_an_hour=price)
    whole = rate * units
    return Throughput(
        machine, units, whole, dollars_an_hour=price, dollars_for_a_million_hours=HOURS / whole * price
    )  # fmt: skip


def read_settings() -> argparse.Namespace:
    """Reads the flags."""
    parser = settings_parser(__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with test.jsonl")
    parser.add_argument("--rows", type=int, default=60, help="of the test part (%(default)s)")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers (1 2)"
    )
    parser.add_argument("--cpu", default="AWS c7a.16xlarge, cores (AMD EPYC 9R14)", help="its name")
    parser.add_argument("--cpu-cores", type=int, default=64, help="(%(default)s)")
    parser.add_argument("--cpu-price", type=float, default=3.28448, help="US dollars an hour")
    parser.add_argument("--gpu", default="AWS g5.xlarge, GPU (NVIDIA A10G)", help="its name")
    parser.add_argument("--gpu-price", type=float, default=1.006, help="US dollars an hour")
    parser.add_argument("--gpu-rate", type=float, help="audio-hours an hour of one such GPU")
    return parser.parse_args()


def main() -> None:
    """Measures, computes the costs, and publishes the table."""
    settings = read_settings()
    made = conditions(settings, (*PACKAGES, "ray"), rows=settings.rows, batch=BATCH)
    here: Sequence[Throughput] = measured(run_rounds(settings))
    core = (here[0].audio_hours_an_hour or 0.0) / here[0].units
    rented = [
        for_rent(settings.cpu, settings.cpu_cores, settings.cpu_price, core),
        for_rent(settings.gpu, 1, settings.gpu_price, settings.gpu_rate),
    ]
    publish("Bulk transcription", made, [*here, *rented], settings.json)


if __name__ == "__main__":
    main()
