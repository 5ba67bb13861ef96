"""Training speed: prompts and LoRA here beside transformers' Seq2SeqTrainer with peft, on the same speech and updates.

    python benchmarks/training.py --corpus DIR [--bank BANK] [--only entire windows ...] [--json PATH]

| variant | what trains, and how |
| --- | --- |
| trainer_30s | LoRA r=8 on all attention by Seq2SeqTrainer, 30 s windows, log-mel by datasets.map (peft_trainer.py) |
| trainer | the same in a window of 10 s |
| lora | the same LoRA by `spt-whisper fit`, as all rows below; 10 s |
| decoder | feed-forward prompt in the decoder; the encoder's states are computed once |
| entire | feed-forward prompt on both sides |
| windows | the same in windows of 4, 6 and 10 s |
| lora_feed_forward | LoRA r=10 on fc1 and fc2 of both sides, in these windows |
| full | every weight of Whisper, in these windows |
| add_language | `add-language --form part` to a copy of `--bank`, a LAPT bank that lacks the language; without one it is left out |

Each run is a command of its own. `seconds` is from its start to the finished files, with imports, loading and what is
computed once; utterances a second is updates * batch size by these. `limit_seconds` is what the operations that the method
must do would take at the measured rate of matrix products (training_limit.py), without imports, loading and log-mel. `ratio` is the seconds by those of the first variant
that is measured, the median over the rounds: below 1, this one is faster. Memory is the process's most (on a GPU without
the GPU's own); disk is what it leaves in its folder. WER: greedy, on the first utterances of the test part.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from finished_runs import BEST_LORA, FULL
from measure import PACKAGES, conditions, publish, settings_parser, time_ratio
from training_limit import one_pass, operations_per_second

from spt_whisper.corpora import CorpusConfig
from spt_whisper.whisper.loading import FrozenWhisper

HERE = Path(__file__).resolve().parent
PEFT = (sys.executable, str(HERE / "peft_trainer.py"))
OURS = (sys.executable, "-m", "spt_whisper")
WINDOW = "10"  # seconds
LONGEST = "9.5"  # seconds of an utterance
TRAINERS = {"trainer_30s": ["--window", "30"], "trainer": ["--window", WINDOW]}
ENTIRE = ["--prompt.length", "48", "--optimizer.learning_rate", "1e-3"]
RECIPES = {
    "lora": ["--method", "lora", "--lora.rank", "8", "--optimizer.learning_rate", "3e-3"],
    "decoder": ["--prompt.side", "decoder", "--prompt.length", "64", "--optimizer.learning_rate", "2e-3"],
    "entire": ENTIRE,
    "windows": [*ENTIRE, "--window_seconds", "[4, 6, 10]"],
    "lora_feed_forward": [*BEST_LORA, "--window_seconds", "[4, 6, 10]"],
    "full": [*FULL, "--window_seconds", "[4, 6, 10]"],
}  # fmt: skip
EXPANSION = "add_language"
VARIANTS = (*TRAINERS, *RECIPES, EXPANSION)
FITTING = (4.0, 6.0, 10.0)
WINDOWS = {
    "trainer_30s": (30.0,), "windows": FITTING, "lora_feed_forward": FITTING, "full": FITTING,
}  # of the others: WINDOW  # fmt: skip
ENCODED_ONCE = ("decoder",)
EVERY_WEIGHT = ("full",)


@dataclass(frozen=True)
class Run:
    """One training run."""

    seconds: float
    peak_mebibytes: float
    disk_mebibytes: float
    wer_percent: float | None


@dataclass(frozen=True)
class Figures:
    """One variant."""

    variant: str
    utterances_per_second: float
    seconds: float
    limit_seconds: float
    ratio: float  # to the seconds of the first variant
    peak_mebibytes: float
    disk_mebibytes: float
    wer_percent: float | None


def command(variant: str, settings: argparse.Namespace, output: Path) -> list[str]:
    """Returns the command that trains a variant into a folder."""
    limit, batch, updates = map(str, (settings.utterances, settings.batch_size, settings.updates))
    if variant in TRAINERS:
        return [
            *PEFT, "--corpus", settings.corpus, "--output", str(output), "--model", settings.model,
            "--language", settings.language, "--max-seconds", LONGEST, "--limit", limit, "--batch-size", batch,
            "--updates", updates, "--dtype", settings.dtype, "--device", settings.device, *TRAINERS[variant],
        ]  # fmt: skip
    shared = [
        "--corpus.root", settings.corpus, "--output", str(output), "--corpus.max_seconds", LONGEST,
        "--corpus.limit", limit, "--corpus.dev", "null", "--data.batch_size", batch, "--trainer.max_steps", updates,
        "--trainer.max_epochs=-1", "--trainer.accelerator", settings.device, "--trainer.precision",
        {"float32": "32-true", "bfloat16": "bf16-mixed"}[settings.dtype],
    ]  # fmt: skip
    if variant == EXPANSION:
        bank = str(output.parent / "bank")
        return [
            *OURS, "add-language", settings.corpus_language, "--bank", bank, "--form", "part", "--tokens",
            f"[{settings.language}]", *shared,
        ]  # fmt: skip
    return [
        *OURS, "fit", *shared, "--model", settings.model, "--languages", f"[{settings.language}]",
        "--window_seconds", WINDOW, *RECIPES[variant],
    ]  # fmt: skip


def measure(variant: str, settings: argparse.Namespace) -> Run:
    """Trains a variant in a process of its own, and scores it."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "run"
        if variant == EXPANSION:
            shutil.copytree(settings.bank, Path(folder) / "bank")
        begin = time.perf_counter()
        process = subprocess.Popen(command(variant, settings, output), stdout=sys.stderr)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        if status:
            raise SystemExit(f"training: variant {variant} failed, see above")
        made = made_by(output)
        written = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
        wer = word_error_rate(made, output / "report.json", settings) if settings.scored else None
    return Run(seconds, usage.ru_maxrss / 1024, written / 2**20, wer)


def made_by(output: Path) -> Path:
    """Returns the folder that a run made: a prompt, a model, or beside it the bank."""
    folders = (output / "prompt", output / "model", output.parent / "bank")
    return next(folder for folder in folders if folder.is_dir())


def word_error_rate(made: Path, report: Path, settings: argparse.Namespace) -> float:
    """Scores what a run made, by `spt-whisper evaluate`; returns its word error rate in percent."""
    scoring = [
        *OURS, "evaluate", "--corpus.root", settings.corpus, "--corpus.max_seconds", LONGEST, "--corpus.test_limit",
        str(settings.scored), "--zero_shot", "false", f"--{made.name}", str(made), "--output", str(report),
    ]  # fmt: skip
    subprocess.run(scoring, stdout=sys.stderr, check=True)
    (system,) = json.loads(report.read_text(encoding="utf-8"))["systems"]
    return 100 * system["wer"]


def limit_seconds(variant: str, settings: argparse.Namespace, whisper: FrozenWhisper) -> float:
    """Returns what the operations that a variant must do would take at the machine's rate of products."""
    windows = WINDOWS.get(variant, (float(WINDOW),))
    corpus = CorpusConfig(settings.corpus, max_seconds=float(LONGEST), limit=settings.utterances)
    forward = one_pass(whisper, corpus, windows)
    seen = settings.updates * settings.batch_size
    passes = 3 if variant in EVERY_WEIGHT else 2  # forward, back to what trains, and of each weight
    encoded = min(seen, settings.utterances) if variant in ENCODED_ONCE else passes * seen
    rate = operations_per_second(whisper, windows[-1], getattr(torch, settings.dtype))
    return (encoded * forward.encoder + passes * seen * forward.decoder) / rate


def figures(runs: dict[str, list[Run]], limits: dict[str, float], utterances: int) -> list[Figures]:
    """Returns the rows: medians over the rounds.

    Args:
        runs: of each variant, one a round.
        limits: of each variant, in seconds.
        utterances: that each run learns from, each epoch's counted.
    """
    seconds = {name: [run.seconds for run in found] for name, found in runs.items()}
    first = next(iter(seconds.values()))
    return [
        Figures(
            name,
            utterances / statistics.median(seconds[name]),
            statistics.median(seconds[name]),
            limits[name],
            time_ratio(seconds[name], first).median,
            max(run.peak_mebibytes for run in found),
            found[-1].disk_mebibytes,
            found[-1].wer_percent,
        )
        for name, found in runs.items()
    ]


def run_rounds(names: Sequence[str], settings: argparse.Namespace) -> dict[str, list[Run]]:
    """Lets the variants take turns, each round beginning with another one; only the last round is scored."""
    runs: dict[str, list[Run]] = {name: [] for name in names}
    scored = settings.scored
    for number in range(settings.repeats):
        settings.scored = scored if number == settings.repeats - 1 else 0
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            runs[name].append(measure(name, settings))
    return runs


def read_settings() -> argparse.Namespace:
    """Reads the flags."""
    parser = settings_parser(__doc__, repeats=1)
    parser.add_argument("--corpus", required=True, help="folder with train.jsonl and test.jsonl")
    parser.add_argument("--language", default="es", help="Whisper's token (%(default)s)")
    parser.add_argument("--corpus-language", default="qug", help="the corpus's code (%(default)s)")
    parser.add_argument("--bank", help="a LAPT bank for add_language; its windows are taken")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=VARIANTS, help="variants")
    parser.add_argument("--utterances", type=int, default=256, help="to learn from (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, help="(%(default)s)")
    parser.add_argument("--updates", type=int, default=96, help="(%(default)s)")
    parser.add_argument(
        "--scored", type=int, default=100, help="test utterances; 0: no WER (%(default)s)"
    )
    return parser.parse_args()


def main() -> int:
    """Measures, and publishes the table."""
    settings = read_settings()
    seen = settings.updates * settings.batch_size
    made = conditions(
        settings, (*PACKAGES, "peft", "datasets", "lightning"), utterances=settings.utterances,
        batch_size=settings.batch_size, updates=settings.updates, epochs=round(seen / settings.utterances, 2),
        scored=settings.scored,
    )  # fmt: skip
    whisper = FrozenWhisper.from_pretrained(settings.model)
    names = [name for name in settings.only if settings.bank or name != EXPANSION]
    limits = {name: limit_seconds(name, settings, whisper) for name in names}
    rows = figures(run_rounds(names, settings), limits, seen)
    publish("Training on the same speech, weights and updates", made, rows, settings.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
