"""A report as a table and as a picture: every system, its numbers, its interval."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from spt_whisper.evaluation.picture import draw_report
from spt_whisper.evaluation.report import Report, SystemScore
from spt_whisper.evaluation.table import report_table


def system(name: str, wer: float) -> SystemScore:
    return SystemScore(
        name, wer, wer / 3, (wer - 0.05, wer + 0.07), (wer / 4, wer / 2), 12, 3, 4, 100,
        "utterance", (),
    )  # fmt: skip


REPORT = Report(
    "Kichwa [test] $5", "basic", [system("zero-shot [es]", 1.686), system("kichwa", 0.389)]
)


def lines_of(report: Report) -> list[str]:
    screen = io.StringIO()
    Console(file=screen, width=120).print(report_table(report))
    return screen.getvalue().splitlines()


def test_table_has_a_row_a_system() -> None:
    lines = lines_of(REPORT)
    assert "Kichwa [test] $5 (text: basic)" in lines[0]
    row = next(line for line in lines if "zero-shot [es]" in line)
    assert "168.6 [163.6, 175.6]" in row
    assert "56.2 [42.1, 84.3]" in row
    assert "12 / 3 / 4" in row
    row = next(line for line in lines if "kichwa" in line)
    assert "38.9 [33.9, 45.9]" in row
    assert "100" in row


@pytest.mark.parametrize("systems", [[], REPORT.systems[:1], REPORT.systems, REPORT.systems * 6])
def test_picture_of_any_number_of_systems(tmp_path: Path, systems: list[SystemScore]) -> None:
    path = tmp_path / "new" / "report.png"
    draw_report(Report(REPORT.corpus, "basic", systems), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(path.parent.iterdir()) == [path]


def test_bars_are_as_long_as_the_rates(tmp_path: Path) -> None:
    draw_report(REPORT, tmp_path / "a.png")
    pixels = (matplotlib.image.imread(tmp_path / "a.png")[..., :3] * 255).round()
    lengths = []
    for color in ((0x4C, 0x78, 0xA8), (0x2A, 0x9D, 0x76)):  # the other bars, the best bar
        columns = np.flatnonzero((pixels == color).all(axis=2).any(axis=0))
        lengths.append(columns[-1] - columns[0] + 1)
    assert lengths[1] / lengths[0] == pytest.approx(0.389 / 1.686, abs=0.01)


def test_drawing_leaves_pyplot_alone(tmp_path: Path) -> None:
    check = (
        "import sys\n"
        "from spt_whisper.evaluation.picture import draw_report\n"
        "from spt_whisper.evaluation.report import Report\n"
        "assert not {'matplotlib', 'scipy', 'torch'} & set(sys.modules)\n"
        f"draw_report(Report('c', 'raw', []), {str(tmp_path / 'a.png')!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
