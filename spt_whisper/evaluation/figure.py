"""What all pictures share: colors, a figure that needs no screen, bars with intervals, and a PNG that is whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.atomic import replacing

if TYPE_CHECKING:  # matplotlib is loaded only where a picture is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAR = "#4c78a8"
BEST_BAR = "#2a9d76"
INK = "#222222"
FAINT = "#8a8a8a"
_GRID = "#e6e6e6"
_DOTS_PER_INCH = 160


@contextmanager
def drawn_figure(path: str | Path, width: float, height: float) -> Iterator[Figure]:
    """Yields a figure of so many inches to draw in, and writes it as a PNG at the end, whole or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # a Figure of its own, not pyplot's: pyplot keeps global state and may want a screen
    figure = Figure(figsize=(width, height), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    yield figure
    with replacing(path) as temporary:
        canvas.print_figure(temporary, format="png", dpi=_DOTS_PER_INCH, facecolor="white")


def draw_rate(
    axes: Axes, row: int, rate: float, interval: tuple[float, float], end: float, best: bool
) -> None:
    """Draws one rate as a bar with its interval, and writes it after `end`; all are fractions, shown in percent."""
    low, high = (100 * edge for edge in interval)
    axes.barh(row, 100 * rate, height=0.62, color=BEST_BAR if best else BAR)
    axes.hlines(row, low, high, color=INK, linewidth=1.4)
    axes.vlines([low, high], row - 0.1, row + 0.1, color=INK, linewidth=1.4)
    axes.annotate(
        f"{100 * rate:.1f}", (100 * end, row), xytext=(6, 0), textcoords="offset points",
        va="center", color=INK, fontweight="bold",
    )  # fmt: skip


def dress_rates(axes: Axes, label: str, end: float) -> None:
    """Gives axes of rates their label, their range in percent, and a grid behind the bars."""
    axes.set_xlim(0, end or 1.0)
    axes.set_xlabel(label, color=INK)
    axes.tick_params(axis="y", length=0, labelsize=10, labelcolor=INK)
    axes.tick_params(axis="x", labelsize=9, color=FAINT, labelcolor=FAINT)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.grid(axis="x", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def name_rows(axes: Axes, names: list[str]) -> None:
    """Writes the names of the rows, the first on top."""
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)


def plain(text: str) -> str:
    """Returns text that matplotlib writes as it is; $...$ would be a formula."""
    return text.replace("$", r"\$")
