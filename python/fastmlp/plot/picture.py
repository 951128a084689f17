"""Figures and panels: new ones, which notebooks show without pyplot, and those of the user."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure


class Picture(Figure):
    """A figure that a notebook shows where it is a cell's last value.

    Notebooks learn to show matplotlib's figures from pyplot, which is not imported here.
    """

    def _repr_png_(self) -> bytes:
        return _png(self)


class Panel(Axes):
    """A panel of such a figure, which stands for the whole of it."""

    def _repr_png_(self) -> bytes:
        return _png(self.figure)


class MovingPicture(FuncAnimation):
    """An animation that a notebook shows, as a GIF."""

    def __init__(self, figure: Figure, show: Callable[[int], None], frames: range, fps: float, write_gif: Any) -> None:
        super().__init__(figure, show, frames, lambda: None, interval=1000 / fps)
        self._write_gif = write_gif

    def _repr_mimebundle_(self, **asked: Any) -> dict[str, str]:
        self._draw_was_started = True  # or it warns that nobody looked
        buffer = io.BytesIO()
        self._write_gif(buffer)
        return {"image/gif": base64.b64encode(buffer.getvalue()).decode()}


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.figure.savefig(buffer, format="png")
    return buffer.getvalue()


def new_figure(n: int, columns: int, size: tuple[float, float], shared: bool) -> tuple[Any, list[Axes]]:
    """Return a new figure of that size in inches, with n panels."""
    figure = Picture(figsize=size, dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, _fill(figure, n, columns, shared, Panel)


def given_panels(ax: object, n: int, columns: int, shared: bool) -> tuple[Any, list[Axes]]:
    """Return the n panels that were given, or that many in the place of the one given; and their figure first."""
    if isinstance(ax, Axes):
        if n > 1:
            part = _part_in_place_of(ax, n)
            return part, _fill(part, n, columns, shared, Axes)
        panels = [ax]
    else:
        several: Any = np.ravel(np.asarray(ax, dtype=object))
        panels = [check_axes(one, "ax must be a matplotlib Axes, or a sequence of them") for one in several]
        if len(panels) != n:
            raise ValueError(
                f"ax holds {len(panels)} Axes, and {n} are to be drawn in: pass as many, or one whose place they share"
            )
    return panels[0].figure, panels


def check_axes(ax: object, must: str = "ax must be a matplotlib Axes") -> Axes:
    """Return ``ax`` if it can be drawn in."""
    if not isinstance(ax, Axes):
        raise TypeError(f"{must}, such as plt.subplots() makes, not {ax!r}")
    return ax


def _part_in_place_of(ax: Axes, n: int) -> SubFigure:
    """Return a part of a figure in the place of an empty panel, which is hidden, with its title; n will share it."""
    place, figure = ax.get_subplotspec(), ax.figure
    if place is None:
        raise ValueError(f"ax has no place in a grid for {n} panels: make it by plt.subplots(), or pass {n}")
    if ax.has_data() or not ax.get_visible():
        raise ValueError(f"ax is drawn in already: pass an empty one, whose place {n} panels may share, or {n}")
    whole: Any = figure.figure
    if whole.get_layout_engine() is None and whole.axes == [ax]:
        whole.set_layout_engine("constrained")  # without one, titles and labels overlap
    ax.set_visible(False)
    part = figure.add_subfigure(place)
    if title := ax.get_title():
        part.suptitle(title)
    return part


def _fill(figure: Any, n: int, columns: int, shared: bool, kind: type[Axes]) -> list[Axes]:
    """Return n new panels of a figure, row by row; shared axes have their numbers on the outside alone."""
    grid, panels = figure.add_gridspec(-(-n // columns), columns), list[Axes]()
    for i in range(n):
        first = panels[0] if shared and panels else None
        axes = figure.add_subplot(grid[divmod(i, columns)], sharex=first, sharey=first, axes_class=kind)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if shared:
            axes.tick_params(labelbottom=i + columns >= n, labelleft=i % columns == 0)
        panels.append(axes)
    return panels
