"""Figures and panels that notebooks show without pyplot."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase, SubFigure


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


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.figure.savefig(buffer, format="png")
    return buffer.getvalue()


def check_axes(ax: object) -> Axes:
    """Return ``ax`` if it can be drawn in."""
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be a matplotlib Axes, such as plt.subplots() makes, not {ax!r}")
    return ax


def check_figure(figure: object) -> FigureBase:
    """Return a figure, or a part of one, if it is empty."""
    if not isinstance(figure, (Figure, SubFigure)):
        raise TypeError(f"figure must be a matplotlib Figure or SubFigure, such as plt.figure() makes, not {figure!r}")
    if figure.axes:
        raise ValueError(
            f"figure has {len(figure.axes)} panel(s) already: pass an empty one, such as plt.figure() makes, or a "
            "part of one from figure.subfigures()"
        )
    if isinstance(figure, Figure) and figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")  # without one, titles and labels overlap
    return figure
