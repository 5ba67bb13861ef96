"""A report as a table and as a picture: every system, its numbers, its interval."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from spt_whisper.evaluation.detail_tables import detail_tables
from spt_whisper.evaluation.paired import compare_with_first
from spt_whisper.evaluation.picture import draw_report
from spt_whisper.evaluation.report import Report
from spt_whisper.evaluation.side_by_side import parts_tables
from spt_whisper.evaluation.system_score import SystemScore, score_system
from spt_whisper.evaluation.table import report_table
from spt_whisper.evaluation.utterance_score import UnitErrors
from spt_whisper.text.error_rates import ErrorCounts
from spt_whisper.text.normalization import get_normalizer
from tests.evaluation.said import Said


def system(name: str, wer: float) -> SystemScore:
    return SystemScore(
        name, wer, wer / 3, (wer - 0.05, wer + 0.07), (wer / 4, wer / 2), 12, 3, 4, 100,
        "utterance", (), errors=UnitErrors(words=ErrorCounts(81, 12, 3, 4)),
    )  # fmt: skip


REPORT = Report(
    "Kichwa [test] $5", "basic", [system("zero-shot [es]", 1.686), system("kichwa", 0.389)]
)


def lines_of(*tables: Table, width: int = 120) -> list[str]:
    screen = io.StringIO()
    for table in tables:
        Console(file=screen, width=width).print(table)
    return screen.getvalue().splitlines()


def switching_report() -> Report:
    said = [Said("1", "我想 check email", duration=1.0), Said("2", "好 [a]", duration=3.0)]
    mixed = get_normalizer("nfkc,lowercase")
    systems = [
        score_system("bare", said, ["我想 吃", "好 [b]"], mixed, 20),
        score_system("prompt", said, ["我想 check mail", "好 [a]"], mixed, 20),
    ]
    return Report("SEAME", mixed.name, systems, {}, compare_with_first(systems, 20))


def test_table_has_a_row_a_system() -> None:
    lines = lines_of(report_table(REPORT))
    assert "Kichwa [test] $5 (text: basic)" in lines[0]
    row = next(line for line in lines if "zero-shot [es]" in line)
    assert "168.6 [163.6, 175.6]" in row
    assert "56.2 [42.1, 84.3]" in row
    assert "12 / 3 / 4" in row
    row = next(line for line in lines if "kichwa" in line)
    assert "38.9 [33.9, 45.9]" in row
    assert "100" in row


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_loses_no_digit(width: int) -> None:
    report = switching_report()
    for table in (report_table(REPORT), report_table(report), *detail_tables(report)):
        narrow, wide = lines_of(table, width=width), lines_of(table)
        assert not any("…" in line for line in narrow)
        assert sorted(re.findall(r"\d", "".join(narrow))) == sorted(
            re.findall(r"\d", "".join(wide))
        )
        assert max(map(len, narrow)) <= width


def test_what_a_corpus_or_a_prompt_is_called_does_not_steer_the_terminal() -> None:
    evil = "x\x1b[2J\x9b"
    report = switching_report()
    systems = [replace(each, name=evil) for each in report.systems]
    odd = replace(report, corpus=evil, systems=systems)
    shown = "".join(lines_of(report_table(odd), *detail_tables(odd)))
    assert shown.count(r"x\x1b[2J\x9b") > 3
    assert not {"\x1b", "\x9b"} & set(shown)


def test_table_of_code_switching_says_what_ran_and_what_is_better() -> None:
    lines = lines_of(report_table(switching_report()))
    assert "mixed %" in "".join(lines[:4])
    assert "WER %" not in "".join(lines[:4])
    row = next(line for line in lines if line.startswith("│ bare"))
    assert "2 / 0 / 1" in row  # mixed units
    assert "text: nfkc, lowercase" in "\n".join(lines)
    assert "too narrow" in "\n".join(lines)
    assert any("prompt against bare: mixed -33.3" in line for line in lines)


def test_detail_tables_show_where_the_errors_are() -> None:
    lines = lines_of(*detail_tables(switching_report()))
    rows = {tuple(part.strip() for part in line.split("│")[1:-1]) for line in lines if "│" in line}
    assert ("bare", "Han", "3", "0.0") in rows
    assert ("bare", "Latin", "3", "100.0") in rows
    assert ("prompt", "Latin", "3", "33.3") in rows
    assert ("bare", "Latin, heard as Han", "1", "") in rows
    assert ("bare", "duration: under 2 s", "1", "50.0 mixed") in rows
    assert detail_tables(REPORT) == []


def test_what_one_system_made_up_hides_no_other_system() -> None:
    said = [Said("1", "check email", duration=1.0)]
    mixed = get_normalizer("nfkc,lowercase")
    systems = [
        score_system("bare", said, ["чек я email"], mixed, 20),
        score_system("prompt", said, ["check email"], mixed, 20),
    ]
    report = Report("SEAME", mixed.name, systems, {}, ())
    lines = lines_of(*detail_tables(report))
    rows = {tuple(part.strip() for part in line.split("│")[1:-1]) for line in lines if "│" in line}
    assert {("bare", "Cyrillic", "0", "1 inserted"), ("prompt", "Latin", "2", "0.0")} <= rows
    assert not any("switches" in part for row in rows for part in row)
    (table,) = [table for table in parts_tables(report) if "language" in table.title]
    assert [(row.part, [cell and cell.rate for cell in row.cells]) for row in table.rows] == [
        ("Latin", [0.5, 0.0])
    ]


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
