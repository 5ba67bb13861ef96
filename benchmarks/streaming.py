"""Peak memory of training against the number of rows in a manifest: 1,000 and 100,000 (synthetic audio, tiny random Whisper).

    python benchmarks/streaming.py

Each size trains the same number of steps in a process of its own; the rows point to the same 50 files, so that only the
manifest grows. A corpus trains with flat memory where the two peaks differ by little more than the rows themselves take.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_000, 100_000)
FILES = 50
STEPS = 100


def write_manifest(folder: Path, rows: int) -> None:
    """A manifest of so many rows over `FILES` recordings of noise."""
    generator = np.random.default_rng(0)
    (folder / "audio").mkdir(parents=True)
    for index in range(FILES):
        noise = (0.1 * generator.standard_normal(32_000)).astype(np.float32)
        soundfile.write(folder / f"audio/{index}.wav", noise, 16_000)
    with (folder / "train.jsonl").open("w", encoding="utf-8") as file:
        for index in range(rows):
            row = {
                "id": f"u{index}",
                "audio": f"audio/{index % FILES}.wav",
                "text": f"sentence number {index} of a corpus that is larger than memory",
                "language": "qug",
                "duration": 2.0,
            }
            file.write(json.dumps(row) + "\n")


def train(folder: Path) -> None:
    """Trains an entire prompt for a few steps; run in a process of its own."""
    sys.path.insert(0, str(ROOT))
    from spt_whisper.cli import main
    from tests.tiny_corpus import write_model

    write_model(folder / "model")
    status = main(
        [
            "fit", "--corpus.root", str(folder), "--corpus.dev", "null", "--model", str(folder / "model"),
            "--output", str(folder / "run"), "--languages", "[es]", "--window_seconds", "2", "--data.batch_size", "8",
            "--prompt.length", "4", "--trainer.max_steps", str(STEPS), "--trainer.enable_progress_bar", "false",
        ]
    )  # fmt: skip
    if status:
        sys.exit(status)
    print(json.dumps({"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def main() -> None:
    """Prints the peak of each size."""
    for rows in SIZES:
        with tempfile.TemporaryDirectory() as temporary:
            write_manifest(Path(temporary), rows)
            size = (Path(temporary) / "train.jsonl").stat().st_size / 2**20
            done = subprocess.run(
                [sys.executable, __file__, temporary], check=True, capture_output=True, text=True
            )
            peak = json.loads(done.stdout.splitlines()[-1])["megabytes"]
            print(f"{rows:>7} rows ({size:.1f} MiB of manifest): peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train(Path(sys.argv[1]))
    else:
        main()
