"""Histograms of what a network has learnt, and of what it would learn next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..reference.arrays import Array
from ..reference.loss_choice import LossSpec
from .models import check_finite, layer_names, network_of, samples_of
from .style import BLUE, VERMILION, new_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure, FigureBase

MOST_BINS = 40

# Of deeper networks, layers from the first to the last are drawn.
MOST_LAYERS = 12


def histograms(
    net: Any,
    X: npt.ArrayLike | None = None,
    Y: npt.ArrayLike | None = None,
    *,
    loss: LossSpec | None = None,
    figure: FigureBase | None = None,
) -> Figure:
    """Draw histograms of the weights and biases of each layer and, with samples, of their gradients.

    Of more than 12 layers, 12 are drawn that are spread evenly from the first to the last.

    Parameters
    ----------
    net : Network or estimator
        A network, a fitted estimator, or a pipeline that ends in one.
    X : array_like or sparse matrix, shape (n, n_in), optional
        Inputs. With them there are gradients of the mean loss too.
    Y : array_like, shape (n, n_out) or (n,), optional
        Targets; of a classifier labels, as for its ``fit``.
    loss : str or callable, optional
        Loss of a sample, as for :meth:`fastmlp.Network.loss`; by default that of the estimator, and "squared_error"
        for a network by itself.
    figure : matplotlib.figure.Figure or SubFigure, optional
        An empty figure, or part of one, to draw in; by default a new one.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        What was drawn in.

    Raises
    ------
    TypeError, ValueError
        If there is no network, X and Y do not come together or do not fit it, or a parameter is not finite.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> net = fastmlp.Network([2, 8, 1], random_state=0)
    >>> figure = plot.histograms(net, [[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0])
    >>> [ax.get_title() for ax in figure.axes[:4]]
    ['W', 'b', 'dW', 'db']
    """
    network = network_of(net)
    check_finite(network)
    quantities: dict[str, Sequence[Array]] = {"W": network.weights, "b": network.biases}
    if X is not None and Y is not None:
        X, Y, own_loss = samples_of(net, X, Y)
        gradients = network.gradients(X, Y, loss or own_loss or "squared_error")
        quantities |= {"dW": gradients.weights, "db": gradients.biases}
    elif X is not None or Y is not None or loss is not None:
        raise ValueError("gradients need both X and Y: pass them together, or neither of them nor a loss")
    quantities = {letter: arrays for letter, arrays in quantities.items() if arrays}

    depth = len(network.weights)
    layers = np.linspace(0, depth - 1, min(depth, MOST_LAYERS)).round().astype(int)
    rows, columns = len(layers), len(quantities)
    height = max(1.5 * rows + 0.4, 3)
    drawn, panels = new_panels(rows, columns, (max(2.4 * columns, 5), height), figure=figure)
    for i, axes in enumerate(panels):
        l, (letter, arrays) = int(layers[i // columns]), list(quantities.items())[i % columns]
        _draw(axes, arrays[l], VERMILION if letter.startswith("d") else BLUE)
        if l == 0:
            axes.set_title(letter)
        if i % columns == 0:
            axes.set_ylabel(f"{layer_names(network)[l + 1]}\n{network.activations[l]}")
    return drawn


def _draw(axes: Any, values: Array, color: str) -> None:
    values = values.astype(np.float64).ravel()
    axes.hist(values, bins=min(MOST_BINS, max(8, math.isqrt(values.size))), color=color)
    axes.locator_params(axis="y", integer=True, nbins=4)
    axes.locator_params(axis="x", nbins=4)
    axes.ticklabel_format(axis="x", scilimits=(-2, 3))
