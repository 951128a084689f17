"""How an output and a fit come along during a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .style import BLUE, PREDICTION, TARGET, VERMILION, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .style import Place


def convergence(
    outputs: npt.ArrayLike, target: float, losses: npt.ArrayLike, *, xlabel: str = "iteration", ax: Place = None
) -> Figure:
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
    ax : matplotlib.axes.Axes or sequence of them, optional
        An empty panel, in whose place the panels are drawn, or one for each of them; by default those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        The figure that was drawn in.

    Raises
    ------
    TypeError, ValueError
        If ``ax`` is something else.

    Examples
    --------
    >>> from fastmlp import plot
    >>> [ax.get_title() for ax in plot.convergence([0.1, 0.6, 0.9], 1.0, [0.4, 0.1, 0.0]).axes]
    ['output', 'error']
    """
    figure, (left, right) = panels(2, 2, (9, 3.8), ax)
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


def fits(
    x: npt.ArrayLike,
    targets: npt.ArrayLike,
    predictions: Mapping[str, npt.ArrayLike],
    *,
    xlabel: str = "x",
    ax: Place = None,
) -> Figure:
    """Draw targets against predictions, one panel per moment of the training.

    Parameters
    ----------
    x : array_like, shape (n,)
        Places on the horizontal axis.
    targets : array_like, shape (n,)
        What the predictions should become.
    predictions : mapping of str to array_like, shapes (n,)
        Predictions, by the panel's title.
    xlabel : str, default "x"
        Label of the horizontal axes.
    ax : matplotlib.axes.Axes or sequence of them, optional
        An empty panel, in whose place the panels are drawn, or one for each of them; by default those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        The figure that was drawn in.

    Raises
    ------
    TypeError, ValueError
        If there are no predictions, or another number of panels than of them.

    Examples
    --------
    >>> from fastmlp import plot
    >>> figure = plot.fits([0.0, 1.0], [0.5, 1.5], {"after 5 epochs": [0.2, 0.9], "after 50 epochs": [0.5, 1.4]})
    >>> [ax.get_title() for ax in figure.axes]
    ['after 5 epochs', 'after 50 epochs']
    """
    n = len(predictions)
    if not n:
        raise ValueError("predictions is empty: name one moment at least")
    columns = 2 if n > 1 else 1
    rows = -(-n // columns)
    figure, drawn = panels(n, columns, (4.5 * columns, 3.1 * rows), ax, shared=True)
    for i, (axes, (title, y)) in enumerate(zip(drawn, predictions.items(), strict=True)):
        axes.plot(x, np.ravel(targets), **TARGET)
        axes.plot(x, np.ravel(y), linestyle="", **PREDICTION)
        axes.set(title=title, xticks=np.ravel(x))
        axes.set(xlabel=xlabel if i + columns >= n else "", ylabel="" if i % columns else "y")
    drawn[0].legend()
    return figure
