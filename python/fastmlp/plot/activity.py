"""What the neurons of a network do for one input."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..reference.arrays import Array
from . import layout, models
from .style import ink, matplotlib, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def neurons(
    net: Any,
    x: npt.ArrayLike,
    *,
    detail: str = "auto",
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the activation of every neuron for one input.

    Parameters
    ----------
    net : Network or estimator
        A network, a fitted estimator, or a pipeline that ends in one.
    x : array_like, shape (n_in,) or (1, n_in)
        The input.
    detail : {"auto", "neurons", "layers"}, default "auto"
        Whether to draw the neurons with their values, or a strip of colours per layer, each on a scale of its own that
        is written beside it. "auto" draws neurons if there are up to 20 in each of up to 10 layers, inputs among them.
    input_names, output_names : sequence of str, optional
        Names of inputs and outputs, as for :func:`network`.
    ax : matplotlib.axes.Axes, optional
        What to draw in; by default the panel of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn in.

    Raises
    ------
    TypeError, ValueError
        If there is no network, x is no single input of it, or names do not fit it.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> net = fastmlp.Network.from_parameters([[[0.5, -1.0]], [[1.0], [2.0]]], activation="relu")
    >>> ax = plot.neurons(net, [2.0])
    >>> [text.get_text() for text in ax.texts[:4]]
    ['2.00', '1.00', '0.00', '1.00']
    """
    layers = models.network_of(net)
    row = models.row_of(net, x)
    names = models.input_names(net, input_names), models.output_names(net, output_names)
    A = [a[0].astype(np.float64) for a in layers.trace(row).A]
    if layout.by_neurons(layers, detail):
        return _draw_diagram(layers, A, names, ax)
    return _draw_strips(layers, A, names[1], ax)


def _draw_diagram(net: models.AnyNetwork, A: list[Array], names: tuple[list[str], list[str]], ax: Axes | None) -> Axes:
    axes = layout.diagram_panel(net, ax)
    xy, scale = layout.places(net), layout.scale_of(axes, A)
    for start, end in itertools.pairwise(xy):
        lines = [(a, b) for a in start for b in end]
        axes.add_collection(
            matplotlib().collections.LineCollection(lines, colors=ink(), alpha=0.2, linewidths=0.7, zorder=1)
        )
    layout.draw_neurons(axes, xy, A, scale, written=True)
    layout.label_ends(axes, xy, *names)
    layout.label_layers(axes, net, xy)
    axes.figure.colorbar(scale, ax=axes, label="activation", shrink=0.7, aspect=30)
    return axes


def _draw_strips(net: models.AnyNetwork, A: list[Array], outputs: list[str], ax: Axes | None) -> Axes:
    axes = panel(ax, (7.2, min(0.9 + 0.6 * len(A), 24)))
    axes.patch.set_visible(False)
    for l, a in enumerate(A):
        scale = layout.scale_of(axes, [a])
        edges = np.linspace(0, 1, len(a) + 1)
        axes.pcolormesh(edges, [l - 0.36, l + 0.36], a.reshape(1, -1), cmap=scale.cmap, norm=scale.norm)
        axes.plot([0, 1, 1, 0, 0], [l - 0.36, l - 0.36, l + 0.36, l + 0.36, l - 0.36], color=ink(), linewidth=0.8)
        axes.text(1.02, l, f"{layout.short(a.min())} to {layout.short(a.max())}", va="center", fontsize="small")
    labels = zip(models.layer_names(net), net.layer_sizes, ("", *net.activations), strict=True)
    axes.set_yticks(range(len(A)), [f"{name}: {n:,} {activation}".strip() for name, n, activation in labels])
    axes.set(xlim=(-0.01, 1.01), ylim=(len(A) - 0.5, -0.5), xticks=[])
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if net.activations[-1] == "softmax":
        best = int(A[-1].argmax())
        axes.set_title(f"largest output: {outputs[best]}, {A[-1][best]:.3f}")
    return axes
