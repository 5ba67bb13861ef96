"""The languages of a bank as heat maps: how alike they sound, and how alike their parts change the shared vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.atomic import replacing
from spt_whisper.evaluation.inspection.similarity import Similarity

if TYPE_CHECKING:  # matplotlib is loaded only where a picture is drawn
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_COLD, _NEUTRAL, _WARM = "#4c78a8", "#ffffff", "#2a9d76"  # cosines of -1, 0 and 1
_INK = "#222222"
_FAINT = "#8a8a8a"
_DOTS_PER_INCH = 160
_MOST_WRITTEN = 12  # languages; with more, the numbers in the cells would overlap
_DARK = 0.75  # cosines beyond this are written in white


def draw_similarities(similarities: Sequence[Similarity], path: str | Path) -> None:
    """Draws similarities, at least one, side by side as a PNG at `path`, whole or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = 1.6 + 0.45 * max(len(similarity.languages) for similarity in similarities)
    size = max(size, 3.6)  # inches, room for the title
    # a Figure of its own, not pyplot's: pyplot keeps global state and may want a screen
    figure = Figure(figsize=(size * len(similarities) + 1.0, size + 0.4), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    maps = figure.subplots(1, len(similarities), squeeze=False)[0]
    for axes, similarity in zip(maps, similarities, strict=True):
        image = _draw_map(axes, similarity)
    bar = figure.colorbar(image, ax=list(maps), shrink=0.8, ticks=[-1, 0, 1])
    bar.outline.set_visible(False)
    bar.set_label("Cosine", color=_INK)
    bar.ax.tick_params(color=_FAINT, labelcolor=_FAINT, labelsize=9)
    with replacing(path) as temporary:
        canvas.print_figure(temporary, format="png", dpi=_DOTS_PER_INCH, facecolor="white")


def _draw_map(axes: Axes, similarity: Similarity) -> AxesImage:
    from matplotlib.colors import LinearSegmentedColormap

    colors = LinearSegmentedColormap.from_list("cosine", [_COLD, _NEUTRAL, _WARM])
    image = axes.imshow(similarity.cosines, cmap=colors, vmin=-1, vmax=1)
    places = range(len(similarity.languages))
    names = [language.replace("$", r"\$") for language in similarity.languages]
    axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 3 else 0)
    axes.set_yticks(places, names)
    axes.tick_params(length=0, labelsize=10, labelcolor=_INK)
    axes.spines[:].set_visible(False)
    axes.set_title(similarity.what.replace(" (", "\n("), loc="left", fontsize=10, color=_INK)
    if len(names) <= _MOST_WRITTEN:
        for row in places:
            for column in places:
                cosine = similarity.cosines[row][column]
                ink = "white" if abs(cosine) > _DARK else _INK
                axes.text(column, row, f"{cosine:z.2f}", ha="center", va="center", color=ink, fontsize=8)  # fmt: skip
    return image
