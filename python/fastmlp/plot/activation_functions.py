"""Activation functions and their derivatives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ..reference.activations import ACTIVATIONS, activation_of
from ..reference.arrays import Array
from ..reference.links import LINKS
from .models import network_of
from .style import BLUE, VERMILION, colors_of, panel, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .style import Place


@overload
def activations(which: Any = ..., *, ax: Axes) -> Axes: ...
@overload
def activations(which: Any = ..., *, ax: Iterable[Any] | None = None) -> Figure: ...
def activations(which: Any = tuple(ACTIVATIONS), *, ax: Place = None) -> Figure | Axes:
    """Draw activation functions, each with its derivative.

    Parameters
    ----------
    which : str, sequence of str, Network or estimator
        Names such as "tanh" or "leaky_relu(0.2)", or a network, of whose layers each activation is drawn once but for
        "softmax" and "mean_variance", which are no functions of one number. By default all.
    ax : matplotlib.axes.Axes or sequence of them, optional
        One panel to draw them all in, or one for each; by default each has its own in a new figure.

    Returns
    -------
    matplotlib.axes.Axes or matplotlib.figure.Figure
        The one panel, or the figure of all.

    Raises
    ------
    TypeError, ValueError
        If there is no such activation.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> [ax.get_title() for ax in plot.activations(["relu", "leaky_relu(0.2)"]).axes]
    ['relu', 'leaky_relu(0.2)']
    >>> net = fastmlp.Network([4, 8, 8, 3], activation=["tanh", "sin"], output_activation="softmax")
    >>> [ax.get_title() for ax in plot.activations(net).axes]
    ['tanh', 'sin']
    """
    names = _names(which)
    if ax is None or np.iterable(ax):
        return _draw_each(names, ax)
    axes = panel(ax, (6.4, 4))
    for name, color in zip(names, colors_of(len(names)), strict=True):
        z, a, slope = _curve(name)
        axes.plot(z, a, color=color, label=name)
        axes.plot(z, slope, color=color, linestyle="--")
    axes.set(title="s(z), and s'(z) dashed", xlabel="z", ylim=(-1.5, 2.5))
    axes.legend()
    return axes


def _draw_each(names: Sequence[str], ax: Place) -> Figure:
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    size = max(2.6 * columns, 3.6), max(2.2 * rows, 3)
    figure, drawn = panels(len(names), columns, size, ax, shared=True)
    for axes, name in zip(drawn, names, strict=True):
        z, a, slope = _curve(name)
        axes.plot(z, a, color=BLUE, label="s(z)")
        axes.plot(z, slope, color=VERMILION, linestyle="--", label="s'(z)")
        axes.set(title=name, ylim=(-1.5, 2.5))
    drawn[0].legend()
    return figure


def _curve(name: str) -> tuple[Array, Array, Array]:
    """Return z, s(z) and s'(z)."""
    # An even number of points steps over z = 0, where relu's derivative jumps.
    z = np.linspace(-4, 4, 1000)
    s = activation_of(name)
    a = s.value(z)
    return z, a, s.derivative(z, a)


def _names(which: Any) -> list[str]:
    """Return names of activations that have a curve."""
    if isinstance(which, str):
        return [which]
    names = which if isinstance(which, Sequence) else network_of(which, "which").activations
    names = list(dict.fromkeys(name for name in names if isinstance(which, Sequence) or name not in LINKS))
    if not names:
        raise ValueError("there is no activation to draw: those of whole rows, such as 'softmax', have no curve")
    return names
