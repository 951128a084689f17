"""Activation functions and their derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..reference.activations import ACTIVATIONS, activation_of
from .style import BLUE, VERMILION, new_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    figure, panels = new_panels(rows, columns, (2.6 * columns, 2.2 * rows), shared=True)
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
