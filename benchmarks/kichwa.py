"""The Kichwa table of the README: bare Whisper and five prompts on real speech, one command a row.

    python benchmarks/kichwa.py --corpus DIR [--only decoder_feed_forward ...]

Each row is `spt-whisper fit recipes/kichwa.yaml` with the flags below, then `spt-whisper evaluate` on the test part. What
is done is not done again: a finished row is one JSON in docs/results/kichwa/. The picture and table are made of these.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results" / "kichwa"
RUNS = ROOT / "runs" / "kichwa_table"

FEED_FORWARD = ["--prompt.site", "feed_forward"]
INPUT = ["--prompt.site", "input", "--prompt.length", "64", "--optimizer.learning_rate", "1e-2"]
ATTENTION = [
    "--prompt.site",
    "attention",
    "--prompt.length",
    "64",
    "--optimizer.learning_rate",
    "2e-2",
]
DECODER = ["--prompt.side", "decoder"]

ROWS: dict[str, list[str]] = {
    "decoder_input": [*DECODER, *INPUT],
    "entire_input": INPUT,
    "decoder_attention": [*DECODER, *ATTENTION],
    "decoder_feed_forward": [
        *DECODER,
        *FEED_FORWARD,
        "--prompt.length",
        "64",
        "--optimizer.learning_rate",
        "2e-3",
    ],  # fmt: skip
    "entire_feed_forward": FEED_FORWARD,
}


def spt_whisper(*arguments: str) -> None:
    """Runs a command of this checkout, and stops where it fails."""
    print("$ spt-whisper", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "spt_whisper", *arguments], cwd=ROOT, check=True)


def run_row(name: str, corpus: str) -> dict[str, object]:
    """Trains and scores one row, and returns its system as the report has it, with the training's numbers."""
    output = RUNS / name
    prompt, report = output / "prompt", output / "report.json"
    where = ["--corpus.root", corpus]
    unwatched = ["--corpus.dev", "null"]  # settings are fixed: no time is spent on watching dev
    spt_whisper(
        "fit",
        "recipes/kichwa.yaml",
        *where,
        *unwatched,
        *ROWS[name],
        "--output",
        str(output),
        "--resume",
        "true",
    )
    spt_whisper(
        "evaluate", *where, "--corpus.max_seconds", "9.5", "--prompt", str(prompt), "--zero_shot", "false",
        "--output", str(report),
    )  # fmt: skip
    system = json.loads(report.read_text())["systems"][0]
    training = json.loads((prompt / "prompt.json").read_text())["card"]["training"]
    command = " ".join(["spt-whisper fit recipes/kichwa.yaml --corpus.root DIR", *ROWS[name]])
    return {**system, "name": name, "training": training, "command": command}


def run_zero_shot(corpus: str) -> dict[str, object]:
    """Scores bare Whisper, asked in the way that is best on dev."""
    report = RUNS / "zero_shot" / "report.json"
    flags = [
        "--corpus.max_seconds",
        "9.5",
        "--dev_limit",
        "20",
        "--languages",
        "[es]",
        "--windows",
        "[10]",
    ]
    spt_whisper("evaluate", "--corpus.root", corpus, *flags, "--output", str(report))
    found = json.loads(report.read_text())
    command = " ".join(["spt-whisper evaluate --corpus.root DIR", *flags])
    way = found["settings"]["systems"]["zero_shot"]
    return {**found["systems"][0], "command": command, "way": way}


def main() -> None:
    """Runs the rows that are not there yet, then prints the table and draws the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--corpus", required=True, help="folder with train.jsonl, dev.jsonl, test.jsonl"
    )
    parser.add_argument(
        "--only", nargs="*", choices=["zero_shot", *ROWS], default=["zero_shot", *ROWS]
    )
    arguments = parser.parse_args()
    corpus = str(Path(arguments.corpus).resolve())
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        file = RESULTS / f"{name}.json"
        if not file.exists():
            row = run_zero_shot(corpus) if name == "zero_shot" else run_row(name, corpus)
            file.write_text(json.dumps(row, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    rows = [
        json.loads((RESULTS / f"{name}.json").read_text())
        for name in ["zero_shot", *ROWS]
        if (RESULTS / f"{name}.json").exists()
    ]
    print_table(rows)
    draw(rows)


def print_table(rows: list[dict]) -> None:  # type: ignore[type-arg]
    """Prints the rows as Markdown."""
    print(
        "| system | WER % (95 %) | CER % | last training loss | numbers | training s |\n| --- | --- | --- | --- | --- | --- |"
    )
    for row in rows:
        training = row.get("training", {})
        low, high = row["wer_interval"]
        print(
            f"| {row['name']} | {100 * row['wer']:.1f} ({100 * low:.1f}-{100 * high:.1f}) | {100 * row['cer']:.1f} | "
            f"{training.get('last_loss', '-')} | {training.get('stored_numbers', 0):,} | {training.get('seconds', '-')} |"
        )


def draw(rows: list[dict]) -> None:  # type: ignore[type-arg]
    """Draws the rows beside each other."""
    from spt_whisper.evaluation.picture import draw_report
    from spt_whisper.evaluation.report import Report, SystemScore

    extra = {"training", "command", "way"}
    systems = [
        SystemScore(**{key: value for key, value in row.items() if key not in extra}, details=())
        for row in rows
    ]
    report = Report("Kichwa, whisper-base, 400 utterances", "basic", systems, {})
    draw_report(report, RESULTS.parent / "kichwa.png")


if __name__ == "__main__":
    main()
