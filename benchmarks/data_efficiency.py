"""Data efficiency: word error rate against minutes of training speech, for a prompt, LoRA and a LAPT bank that gets the language.

    python benchmarks/data_efficiency.py --corpus DIR [--bank BANK] [--minutes 5 15 30 60 180] [--only feed_forward ...]

DIR holds train.jsonl and test.jsonl, of Kichwa by default. Of the training part the seed draws utterances until they have so
many minutes; a smaller draw is part of a larger one. Where there are fewer, it takes all (Kichwa has 171 minutes in utterances of at
most 9.5 s).

| row | what trains |
| --- | --- |
| feed_forward | a prompt of feed-forward slots on both sides |
| quarter | a quarter of its slots: recipes/kichwa/quarter_feed_forward.yaml |
| full | every weight of Whisper: recipes/kichwa/full.yaml |
| lora | LoRA r=10 on fc1 and fc2 of both sides, with the default alpha of 16 |
| lora_quarter | LoRA r=2 there, with alpha 4: a fifth of its parameters |
| lora_attention | LoRA r=8 on every attention: recipes/kichwa/lora_attention.yaml |
| lora_all_linear | LoRA r=5 on all linear layers: recipes/kichwa/lora_all_linear.yaml |
| lapt | the language's part in a copy of BANK, a LAPT bank that lacks the language; without BANK it is left out |

Such a bank: `spt-whisper fit --method lapt --corpus.root DATA/common_voice_unseen --corpus.subset "[ky, sah, ...]"
--window_seconds "[5, 10]" --output runs/bank`. All rows have the same batches, seed, token and, if the bank has them, windows,
no slot dropout, and the package's defaults for the rest: 5 epochs, up to 40 where 5 would make fewer than 500 updates. Scored
greedily, normalizer basic. What is finished is not done again: it is one JSON in RESULTS. The table is made of those of the
minutes that are named, the picture of all; minutes there are those that were trained on. Rows that are not drawn (quarter, full,
lora_*) are made only where --only names them. --epochs sets another end for the minutes that are named: the figures of three hours
in docs/results.md are of `--minutes 180 --epochs 2`.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from finished_runs import (
    BEST_LORA,
    FULL,
    NO_DROPOUT,
    ROOT,
    FinishedRun,
    Settings,
    folder_name,
    once,
    percent,
    print_markdown,
    read_run,
    score,
    spt_whisper,
)

from spt_whisper.atomic import replacing_folder
from spt_whisper.corpora import CorpusConfig, read_split, with_duration
from spt_whisper.evaluation.bootstrap import relative_change
from spt_whisper.evaluation.figure import BAR, BEST_BAR, FAINT, INK, drawn_figure
from spt_whisper.prompts.bank import SHARED_FOLDER, Bank
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.folders import digest_tensors
from spt_whisper.training.run_numbers import RunNumbers
from spt_whisper.whisper.adapted import read_model_card

MINUTES = (5, 15, 30, 60, 180)
WINDOWS = "[5, 10]"  # seconds
LONGEST = 9.5  # seconds of an utterance
LORA = "lora"
LORA_QUARTER = (*BEST_LORA[:-1], "2", "--lora.alpha", "4")
LORA_ATTENTION = ("--config", str(ROOT / "recipes" / "kichwa" / "lora_attention.yaml"))
LORA_ALL_LINEAR = ("--config", str(ROOT / "recipes" / "kichwa" / "lora_all_linear.yaml"))
QUARTER = ("--config", str(ROOT / "recipes" / "kichwa" / "quarter_feed_forward.yaml"))
PART_RATE = ("--optimizer.learning_rate", "4e-3")  # of the token, too, as in docs/results
RESAMPLES, SEED = 10_000, 0  # of the bootstrap
COLORS = {"feed_forward": BEST_BAR, LORA: BAR, "lapt": "#c8553d"}


@dataclass(frozen=True)
class Task:
    """What is to be learned of how much, and where it is kept."""

    arguments: argparse.Namespace
    settings: Settings
    output: Path

    @property
    def scored(self) -> list[str]:
        """Flags of the corpus, as it is scored."""
        found = ["--corpus.root", str(self.arguments.corpus), "--corpus.max_seconds", str(LONGEST)]
        limit = self.settings["test_limit"]
        return found if limit is None else [*found, "--corpus.test_limit", str(limit)]

    @property
    def training(self) -> list[str]:
        """Flags of every training command."""
        seed, epochs = str(self.settings["seed"]), self.settings["epochs"]
        flags = [
            *self.scored, "--corpus.dev", "null", "--corpus.limit", str(self.settings["utterances"]), "--corpus.seed", seed,
            "--seed", seed, "--output", str(self.output), "--resume", "true", *NO_DROPOUT,
        ]  # fmt: skip
        return flags if epochs is None else [*flags, "--trainer.max_epochs", str(epochs)]


def fit(task: Task, *method: str) -> None:
    """Trains by `spt-whisper fit`."""
    token = f"[{task.arguments.language}]"
    spt_whisper(
        "fit", *method, *task.training, "--model", task.arguments.model, "--languages", token, "--window_seconds", WINDOWS
    )  # fmt: skip


def add_language(task: Task) -> None:
    """Adds the language to a copy of the bank, which takes its name once the language is in it."""
    copy = task.output / "growing"
    if not (copy / task.arguments.corpus_language).is_dir():
        with replacing_folder(copy) as folder:
            shutil.copytree(task.arguments.bank, folder, dirs_exist_ok=True)
        spt_whisper(
            "add-language", task.arguments.corpus_language, "--bank", str(copy), "--form", "part", "--tokens",
            f"[{task.arguments.language}]", *task.training, *PART_RATE,
        )  # fmt: skip
    copy.rename(task.output / "bank")


@dataclass(frozen=True)
class Row:
    """One of the methods that are compared."""

    makes: str  # prompt, model or bank: the folder in its output, and the flag of `evaluate`
    train: Callable[[Task], None]
    card: Callable[[Path, str], PromptCard | None]


def card_of_prompt(folder: Path, _: str) -> PromptCard:
    """Reads the card beside a prompt."""
    return Prompt.from_pretrained(folder).card


def card_of_model(folder: Path, _: str) -> PromptCard | None:
    """Reads the card beside a model, if it has one."""
    return read_model_card(folder)


ROWS = {
    "feed_forward": Row("prompt", fit, card_of_prompt),
    "quarter": Row("prompt", lambda task: fit(task, *QUARTER), card_of_prompt),
    LORA: Row("model", lambda task: fit(task, *BEST_LORA), card_of_model),
    "lora_quarter": Row("model", lambda task: fit(task, *LORA_QUARTER), card_of_model),
    "lora_attention": Row("model", lambda task: fit(task, *LORA_ATTENTION), card_of_model),
    "lora_all_linear": Row("model", lambda task: fit(task, *LORA_ALL_LINEAR), card_of_model),
    "full": Row("model", lambda task: fit(task, *FULL), card_of_model),
    "lapt": Row("bank", add_language, lambda folder, code: Bank.from_folder(folder).card(code)),
}  # fmt: skip


def run(name: str, minutes: int, task: Task) -> FinishedRun:
    """Trains a row on so many minutes where it is not trained yet, and scores it."""
    row, folder = ROWS[name], task.output / ROWS[name].makes
    if not folder.is_dir():
        row.train(task)
    scores = score(row.makes, folder, task.output / "report.json", *task.scored)
    card = row.card(folder, task.arguments.corpus_language)
    if card is None:
        raise SystemExit(f"{folder}: has no card; remove it to train it again")
    shared = Prompt.from_pretrained(folder / SHARED_FOLDER).card if row.makes == "bank" else None
    return FinishedRun(
        name, str(minutes), task.settings, RunNumbers.among(card.training), card.training["hours"], scores,
        (task.arguments.language,), RunNumbers.among(shared.training) if shared else None,
    )  # fmt: skip


def utterances_for(corpus: CorpusConfig, minutes: float) -> int:
    """Returns how many utterances must be drawn for at least so many minutes; all where there are fewer minutes."""
    total = len(read_split(replace(corpus, limit=None), "train"))

    def seconds(limit: int) -> float:
        drawn = read_split(replace(corpus, limit=limit), "train")
        return sum(with_duration(utterance).duration or 0.0 for utterance in drawn)

    return min(total, 1 + bisect_left(range(1, total + 1), 60 * minutes, key=seconds))


def task_of(name: str, minutes: int, arguments: argparse.Namespace) -> Task:
    """Returns what a row has to learn of so many minutes."""
    corpus = CorpusConfig(str(arguments.corpus), max_seconds=LONGEST, seed=arguments.seed)
    settings: Settings = {
        "model": Path(arguments.model).name, "utterances": utterances_for(corpus, minutes), "epochs": arguments.epochs,
        "test_limit": arguments.test_limit, "seed": arguments.seed,
    }  # fmt: skip
    if ROWS[name].makes == "bank":
        vectors = Prompt.from_pretrained(arguments.bank / SHARED_FOLDER).vectors
        settings["bank"] = digest_tensors(vectors.named_tensors())
    return Task(arguments, settings, arguments.runs / f"{name}-{folder_name(settings)}")


def print_table(runs: Sequence[FinishedRun]) -> None:
    """Prints the runs as Markdown, each beside LoRA of the same minutes."""
    lora = {run.speech: run for run in runs if run.row == LORA}
    print_markdown(
        [
            "system", "minutes", "utterances", "epochs", "WER % (95 %)", "change to lora, % (95 %, paired)", "CER %", "last loss",
            "parameters trained", "peak GiB", "training s",
        ],
        [
            [
                run.row, f"{60 * run.hours:.1f}", str(run.training.utterances), str(run.training.epochs),
                percent(run.scores.wer, run.scores.wer_interval), change_to(lora.get(run.speech), run),
                f"{100 * run.scores.cer:.1f}", f"{run.training.last_loss:.2f}", f"{run.training.trained_parameters:,}",
                f"{run.training.peak_memory_gigabytes:.1f}", f"{run.training.seconds:.0f}",
            ]
            for run in runs
        ],
    )  # fmt: skip


def change_to(other: FinishedRun | None, run: FinishedRun) -> str:
    """Returns the relative change of the word errors; empty where there is nothing to compare."""
    if other is None or other is run:
        return ""
    return percent(*relative_change(other.words, run.words, RESAMPLES, SEED), "+.1f")


def draw(runs: Sequence[FinishedRun], path: Path) -> None:
    """Draws word error rate against minutes with intervals, a line a row."""
    with drawn_figure(path, 8.0, 4.5) as figure:
        axes = figure.add_subplot()
        for name, color in COLORS.items():
            own = sorted((run for run in runs if run.row == name), key=lambda run: run.hours)
            minutes = [60 * run.hours for run in own]
            rates = [100 * run.scores.wer for run in own]
            ends = [
                [abs(100 * run.scores.wer_interval[side] - rate) for run, rate in zip(own, rates, strict=True)]
                for side in (0, 1)
            ]  # fmt: skip
            if own:
                axes.errorbar(
                    minutes, rates, yerr=ends, color=color, marker="o", capsize=3, label=name
                )
        ticks = sorted({round(60 * run.hours) for run in runs})
        axes.set_xscale("log")
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("Minutes of training speech", color=INK)
        axes.set_ylabel("Word error rate (%), with 95 % interval", color=INK)
        axes.tick_params(color=FAINT, labelcolor=FAINT)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)


def read_arguments() -> argparse.Namespace:
    """Reads the flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True, help="folder of the manifests")
    parser.add_argument("--bank", type=Path, help="a LAPT bank for the row lapt")
    parser.add_argument("--minutes", type=int, nargs="+", default=MINUTES)
    parser.add_argument(
        "--only",
        nargs="*",
        choices=ROWS,
        default=[*COLORS],
        help="rows to make, by default those that are drawn",
    )
    parser.add_argument("--language", default="es", help="Whisper's token (%(default)s)")
    parser.add_argument("--corpus-language", default="qug", help="the corpus's code (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--epochs", type=int, help="by default the package's")
    parser.add_argument("--test-limit", type=int, help="utterances to score; by default all")
    parser.add_argument("--model", default="base", help="Whisper (%(default)s)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "data_efficiency")
    parser.add_argument(
        "--results", type=Path, default=ROOT / "docs" / "results" / "data_efficiency"
    )
    arguments = parser.parse_args()
    for name in ("corpus", "runs", "results"):
        setattr(arguments, name, getattr(arguments, name).resolve())
    arguments.bank = arguments.bank and arguments.bank.resolve()
    return arguments


def main() -> None:
    """Makes the runs that are not there yet, then prints the table and draws the picture."""
    arguments = read_arguments()
    logging.getLogger("spt_whisper").setLevel(logging.ERROR)  # the commands name what they drop
    for minutes in arguments.minutes:
        for name in arguments.only:
            if ROWS[name].makes == "bank" and arguments.bank is None:
                continue
            task = task_of(name, minutes, arguments)
            path = arguments.results / f"{name}-{minutes}-{arguments.seed}.json"
            once(path, task.settings, partial(run, name, minutes, task))
    files = [
        arguments.results / f"{name}-{minutes}-{arguments.seed}.json"
        for name in ROWS
        for minutes in arguments.minutes
    ]
    print_table([read_run(file) for file in files if file.is_file()])
    finished = sorted(arguments.results.glob(f"*-*-{arguments.seed}.json"))
    if finished:
        draw([read_run(file) for file in finished], arguments.results.with_suffix(".png"))


if __name__ == "__main__":
    main()
