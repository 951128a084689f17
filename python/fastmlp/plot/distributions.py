"""Histograms of what a network has learnt, and of what it would learn next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..reference.arrays import Array
from ..reference.loss_choice import LossSpec
from .models import MOST_LAYERS, check_finite, evenly, layer_names, network_of, samples_of
from .style import BLUE, VERMILION, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .style import Place

MOST_BINS = 40


def histograms(
    net: Any,
    X: npt.ArrayLike | None = None,
    Y: npt.ArrayLike | None = None,
    *,
    loss: LossSpec | None = None,
    ax: Place = None,
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
    ax : matplotlib.axes.Axes or sequence of them, optional
        An empty panel, in whose place the panels are drawn, or one for each of them; by default those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        The figure that was drawn in.

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

    layers = evenly(len(network.weights), MOST_LAYERS)
    rows, columns = len(layers), len(quantities)
    size = max(2.4 * columns, 5), max(1.5 * rows + 0.4, 3)
    figure, drawn = panels(rows * columns, columns, size, ax)
    for i, axes in enumerate(drawn):
        l, (letter, arrays) = layers[i // columns], list(quantities.items())[i % columns]
        _draw(axes, arrays[l], VERMILION if letter.startswith("d") else BLUE)
        if l == 0:
            axes.set_title(letter)
        if i % columns == 0:
            axes.set_ylabel(f"{layer_names(network)[l + 1]}\n{network.activations[l]}")
    return figure


def _draw(axes: Axes, values: Array, color: str) -> None:
    values = values.astype(np.float64).ravel()
    axes.hist(values, bins=min(MOST_BINS, max(8, math.isqrt(values.size))), color=color)
    axes.locator_params(axis="y", integer=True, nbins=4)
    axes.locator_params(axis="x", nbins=4)
    axes.ticklabel_format(axis="x", scilimits=(-2, 3))
