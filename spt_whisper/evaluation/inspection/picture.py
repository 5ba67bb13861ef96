"""The languages of a bank as heat maps: how alike they sound, and how alike their parts change the shared vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.evaluation.figure import BAR, BEST_BAR, FAINT, INK, drawn_figure, plain
from spt_whisper.evaluation.inspection.similarity import Similarity

if TYPE_CHECKING:  # matplotlib is loaded only where a picture is drawn
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_COLD, _NEUTRAL, _WARM = BAR, "#ffffff", BEST_BAR  # cosines of -1, 0 and 1
_MOST_WRITTEN = 12  # languages; with more, the numbers in the cells would overlap
_DARK = 0.75  # cosines beyond this are written in white


def draw_similarities(similarities: Sequence[Similarity], path: str | Path) -> None:
    """Draws similarities, at least one, side by side as a PNG at `path`, whole or not at all."""
    size = 1.6 + 0.45 * max(len(similarity.languages) for similarity in similarities)
    size = max(size, 3.6)  # inches, room for the title
    with drawn_figure(path, size * len(similarities) + 1.0, size + 0.4) as figure:
        maps = figure.subplots(1, len(similarities), squeeze=False)[0]
        for axes, similarity in zip(maps, similarities, strict=True):
            image = _draw_map(axes, similarity)
        bar = figure.colorbar(image, ax=list(maps), shrink=0.8, ticks=[-1, 0, 1])
        bar.outline.set_visible(False)
        bar.set_label("Cosine", color=INK)
        bar.ax.tick_params(color=FAINT, labelcolor=FAINT, labelsize=9)


def _draw_map(axes: Axes, similarity: Similarity) -> AxesImage:
    from matplotlib.colors import LinearSegmentedColormap

    colors = LinearSegmentedColormap.from_list("cosine", [_COLD, _NEUTRAL, _WARM])
    image = axes.imshow(similarity.cosines, cmap=colors, vmin=-1, vmax=1)
    places = range(len(similarity.languages))
    names = [plain(language) for language in similarity.languages]
    axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 3 else 0)
    axes.set_yticks(places, names)
    axes.tick_params(length=0, labelsize=10, labelcolor=INK)
    axes.spines[:].set_visible(False)
    axes.set_title(similarity.what.replace(" (", "\n("), loc="left", fontsize=10, color=INK)
    if len(names) <= _MOST_WRITTEN:
        for row in places:
            for column in places:
                cosine = similarity.cosines[row][column]
                ink = "white" if abs(cosine) > _DARK else INK
                axes.text(column, row, f"{cosine:z.2f}", ha="center", va="center", color=ink, fontsize=8)  # fmt: skip
    return image
