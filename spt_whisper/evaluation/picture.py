"""A report as a picture: the main error rate of each system, with its interval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.atomic import replacing
from spt_whisper.evaluation.report import Report
from spt_whisper.evaluation.system_score import SystemScore
from spt_whisper.text.units import RateName

if TYPE_CHECKING:  # matplotlib is loaded only where a picture is drawn
    from matplotlib.axes import Axes

_BAR = "#4c78a8"
_BEST_BAR = "#2a9d76"
_INK = "#222222"
_FAINT = "#8a8a8a"
_DOTS_PER_INCH = 160
_RATE_NAMES: dict[RateName, str] = {
    "wer": "Word error rate",
    "cer": "Character error rate",
    "mixed_error_rate": "Mixed error rate",
}


def draw_report(report: Report, path: str | Path) -> None:
    """Draws `report` as a PNG at `path`, whole or not at all; the best system stands out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # a Figure of its own, not pyplot's: pyplot keeps global state and may want a screen
    figure = Figure(figsize=(8.0, 1.5 + 0.5 * len(report.systems)), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_bars(axes, report.systems)
    _dress(axes, report)
    with replacing(path) as temporary:
        canvas.print_figure(temporary, format="png", dpi=_DOTS_PER_INCH, facecolor="white")


def _draw_bars(axes: Axes, systems: list[SystemScore]) -> None:
    best = min((system.rate for system in systems), default=0.0)
    furthest = max((max(system.rate, system.interval[1]) for system in systems), default=0.0)
    for row, system in enumerate(systems):
        color = _BEST_BAR if system.rate == best and len(systems) > 1 else _BAR
        low, high = system.interval
        axes.barh(row, 100 * system.rate, height=0.62, color=color)
        axes.hlines(row, 100 * low, 100 * high, color=_INK, linewidth=1.4)
        axes.vlines([100 * low, 100 * high], row - 0.1, row + 0.1, color=_INK, linewidth=1.4)
        axes.annotate(
            f"{100 * system.rate:.1f}",
            (100 * max(system.rate, high), row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=_INK,
            fontweight="bold",
        )
    axes.set_xlim(0, 112 * furthest or 1.0)


def _dress(axes: Axes, report: Report) -> None:
    systems = report.systems
    axes.set_yticks(range(len(systems)), [_escaped(system.name) for system in systems])
    axes.set_ylim(len(systems) - 0.4, -0.6)  # the first system on top
    axes.tick_params(axis="y", length=0, labelsize=10, labelcolor=_INK)
    axes.tick_params(axis="x", labelsize=9, color=_FAINT, labelcolor=_FAINT)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    names = dict.fromkeys(_RATE_NAMES[system.main_rate] for system in systems)
    rate = " or ".join(names) or "Error rate"
    axes.set_xlabel(f"{rate} (%), with 95 % interval; lower is better", color=_INK)
    axes.set_title(_escaped(report.corpus), loc="left", fontsize=13, color=_INK, pad=22)
    axes.annotate(
        _subtitle(report),
        (0, 1),
        xytext=(0, 7),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=9,
        color=_FAINT,
    )


def _subtitle(report: Report) -> str:
    counts = sorted({system.utterances for system in report.systems})
    number = " or ".join(str(count) for count in counts) or "0"
    return f"{number} utterances, text normalized: {_escaped(report.normalizer)}"


def _escaped(text: str) -> str:
    return text.replace("$", r"\$")  # matplotlib would read $...$ as a formula
