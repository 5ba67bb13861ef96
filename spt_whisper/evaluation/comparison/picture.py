"""A comparison as a picture: the error rates of each recipe, with interval and one dot a seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.evaluation.comparison.summary import RecipeSummary, SeedRates
from spt_whisper.evaluation.figure import (
    FAINT,
    INK,
    draw_rate,
    drawn_figure,
    dress_rates,
    name_rows,
)
from spt_whisper.evaluation.rates import RATES

if TYPE_CHECKING:  # matplotlib is loaded only where a picture is drawn
    from matplotlib.axes import Axes


def draw_comparison(rows: Sequence[RecipeSummary], path: str | Path) -> None:
    """Draws the recipes, at least one, as a PNG at `path`, whole or not at all; the best one stands out."""
    shown = RATES[rows[0].main_rate].shown
    with drawn_figure(path, 10.0, 1.5 + 0.5 * len(rows)) as figure:
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, rate in zip(panels, shown, strict=True):
            _draw_rates(axes, [row.rates[rate] for row in rows], f"{RATES[rate].name} (%)")
        name_rows(panels[0], [row.name for row in rows])
        figure.supxlabel(
            "Mean over seeds with 95 % interval of the test speech; a dot is a seed; lower is better",
            fontsize=9,
            color=FAINT,
        )


def _draw_rates(axes: Axes, rates: Sequence[SeedRates], label: str) -> None:
    best = min(rate.mean for rate in rates)
    ends = [max(*rate.rates, rate.interval[1]) for rate in rates]
    for row, (rate, end) in enumerate(zip(rates, ends, strict=True)):
        stands_out = rate.mean == best and len(rates) > 1
        draw_rate(axes, row, rate.mean, rate.interval, end, stands_out)
        seeds = [100 * value for value in rate.rates]
        # below the interval, which they would hide
        axes.plot(seeds, [row + 0.2] * len(seeds), "o", color=INK, markerfacecolor="white", ms=5)
    dress_rates(axes, label, 115 * max(ends))
