"""Pictures of networks at work, drawn with matplotlib (``pip install 'fastmlp[plot]'``).

Every function returns a matplotlib Figure of its own, so nothing depends on or changes pyplot's
state; :func:`save` writes one to a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import missing_extra
from .reference.activations import ACTIVATIONS, activation_of

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


def activations(names: Sequence[str] = tuple(ACTIVATIONS)) -> Figure:
    """Draw activation functions, each with its derivative.

    Parameters
    ----------
    names : sequence of str
        Which ones; by default all.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure, panels = _panels(rows, columns, (2.6 * columns, 2.2 * rows), shared=True)
    # An even number of points steps over z = 0, where relu's derivative jumps.
    z = np.linspace(-4, 4, 1000)
    for axes, name in zip(panels, names, strict=False):
        s = activation_of(name)
        a = s.value(z)
        axes.plot(z, a, color=BLUE, label="s(z)")
        axes.plot(z, s.derivative(z, a), color=VERMILION, linestyle="--", label="s'(z)")
        axes.set(title=name, ylim=(-1.5, 2.5))
    panels[0].legend()
    return figure


def convergence(outputs: npt.ArrayLike, target: float, losses: npt.ArrayLike, xlabel: str = "iteration") -> Figure:
    """Draw how one output approaches its target, and the error beside it.

    Parameters
    ----------
    outputs : array_like, shape (n,)
        The output after 0, 1, 2 ... updates.
    target : float
        What it should become.
    losses : array_like, shape (n,)
        J after 0, 1, 2 ... updates.
    xlabel : str, default "iteration"
        Label of the horizontal axes.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, (left, right) = _panels(1, 2, (9, 3.8))
    y = np.ravel(outputs)
    left.axhline(target, color=BLUE, linestyle="--", label="target")
    left.plot(y, color=VERMILION, marker="o", markersize=4, label="output")
    left.set(title="output", xlabel=xlabel, ylabel="y")
    left.legend()
    right.plot(np.ravel(losses), color=VERMILION, marker="o", markersize=4)
    right.set(title="error", xlabel=xlabel, ylabel="J")
    for axes in (left, right):
        axes.locator_params(axis="x", integer=True)
    return figure


def losses(curves: Mapping[str, npt.ArrayLike], xlabel: str = "epoch") -> Figure:
    """Draw the error over time on a logarithmic axis, one line per run.

    Parameters
    ----------
    curves : mapping of str to array_like
        J after 0, 1, 2 ... updates, by the run's name.
    xlabel : str, default "epoch"
        Label of the horizontal axis.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, (axes,) = _panels(1, 1, (6.4, 4))
    for i, (name, J) in enumerate(curves.items()):
        axes.plot(np.ravel(J), label=name, **_line(i, len(curves)))
    axes.set(title="error", xlabel=xlabel, ylabel="J", yscale="log")
    axes.legend()
    return figure


def fits(x: npt.ArrayLike, targets: npt.ArrayLike, predictions: Mapping[str, npt.ArrayLike], xlabel: str) -> Figure:
    """Draw targets against predictions, one panel per moment of the training.

    Parameters
    ----------
    x : array_like, shape (n,)
        Places on the horizontal axis.
    targets : array_like, shape (n,)
        What the predictions should become.
    predictions : mapping of str to array_like, shapes (n,)
        Predictions, by the panel's title.
    xlabel : str
        Label of the horizontal axes.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = 2 if len(predictions) > 1 else 1
    rows = -(-len(predictions) // columns)
    figure, panels = _panels(rows, columns, (4.5 * columns, 3.1 * rows), shared=True)
    for axes, (title, y) in zip(panels, predictions.items(), strict=False):
        axes.plot(x, np.ravel(targets), **TARGET)
        axes.plot(x, np.ravel(y), linestyle="", **PREDICTION)
        axes.set(title=title, xlabel=xlabel, ylabel="y", xticks=np.ravel(x))
        axes.label_outer()
    panels[0].legend()
    return figure


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
    figure, (axes,) = _panels(1, 1, (6, 4))
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


def _line(i: int, n: int) -> dict[str, Any]:
    """Return the style of the i-th of n curves; the first of several is wide, so that equal ones show on top of it."""
    wide = i == 0 and n > 1
    color, dash = COLORS[i % len(COLORS)], DASHES[i % len(DASHES)]
    return {"color": color, "linestyle": dash, "linewidth": 5 if wide else 2, "alpha": 0.5 if wide else 1}


def _panels(rows: int, columns: int, size: tuple[float, float], shared: bool = False) -> tuple[Figure, list[Axes]]:
    """Return a new figure with its panels, row by row."""
    plt = matplotlib()
    figure: Figure = plt.figure.Figure(figsize=size, dpi=100, layout="constrained")
    plt.backends.backend_agg.FigureCanvasAgg(figure)
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared).flat)
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels
