"""A report as a picture: the main error rate of each system, with its interval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.evaluation.figure import (
    FAINT,
    INK,
    draw_rate,
    drawn_figure,
    dress_rates,
    name_rows,
    plain,
)
from spt_whisper.evaluation.rates import RATES
from spt_whisper.evaluation.report import Report

if TYPE_CHECKING:  # matplotlib is loaded only where a picture is drawn
    from matplotlib.axes import Axes


def draw_report(report: Report, path: str | Path) -> None:
    """Draws `report` as a PNG at `path`, whole or not at all; the best system stands out."""
    systems = report.systems
    best = min((system.rate for system in systems), default=0.0)
    ends = [max(system.rate, system.interval[1]) for system in systems]
    names = dict.fromkeys(RATES[system.main_rate].name for system in systems)
    rate = " or ".join(names) or "Error rate"
    with drawn_figure(path, 8.0, 1.5 + 0.5 * len(systems)) as figure:
        axes = figure.add_subplot()
        for row, (system, end) in enumerate(zip(systems, ends, strict=True)):
            stands_out = system.rate == best and len(systems) > 1
            draw_rate(axes, row, system.rate, system.interval, end, stands_out)
        label = f"{rate} (%), with 95 % interval; lower is better"
        dress_rates(axes, label, 112 * max(ends, default=0.0))
        name_rows(axes, [system.name for system in systems])
        _write_title(axes, report)


def _write_title(axes: Axes, report: Report) -> None:
    axes.set_title(plain(report.corpus), loc="left", fontsize=13, color=INK, pad=22)
    axes.annotate(
        _subtitle(report), (0, 1), xytext=(0, 7), xycoords="axes fraction",
        textcoords="offset points", fontsize=9, color=FAINT,
    )  # fmt: skip


def _subtitle(report: Report) -> str:
    counts = sorted({system.utterances for system in report.systems})
    number = " or ".join(str(count) for count in counts) or "0"
    return f"{number} utterances, text normalized: {plain(report.normalizer)}"
