"""A comparison as a picture: WER and CER of each recipe, with interval and one dot a seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.atomic import replacing
from spt_whisper.evaluation.comparison.summary import RecipeSummary, SeedRates

if TYPE_CHECKING:  # matplotlib is loaded only where a picture is drawn
    from matplotlib.axes import Axes

_BAR = "#4c78a8"
_BEST_BAR = "#2a9d76"
_INK = "#222222"
_FAINT = "#8a8a8a"
_DOTS_PER_INCH = 160


def draw_comparison(rows: Sequence[RecipeSummary], path: str | Path) -> None:
    """Draws the recipes, at least one, as a PNG at `path`, whole or not at all; the best one stands out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # a Figure of its own, not pyplot's: pyplot keeps global state and may want a screen
    figure = Figure(figsize=(10.0, 1.5 + 0.5 * len(rows)), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    words, characters = figure.subplots(1, 2, sharey=True)
    _draw_rates(words, [row.wer for row in rows], "Word error rate (%)")
    _draw_rates(characters, [row.cer for row in rows], "Character error rate (%)")
    names = [row.name.replace("$", r"\$") for row in rows]  # $...$ would be a formula
    words.set_yticks(range(len(rows)), names)
    words.set_ylim(len(rows) - 0.4, -0.6)  # the first recipe on top
    figure.supxlabel(
        "Mean over seeds with 95 % interval of the test speech; a dot is a seed; lower is better",
        fontsize=9,
        color=_FAINT,
    )
    with replacing(path) as temporary:
        canvas.print_figure(temporary, format="png", dpi=_DOTS_PER_INCH, facecolor="white")


def _draw_rates(axes: Axes, rates: Sequence[SeedRates], label: str) -> None:
    best = min(rate.mean for rate in rates)
    furthest = max(max(*rate.rates, rate.interval[1]) for rate in rates)
    for row, rate in enumerate(rates):
        color = _BEST_BAR if rate.mean == best and len(rates) > 1 else _BAR
        low, high = (100 * end for end in rate.interval)
        axes.barh(row, 100 * rate.mean, height=0.62, color=color)
        axes.hlines(row, low, high, color=_INK, linewidth=1.4)
        axes.vlines([low, high], row - 0.1, row + 0.1, color=_INK, linewidth=1.4)
        seeds = [100 * value for value in rate.rates]
        # below the interval, which they would hide
        axes.plot(seeds, [row + 0.2] * len(seeds), "o", color=_INK, markerfacecolor="white", ms=5)
        axes.annotate(
            f"{100 * rate.mean:.1f}",
            (max(high, *seeds), row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=_INK,
            fontweight="bold",
        )
    _dress(axes, label, 115 * furthest or 1.0)


def _dress(axes: Axes, label: str, end: float) -> None:
    axes.set_xlim(0, end)
    axes.set_xlabel(label, color=_INK)
    axes.tick_params(axis="y", length=0, labelsize=10, labelcolor=_INK)
    axes.tick_params(axis="x", labelsize=9, color=_FAINT, labelcolor=_FAINT)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
