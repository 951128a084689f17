"""Moving pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .style import TARGET, VERMILION, matplotlib, new_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def animate_fit(
    path: str | os.PathLike[str],
    x: npt.ArrayLike,
    targets: npt.ArrayLike,
    grid: npt.ArrayLike,
    frames: Mapping[str, npt.ArrayLike],
) -> None:
    """Write an animated GIF of a curve that learns to pass by its targets.

    Parameters
    ----------
    path : str or path-like
        The file to write.
    x, targets : array_like, shapes (n,)
        The samples.
    grid : array_like, shape (m,)
        Inputs of the curve.
    frames : mapping of str to array_like, shapes (m,)
        Predictions on the grid, by the frame's title.
    """
    figure, (axes,) = new_panels(1, 1, (6, 4))
    curves = {title: np.ravel(y) for title, y in frames.items()}
    axes.plot(x, np.ravel(targets), **TARGET)
    (curve,) = axes.plot(grid, np.zeros_like(np.ravel(grid)), color=VERMILION, label="prediction")
    everything = np.concatenate([np.ravel(targets), *curves.values()])
    axes.set(xlabel="x", ylabel="y", ylim=(everything.min() - 0.1, everything.max() + 0.1))
    axes.legend(loc="lower right")

    def show(title: str) -> None:
        axes.set_title(title)
        curve.set_ydata(curves[title])

    _write_gif(figure, path, list(curves), show)


def _write_gif(figure: Figure, path: str | os.PathLike[str], titles: list[str], show: Callable[[str], None]) -> None:
    n_still = 12  # the last frame stays a while before the loop begins again
    show(titles[0])
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # a layout per frame would take longer than the drawing
    writer = matplotlib().animation.PillowWriter(fps=8)
    with writer.saving(figure, os.fspath(path), dpi=100):
        for title in titles + titles[-1:] * n_still:
            show(title)
            writer.grab_frame()
