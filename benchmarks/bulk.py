"""Bulk transcription by one worker and by two of one core each, and what 1,000,000 hours would cost.

    python benchmarks/bulk.py --data DIR [--model base] [--json PATH] [--gpu-rate HOURS]

DIR has test.jsonl; its first 60 rows, without the corpus's own language codes, are transcribed by both numbers of workers in
turn. A run's time is from the first row's beginning to the last one's end, with all models loaded. A
rate is audio-hours an hour; `ratio` is the median rate of two workers over that of one, and 2 is the best there is.

The cost of the million hours is arithmetic: the rate of one core times the cores of the machine named (as if rates grew with
cores, and its cores were like ours), and the price given. Prices are by default those of AWS on demand, Linux, us-east-1, as
listed at https://aws.amazon.com/ec2/pricing/on-demand/ in 2025: look them up, and give yours. A GPU's rate is not measured here:
run this on one (`--workers 1`), and give what it prints as --gpu-rate.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

HOURS = 1_000_000
BATCH = 6  # windows decoded together, and rows of a shard: 60 rows are ten shards


@dataclass(frozen=True)
class Hardware:
    """A machine for rent."""

    name: str
    units: int  # cores or GPUs
    price: float  # US dollars an hour
    rate: float | None  # audio-hours an hour of one unit; None: not measured
    source: str  # of the rate

    @property
    def cost(self) -> float | None:
        """US dollars for the million hours."""
        return None if self.rate is None else HOURS / (self.rate * self.units) * self.price


def write_manifest(data: Path, rows: int, path: Path) -> None:
    """The first rows of the test split, with absolute paths, and without the corpus's own languages."""
    with (data / "test.jsonl").open(encoding="utf-8") as file:
        kept = [json.loads(line) for line, _ in zip(file, range(rows), strict=False)]
    lines = (
        json.dumps({"id": row["id"], "audio": str((data / row["audio"]).resolve())}) for row in kept
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def measure(manifest: Path, model: str, workers: int, output: Path) -> float:
    """Audio-hours an hour of one run."""
    from spt_whisper.bulk.run import transcribe_manifest
    from spt_whisper.bulk.settings import BulkConfig, BulkJob

    spread = BulkConfig(workers=workers, cores=1, shard_rows=BATCH)
    job = BulkJob(str(manifest), str(output), model=model, batch_size=BATCH, bulk=spread)
    result = transcribe_manifest(job)
    if result.failed:
        sys.exit(f"bulk: {result.failed} rows failed; see {output}")
    return result.audio_seconds / result.seconds


def print_rates(rates: dict[int, list[float]]) -> None:
    """Prints each number of workers with its median and its range."""
    print("| workers of one core | audio-hours an hour (least-most) |\n| --- | --- |")
    for workers, found in rates.items():
        print(f"| {workers} | {median(found):.2f} ({min(found):.2f}-{max(found):.2f}) |")


def print_costs(machines: list[Hardware]) -> None:
    """Prints the cost of the million hours, with its arithmetic."""
    print(
        "\n| hardware | rate of one core or GPU | 1,000,000 h / (rate x units) x price |\n| --- | --- | --- |"
    )
    for machine in machines:
        if machine.cost is None:
            rate, sum_ = "not measured", f"price {machine.price} $/h"
        else:
            rate = f"{machine.rate:.2f} ({machine.source})"
            sum_ = f"{HOURS:,} / ({machine.rate:.2f} x {machine.units}) x {machine.price} $ = {machine.cost:,.0f} $"
        print(f"| {machine.name} | {rate} | {sum_} |")


def arguments() -> argparse.Namespace:
    """What is measured, and the prices."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path, help="folder with test.jsonl")
    parser.add_argument("--model", default="base", help="Whisper that is measured")
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--cpu", default="AWS c7a.16xlarge (64 cores, AMD EPYC 9R14)")
    parser.add_argument("--cpu-cores", type=int, default=64)
    parser.add_argument("--cpu-price", type=float, default=3.28448, help="US dollars an hour")
    parser.add_argument("--gpu", default="AWS g5.xlarge (1 NVIDIA A10G)")
    parser.add_argument("--gpu-price", type=float, default=1.006, help="US dollars an hour")
    parser.add_argument("--gpu-rate", type=float, help="audio-hours an hour of one such GPU")
    return parser.parse_args()


def main() -> None:
    """Measures, prints both tables, and writes the figures."""
    asked = arguments()
    rates: dict[int, list[float]] = {workers: [] for workers in asked.workers}
    with tempfile.TemporaryDirectory() as temporary:
        manifest = Path(temporary) / "all.jsonl"
        write_manifest(asked.data, asked.rows, manifest)
        for round_ in range(asked.rounds):
            for workers, found in rates.items():
                output = Path(temporary) / f"{workers}-{round_}"
                found.append(measure(manifest, asked.model, workers, output))
    one = median(rates[min(rates)]) / min(rates)
    machines = [
        Hardware(asked.cpu, asked.cpu_cores, asked.cpu_price, one, "computed from one core here"),
        Hardware(asked.gpu, 1, asked.gpu_price, asked.gpu_rate, "given as --gpu-rate"),
    ]
    print_rates(rates)
    print_costs(machines)
    if asked.json:
        figures: dict[str, Any] = {
            "ratio": median(rates[max(rates)]) / median(rates[min(rates)]),
            "rates": {str(workers): found for workers, found in rates.items()},
            "rows": asked.rows,
            "model": asked.model,
            "costs": [{**asdict(machine), "dollars": machine.cost} for machine in machines],
        }
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
