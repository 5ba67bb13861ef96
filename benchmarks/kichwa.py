"""The Kichwa table of the README: bare Whisper and five prompts on real speech.

    python benchmarks/kichwa.py --corpus DIR [--only decoder_feed_forward ...]

Each row is `spt-whisper fit recipes/kichwa.yaml --config recipes/kichwa/ROW.yaml`, then `spt-whisper evaluate` on the test
part, by beam search and greedily. What is done is not done again: a finished row is one JSON in docs/results/kichwa/. The
table and the picture are made of these.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from finished_runs import ROOT, spt_whisper

RESULTS = ROOT / "docs" / "results" / "kichwa"
RUNS = ROOT / "runs" / "kichwa_table"
ZERO_SHOT = "zero_shot"
PROMPTS = (
    "decoder_input", "entire_input", "decoder_attention", "decoder_feed_forward", "entire_feed_forward",
)  # fmt: skip
SCORED = ("--corpus.max_seconds", "9.5")
SEARCHES = {"beam": ("--decoding.beam_size", "5"), "greedy": ()}
BARE = ("--dev_limit", "20", "--languages", "[es]", "--windows", "[10]")


def fit(name: str, corpus: str) -> dict[str, Any]:
    """Trains one row where it is not trained yet, and returns the training's numbers."""
    output = RUNS / name
    if not (output / "prompt").is_dir():
        spt_whisper(
            "fit", "recipes/kichwa.yaml", "--config", f"recipes/kichwa/{name}.yaml", "--corpus.root", corpus,
            "--corpus.dev", "null", "--output", str(output), "--resume", "true",
        )  # fmt: skip
    training: dict[str, Any] = json.loads((output / "prompt" / "prompt.json").read_text())["card"][
        "training"
    ]
    return training


def score(name: str, search: str, corpus: str) -> dict[str, Any]:
    """Scores a row on the test part and returns its system as the report has it."""
    report = RUNS / name / f"report-{search}.json"
    what = (
        BARE
        if name == ZERO_SHOT
        else ("--zero_shot", "false", "--prompt", str(RUNS / name / "prompt"))
    )
    if not report.exists():
        spt_whisper(
            "evaluate", "--corpus.root", corpus, *SCORED, *SEARCHES[search], *what, "--output", str(report)
        )  # fmt: skip
    found = json.loads(report.read_text())
    kept = (
        "wer", "cer", "wer_interval", "cer_interval", "substitutions", "insertions", "deletions",
        "utterances", "interval_unit",
    )  # fmt: skip
    system = {key: found["systems"][0][key] for key in kept}
    return {
        **system,
        "way": found["settings"]["systems"],
        "decoding": found["settings"]["decoding"],
    }


def run_row(name: str, corpus: str) -> dict[str, Any]:
    """Returns a row: its training and its scores by each search."""
    training = {} if name == ZERO_SHOT else fit(name, corpus)
    scores = {search: score(name, search, corpus) for search in SEARCHES}
    return {"name": name, "training": training, "scores": scores}


def main() -> None:
    """Runs the rows that are not there yet, then prints the table and draws the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--corpus", required=True, help="folder with train.jsonl, dev.jsonl, test.jsonl"
    )
    names = [ZERO_SHOT, *PROMPTS]
    parser.add_argument("--only", nargs="*", choices=names, default=names)
    arguments = parser.parse_args()
    corpus = str(Path(arguments.corpus).resolve())
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        file = RESULTS / f"{name}.json"
        if not file.exists():
            row = run_row(name, corpus)
            file.write_text(json.dumps(row, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    files = [RESULTS / f"{name}.json" for name in names]
    rows = [json.loads(file.read_text()) for file in files if file.exists()]
    print_table(rows)
    draw(rows)


def print_table(rows: list[dict[str, Any]]) -> None:
    """Prints the rows as Markdown."""
    print(
        "| system | WER % (95 %) | CER % | greedy WER % | last training loss | parameters |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    for row in rows:
        beam, greedy, training = row["scores"]["beam"], row["scores"]["greedy"], row["training"]
        low, high = beam["wer_interval"]
        print(
            f"| {row['name']} | {100 * beam['wer']:.1f} ({100 * low:.1f}-{100 * high:.1f}) | {100 * beam['cer']:.1f} "
            f"| {100 * greedy['wer']:.1f} | {training.get('last_loss', '')} | {training.get('stored_parameters', 0):,} |"
        )


def draw(rows: list[dict[str, Any]]) -> None:
    """Draws the rows beside each other, as decoded by beam search."""
    from spt_whisper.evaluation.picture import draw_report
    from spt_whisper.evaluation.report import Report
    from spt_whisper.evaluation.system_score import SystemScore

    systems = []
    for row in rows:
        beam = {k: v for k, v in row["scores"]["beam"].items() if k not in ("way", "decoding")}
        systems.append(SystemScore(name=row["name"], **beam, details=()))
    report = Report("Kichwa, whisper-base, 400 utterances, beam 5", "basic", systems, {})
    draw_report(report, RESULTS.parent / "kichwa.png")


if __name__ == "__main__":
    main()
