"""Continual learning: the word error rate of every language so far, after each language of a sequence, as a heat map.

    python benchmarks/continual.py --data DIR [--site feed_forward] [--only lapt_entire lora_entire]

Takes the runs of `benchmarks/expansion.py`, with the same --site, --seed, --model and --epochs: those of the row lapt_decoder for
rows of the decoder, those of lapt_entire for rows of both sides. A sequence is a group of languages there.

| row | after each language |
| --- | --- |
| lapt_decoder, lapt_entire | the prompts of older languages are compared with what they were, number by number (SHA-256); since the same numbers write the same text, a language's WER is taken from its own run and not decoded again |
| lora_decoder, lora_entire | LoRA r=10 on fc1 and fc2 of the same sides goes on from the model of the language before; every language so far is scored again |

With R[k, j] the WER of language j after language k, average WER is the mean of R[k, j] over j <= k, and backward transfer the
mean of R[j, j] - R[k, j] over j < k: below 0, older languages became worse (CL-MASR, arXiv 2310.16931, and its
analyze_logs.py; a first task of languages that Whisper has is left out here).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from expansion import GROUPS, WINDOWS, Place, add_arguments, end, place_of
from finished_runs import (
    BEST_LORA,
    FinishedRun,
    once,
    print_markdown,
    read_run,
    score,
    spt_whisper,
)

from spt_whisper.evaluation.figure import INK, drawn_figure, plain
from spt_whisper.training.run_numbers import RunNumbers
from spt_whisper.whisper.adapted import read_model_card

if TYPE_CHECKING:  # matplotlib is loaded only where a picture is drawn
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

PARTS = ("lapt_decoder", "lapt_entire")
LORA = {  # row -> the bank's row, which says what languages there are, in their order, and their tokens
    "lora_decoder": "lapt_decoder",
    "lora_entire": "lapt_entire",
}


@dataclass(frozen=True)
class Matrix:
    """Word error rates over a sequence of languages, as fractions."""

    row: str
    languages: tuple[str, ...]
    rates: tuple[tuple[float, ...], ...]  # [k][j]: of language j after language k; j <= k

    def average(self, after: int) -> float:
        """Returns the average WER after one of the languages."""
        return fmean(self.rates[after])

    def backward_transfer(self, after: int) -> float:
        """Returns the backward transfer after one of the languages but the first."""
        return fmean(self.rates[j][j] - self.rates[after][j] for j in range(after))


def in_order(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Returns the runs of one bank as its languages came: each has the prompts of those before."""
    return sorted(runs, key=lambda run: len(run.digests))


def bank_matrix(runs: Sequence[FinishedRun]) -> Matrix:
    """Returns the matrix of one bank's runs, whose older prompts must be the same to the number."""
    ordered = in_order(runs)
    for index, run in enumerate(ordered):
        for older in ordered[:index]:
            if run.digests.get(older.speech) != older.digests[older.speech]:
                raise SystemExit(
                    f"{run.row}: the prompt of {older.speech} is another one after {run.speech} was added; run expansion.py again"
                )
    rates = [run.scores.wer for run in ordered]
    return Matrix(
        ordered[0].row,
        tuple(run.speech for run in ordered),
        tuple(tuple(rates[: count + 1]) for count in range(len(rates))),
    )


def train_lora(row: str, index: int, sequence: Sequence[FinishedRun], place: Place) -> Path:
    """Trains on one language from the model of the one before, where that is not done; returns the model's folder."""
    language, side = sequence[index].speech, row.removeprefix("lora_")
    output = place.folder(row, language)
    if not (output / "model").is_dir():
        before = place.folder(row, sequence[index - 1].speech) / "model"
        start = str(before) if index else place.model
        # of all languages: the model keeps them, to be asked in the older ones, too
        tokens = json.dumps({run.speech: run.tokens for run in sequence})
        spt_whisper(
            "fit", *BEST_LORA, "--lora.side", side, "--model", start, *place.corpus(language), "--languages", tokens,
            "--window_seconds", WINDOWS, *place.training, *end(place.settings["epochs"]), "--output", str(output),
        )  # fmt: skip
    return output / "model"


def scored_lora(
    row: str, newest: int, scored: int, sequence: Sequence[FinishedRun], place: Place
) -> FinishedRun:
    """Scores a language with the model that learned the sequence up to the newest one."""
    model, run = train_lora(row, newest, sequence, place), sequence[scored]
    card = read_model_card(model)
    if card is None:
        raise SystemExit(f"{model}: has no card; remove it to train it again")
    scores = score(
        "model", model, model.parent / f"{run.speech}.report.json", *place.corpus(run.speech)
    )
    return FinishedRun(
        row, run.speech, place.settings, RunNumbers.among(card.training), card.training["hours"], scores, run.tokens
    )  # fmt: skip


def lora_matrix(row: str, sequence: Sequence[FinishedRun], place: Place) -> Matrix:
    """Returns the matrix of LoRA over the sequence of a bank's runs, made where it is not there yet."""
    place = place.deciding(("model", "epochs", "seed"))  # it has no site
    folder, seed = place.results / row, place.settings["seed"]

    def rate(newest: int, scored: int) -> float:
        name = f"{sequence[scored].speech}-after-{sequence[newest].speech}-{seed}.json"
        make = partial(scored_lora, row, newest, scored, sequence, place)
        return once(folder / name, place.settings, make).scores.wer

    count = len(sequence)
    return Matrix(
        row,
        tuple(run.speech for run in sequence),
        tuple(tuple(rate(k, j) for j in range(k + 1)) for k in range(count)),
    )


def runs_of(row: str, group: Sequence[str], place: Place) -> list[FinishedRun]:
    """Returns the finished runs of a row and a group of languages."""
    files = [place.result(row, language) for language in group]
    return [read_run(file) for file in files if file.is_file()]


def matrix_of(row: str, group: Sequence[str], place: Place) -> Matrix | None:
    """Returns the matrix of a row; None where its languages are not there."""
    if row in LORA:
        sequence = in_order(runs_of(LORA[row], group, place))
        return lora_matrix(row, sequence, place) if sequence else None
    runs = runs_of(row, group, place)
    return bank_matrix(runs) if runs else None


def print_matrices(matrices: Sequence[Matrix]) -> None:
    """Prints one line a step: the WER of each language so far, average WER and backward transfer."""
    for matrix in matrices:
        print(f"\n{matrix.row}\n")
        print_markdown(
            ["after", *(f"{language}, WER %" for language in matrix.languages), "average WER %", "backward transfer"],
            [
                [
                    language,
                    *(f"{100 * rate:.1f}" for rate in matrix.rates[k]),
                    *[""] * (len(matrix.languages) - k - 1),
                    f"{100 * matrix.average(k):.1f}",
                    f"{100 * matrix.backward_transfer(k):+.1f}" if k else "",
                ]
                for k, language in enumerate(matrix.languages)
            ],
        )  # fmt: skip


def draw(matrices: Sequence[Matrix], path: Path) -> None:
    """Draws the matrices, at least one, as heat maps of one scale, a column for each row of the benchmark."""
    rows = list(dict.fromkeys(matrix.row for matrix in matrices))
    height = max(sum(matrix.row == row for matrix in matrices) for row in rows)
    highest = 100 * max(max(rates) for matrix in matrices for rates in matrix.rates)
    with drawn_figure(path, 4.6 * len(rows) + 0.8, 3.9 * height) as figure:
        grid = figure.subplots(height, len(rows), squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for column, row in enumerate(rows):
            own = [matrix for matrix in matrices if matrix.row == row]
            for axes, matrix in zip(grid[:, column], own, strict=False):
                image = _draw_matrix(axes, matrix, highest)
        figure.colorbar(image, ax=grid, label="Word error rate (%)", shrink=0.6)


def _draw_matrix(axes: Axes, matrix: Matrix, highest: float) -> AxesImage:
    """Draws one matrix, and returns its image."""
    axes.set_axis_on()
    size = len(matrix.languages)
    cells = [
        [100 * rate for rate in rates] + [float("nan")] * (size - len(rates))
        for rates in matrix.rates
    ]
    image = axes.imshow(cells, cmap="Blues", vmin=0, vmax=highest)
    for k, rates in enumerate(matrix.rates):
        for j, rate in enumerate(rates):
            color = "white" if 100 * rate > 0.6 * highest else INK
            axes.text(j, k, f"{100 * rate:.1f}", ha="center", va="center", color=color, fontsize=9)
    names = [plain(language) for language in matrix.languages]
    axes.set_xticks(range(size), names, rotation=30, ha="right")
    axes.set_yticks(range(size), names)
    axes.set_ylabel("after")
    axes.tick_params(length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)
    last = size - 1
    transfer = f", backward transfer {100 * matrix.backward_transfer(last):+.1f}" if last else ""
    axes.set_title(f"{matrix.row}: average {100 * matrix.average(last):.1f}{transfer}", fontsize=10)
    return image


def main() -> None:
    """Makes the runs that are not there yet, then prints the matrices and draws them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument(
        "--only", nargs="+", choices=(*PARTS, *LORA), default=("lapt_entire", "lora_entire")
    )
    arguments = parser.parse_args()
    place = place_of(arguments)
    found = [matrix_of(row, group, place) for row in arguments.only for group in GROUPS]
    matrices = [matrix for matrix in found if matrix]
    if not matrices:
        raise SystemExit(f"continual: no runs in {place.results}; run expansion.py first")
    print_matrices(matrices)
    draw(matrices, place.results / f"continual_{arguments.site}.png")


if __name__ == "__main__":
    main()
