"""What every picture shares: matplotlib itself, the palette and empty panels."""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's palette, which colour-blind readers can tell apart.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"
)  # fmt: skip
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES = ("-", "--", "-.", ":")

# What every matplotlib writes without further programs.
FILE_TYPES = ("jpg", "pdf", "png", "svg")

TARGET: dict[str, Any] = {"color": BLUE, "marker": "o", "markersize": 8, "linestyle": "", "label": "target"}
PREDICTION: dict[str, Any] = {"color": VERMILION, "marker": "D", "markersize": 5, "label": "prediction"}


def matplotlib() -> ModuleType:
    """Return matplotlib with what is used here, or raise naming the command that installs it."""
    try:
        import matplotlib.animation
        import matplotlib.backends.backend_agg
        import matplotlib.figure
    except ModuleNotFoundError as error:
        raise missing_extra("matplotlib", "plot") from error
    return matplotlib


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure to a file whose extension says the format.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    path : str or path-like
        Where to; the folder must exist.
    """
    figure.savefig(path)


def line(i: int, n: int) -> dict[str, Any]:
    """Return the style of the i-th of n curves; the first of several is wide, so that equal ones show on top of it."""
    wide = i == 0 and n > 1
    color, dash = COLORS[i % len(COLORS)], DASHES[i % len(DASHES)]
    return {"color": color, "linestyle": dash, "linewidth": 5 if wide else 2, "alpha": 0.5 if wide else 1}


def new_panels(rows: int, columns: int, size: tuple[float, float], shared: bool = False) -> tuple[Figure, list[Axes]]:
    """Return a new figure with its panels, row by row."""
    plt = matplotlib()
    figure: Figure = plt.figure.Figure(figsize=size, dpi=100, layout="constrained")
    plt.backends.backend_agg.FigureCanvasAgg(figure)
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared).flat)
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels
