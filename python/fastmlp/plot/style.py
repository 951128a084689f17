"""What every picture shares: matplotlib itself, the palette and empty panels."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    Place = Axes | Iterable[Any] | None

# Okabe & Ito's palette, which colour-blind readers can tell apart. Curves have neither its black, which vanishes on
# dark grounds, nor its yellow, which vanishes on light ones.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
DASHES = ("-", "--", "-.", ":")

# What every matplotlib writes without further programs.
FILE_TYPES = ("jpg", "pdf", "png", "svg")

TARGET: dict[str, Any] = {"color": BLUE, "marker": "o", "markersize": 8, "linestyle": "", "label": "target"}
PREDICTION: dict[str, Any] = {"color": VERMILION, "marker": "D", "markersize": 5, "label": "prediction"}


def matplotlib() -> ModuleType:
    """Return matplotlib with what is used here, or raise naming the command that installs it."""
    try:
        import matplotlib.animation
        import matplotlib.cm
        import matplotlib.collections
        import matplotlib.colors
    except ModuleNotFoundError as error:
        raise missing_extra("matplotlib", "plot") from error
    return matplotlib


def save(figure: Figure | Axes, path: str | os.PathLike[str]) -> None:
    """Write a figure to a file whose extension says the format.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or matplotlib.axes.Axes
        What to write; of an Axes, the figure that it is in.
    path : str or path-like
        Where to; the folder must exist.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from fastmlp import plot
    >>> path = pathlib.Path(tempfile.mkdtemp(), "tanh.svg")
    >>> plot.save(plot.activations("tanh"), path)
    >>> path.exists()
    True
    """
    if not hasattr(figure, "figure"):
        raise TypeError(f"figure must be a matplotlib Figure or Axes, not {figure!r}")
    root_of(figure).savefig(path)


def root_of(drawn: Figure | Axes) -> Figure:
    """Return the whole figure that something belongs to."""
    part: Any = drawn.figure  # of a panel it may be a part of a figure, whose own is the whole
    whole: Figure = part.figure
    return whole


def line(i: int, n: int) -> dict[str, Any]:
    """Return the style of the i-th of n curves; the first of several is wide, so that equal ones show on top of it."""
    many = n > len(COLORS)
    return {
        "color": colors_of(n)[i],
        "linestyle": "-" if many else DASHES[i % len(DASHES)],
        "linewidth": 4 if i == 0 and n > 1 and not many else 2,
    }


def colors_of(n: int) -> list[str]:
    """Return n colours that differ: those of the palette or, beyond its end, of a map for the colour-blind too."""
    if n <= len(COLORS):
        return list(COLORS[:n])
    plt = matplotlib()
    steps = plt.colormaps["viridis"]([0.25 + 0.65 * i / (n - 1) for i in range(n)])  # its ends vanish on some grounds
    return [str(plt.colors.to_hex(color)) for color in steps]


def panels(
    n: int, columns: int, size: tuple[float, float], ax: Place = None, *, shared: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a figure and n panels of it, row by row.

    Without ``ax`` it is a new figure of that size in inches. One Axes is the place of all the panels, and several are
    the panels themselves.
    """
    matplotlib()
    from . import picture

    return picture.new_figure(n, columns, size, shared) if ax is None else picture.given_panels(ax, n, columns, shared)


def panel(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return what to draw in: the panel given or, without one, that of a new figure of that size in inches."""
    if ax is None:
        return panels(1, 1, size)[1][0]
    matplotlib()
    from .picture import check_axes

    return check_axes(ax)


def ground(ax: Axes) -> str:
    """Return the colour behind a panel, as "#rrggbb"."""
    colors, part = matplotlib().colors, ax.figure
    color: Any = "white"
    for patch in (root_of(ax).patch, part.patch, *([ax.patch] if ax.axison else [])):
        if patch.get_visible() and colors.to_rgba(patch.get_facecolor())[3] > 0.5:
            color = patch.get_facecolor()
    return str(colors.to_hex(color))


def ink() -> str:
    """Return the colour of text, which is readable on the ground of the style in use."""
    return str(matplotlib().rcParams["text.color"])


def is_dark(color: str) -> bool:
    """Return whether white is more readable on a colour than black."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in matplotlib().colors.to_rgb(color)
    )
    # The luminance of sRGB, and where the contrast to white and to black is the same.
    return bool(0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.179)


def diverging(ax: Axes) -> Colormap:
    """Return colours from negative to positive through that of the panel's ground, where zero vanishes."""
    middle = ground(ax)
    ends = (ORANGE, SKY) if is_dark(middle) else (VERMILION, BLUE)
    cmap: Colormap = matplotlib().colors.LinearSegmentedColormap.from_list("signs", [ends[0], middle, ends[1]])
    return cmap


def rising(ax: Axes, least: float = 0.0) -> Colormap:
    """Return colours from that of the panel's ground, for none, to a strong one; the first is that share of the way."""
    full = SKY if is_dark(ground(ax)) else BLUE
    colors: Any = matplotlib().colors
    ramp = colors.LinearSegmentedColormap.from_list("counts", [ground(ax), full])
    cmap: Colormap = colors.LinearSegmentedColormap.from_list("counts", [ramp(least), full])
    return cmap
