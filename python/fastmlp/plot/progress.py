"""How an output and a fit come along during a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .style import BLUE, PREDICTION, TARGET, VERMILION, new_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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

    Examples
    --------
    >>> from fastmlp import plot
    >>> [ax.get_title() for ax in plot.convergence([0.1, 0.6, 0.9], 1.0, [0.4, 0.1, 0.0]).axes]
    ['output', 'error']
    """
    figure, (left, right) = new_panels(1, 2, (9, 3.8))
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

    Examples
    --------
    >>> from fastmlp import plot
    >>> figure = plot.fits([0.0, 1.0], [0.5, 1.5], {"after 5 epochs": [0.2, 0.9], "after 50 epochs": [0.5, 1.4]}, "x")
    >>> [ax.get_title() for ax in figure.axes]
    ['after 5 epochs', 'after 50 epochs']
    """
    columns = 2 if len(predictions) > 1 else 1
    rows = -(-len(predictions) // columns)
    figure, panels = new_panels(rows, columns, (4.5 * columns, 3.1 * rows), shared=True)
    for axes, (title, y) in zip(panels, predictions.items(), strict=False):
        axes.plot(x, np.ravel(targets), **TARGET)
        axes.plot(x, np.ravel(y), linestyle="", **PREDICTION)
        axes.set(title=title, xlabel=xlabel, ylabel="y", xticks=np.ravel(x))
        axes.label_outer()
    panels[0].legend()
    return figure
