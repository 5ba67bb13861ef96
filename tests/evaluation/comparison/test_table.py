"""A comparison as table and picture: every recipe, every number, what is missing."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from spt_whisper.evaluation.comparison.picture import draw_comparison
from spt_whisper.evaluation.comparison.summary import summarize
from spt_whisper.evaluation.comparison.table import columns, comparison_table, write_markdown
from tests.evaluation.comparison.compared_runs import stored_run

ROWS = [
    summarize(
        "slots [both]", [stored_run("slots", seed, wrong) for seed, wrong in enumerate((2, 4, 6))]
    ),
    summarize(
        "zero|shot $5",
        [stored_run("zero", 0, 8, fitted=False)],
        [stored_run("slots", seed, wrong) for seed, wrong in enumerate((2, 4, 6))],
    ),
]


def test_the_markdown_table_has_every_number_and_says_what_is_missing(tmp_path: Path) -> None:
    write_markdown(ROWS, ["slots seed 3"], tmp_path / "table.md")
    header, rule, slots, zero, *notes = (tmp_path / "table.md").read_text().splitlines()
    assert header == "| " + " | ".join(columns(ROWS)) + " |"
    assert rule.count("---") == len(columns(ROWS))
    low, high = (f"{100 * end:.1f}" for end in ROWS[0].rates["wer"].interval)
    assert slots.startswith(f"| slots [both] | 3 | 4.0 [{low}, {high}] | - | 2.0-6.0 (2.0) | 0.8 [")
    assert slots.endswith("| 0.6000 | 1,200 | 600 | 2.50 | 0.500 | 3.50 |")
    assert zero.startswith(r"| zero\|shot $5 | 1 | 8.0 [")
    assert " | +100.0 [-100.0, +100.0] | " in zero  # a draw without the wrong words is 0 against 0
    assert zero.endswith("| - | - | 0 | 0 | 0.00 | - | - |")
    assert "- Scored on 10 utterances, normalizer basic." in notes
    assert "- Made on Test CPU, 2 cores, torch 2.11.0, no GPU." in notes
    assert notes[-1] == "- Not finished: slots seed 3."


def test_the_terminal_shows_the_same_cells() -> None:
    screen = io.StringIO()
    Console(file=screen, width=200).print(comparison_table(ROWS))
    row = next(line for line in screen.getvalue().splitlines() if "slots [both]" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        cell(ROWS[0]) for cell in columns(ROWS).values()
    ]


def test_mixed_speech_is_shown_by_its_mixed_error_rate(tmp_path: Path) -> None:
    rows = [replace(row, main_rate="mixed_error_rate") for row in ROWS]
    shown = list(columns(rows))
    assert shown[2:5] == ["mixed % [95 %]", "change % [95 %]", "mixed spread (sd)"]
    assert "CER % [95 %]" in shown
    assert not any(heading.startswith("WER") for heading in shown)
    write_markdown(rows, [], tmp_path / "table.md")
    assert "the errors behind the mixed error rate" in (tmp_path / "table.md").read_text()
    draw_comparison(rows, tmp_path / "mixed.png")


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_picture_of_any_number_of_recipes(tmp_path: Path, count: int) -> None:
    draw_comparison((ROWS * 5)[:count], tmp_path / "new" / "compare.png")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["compare.png"]


def test_bars_are_as_long_as_the_mean_rates(tmp_path: Path) -> None:
    draw_comparison(ROWS, tmp_path / "a.png")
    pixels = (matplotlib.image.imread(tmp_path / "a.png")[..., :3] * 255).round()
    left = pixels[:, : pixels.shape[1] // 2]  # the WER
    lengths = []
    for color in ((0x4C, 0x78, 0xA8), (0x2A, 0x9D, 0x76)):  # the other bar, the best bar
        columns = np.flatnonzero((left == color).all(axis=2).any(axis=0))
        lengths.append(columns[-1] - columns[0] + 1)
    assert lengths[1] / lengths[0] == pytest.approx(0.5, abs=0.02)
