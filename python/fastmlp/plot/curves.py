"""The losses of a run over its epochs, as moving and live pictures draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..reference.arrays import Array
from ..reference.results import History
from .course import spans
from .style import BLUE, VERMILION, matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The most points of a curve: more than a picture has columns.
N_POINTS = 800

STYLES: dict[str, dict[str, Any]] = {
    "loss": {"color": BLUE, "linewidth": 2},
    "validation": {"color": VERMILION, "linewidth": 2},
}


def loss_curves(history: History) -> dict[str, tuple[Array, Array]]:
    """Return the epochs and losses of each curve there is, evenly thinned where there are many."""
    curves = {}
    for name, curve in (("loss", history.loss), ("validation", history.validation_loss)):
        if curve:
            epochs = np.unique(np.linspace(1, len(curve), min(N_POINTS, len(curve))).round().astype(int))
            curves[name] = epochs, np.array([curve[e - 1] for e in epochs.tolist()], np.float64)
    return curves


def is_wide(history: History) -> bool:
    """Return whether a logarithmic axis shows the losses better."""
    return spans(np.concatenate([np.empty(0), *(values for _, values in loss_curves(history).values())]))


def draw_losses(axes: Axes, history: History) -> None:
    """Draw the losses of every epoch so far."""
    for name, (epochs, values) in loss_curves(history).items():
        axes.plot(epochs, values, label=name, **STYLES[name])
    axes.set(title="loss", xlabel="epoch")
    if is_wide(history):
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(matplotlib().ticker.NullFormatter())
    if history.validation_loss:
        axes.legend()
