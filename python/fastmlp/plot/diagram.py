"""What a network is: its neurons and weights or, where these are too many, its layers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reference import checks
from ..reference.arrays import Array
from . import layout, models
from .style import BLUE, SKY, ground, ink, is_dark, matplotlib, panel, root_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The numbers of weights are written on their lines by default if no layer has more neurons.
MOST_WITH_NUMBERS = 4

# Lines between two layers that have room to be wide, and the width of the narrowest.
MOST_WIDE, NARROWEST = 150, 0.4


def network(
    net: Any,
    *,
    detail: str = "auto",
    numbers: bool | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a network: its neurons and weights, or a summary of its layers.

    Of every weight there is a line whose colour says its sign and whose width and strength say its size. Neurons have
    the colour of their bias.

    Parameters
    ----------
    net : Network or estimator
        A network, a fitted estimator, or a pipeline that ends in one.
    detail : {"auto", "neurons", "layers"}, default "auto"
        Whether to draw every neuron, or a bar per layer with its neurons, activation and number of parameters, where
        neighbours that are alike share one; bars grow with the logarithm of the neurons. "auto" draws neurons if
        there are up to 20 in each of up to 10 layers, inputs among them.
    numbers : bool, optional
        Whether weights and biases are written as numbers; by default if no layer has more than 4 neurons, and each
        an inch of the panel's width.
    input_names, output_names : sequence of str, optional
        Names of inputs and outputs. By default those that an estimator has seen, its features and classes, or x1, x2
        ... and y1, y2 ...
    ax : matplotlib.axes.Axes, optional
        What to draw in; by default the panel of a new figure. Names stand beside it: a figure with
        ``layout="constrained"`` leaves room for them.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn in.

    Raises
    ------
    TypeError, ValueError
        If there is no network, or names do not fit it.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> ax = plot.network(fastmlp.Network([2, 5, 1], random_state=0), input_names=["speed", "load"])
    >>> ax.get_title()
    '2-5-1: 21 parameters'
    >>> plot.network(fastmlp.Network([784, 800, 10])).get_title()
    '784-800-10: 636,010 parameters'
    """
    layers = models.network_of(net)
    names = models.input_names(net, input_names), models.output_names(net, output_names)
    if numbers is not None:
        checks.flag(numbers, "numbers")
    if not layout.by_neurons(layers, detail):
        return _draw_layers(layers, ax)
    models.check_finite(layers)
    axes = layout.diagram_panel(layers, ax)
    written = _has_room_for_numbers(layers, axes) if numbers is None else numbers
    xy, scale = layout.places(layers), layout.scale_of(axes, [*layers.weights, *layers.biases])
    for start, end, W in zip(xy, xy[1:], layers.weights, strict=False):
        lines = axes.add_collection(matplotlib().collections.LineCollection([], zorder=1))
        show_weights(lines, start, end, W, scale)
        if written:
            _write_weights(axes, start, end, W)
    layout.draw_neurons(axes, xy, [None, *(layers.biases or [None] * len(layers.weights))], scale, written)
    layout.label_ends(axes, xy, *names)
    layout.label_layers(axes, layers, xy)
    if not written:
        label = "weights and biases" if layers.bias else "weights"
        axes.figure.colorbar(scale, ax=axes, label=label, shrink=0.7, aspect=30)
    axes.set_title(layout.title_of(layers))
    return axes


def _has_room_for_numbers(net: models.AnyNetwork, axes: Axes) -> bool:
    inches = axes.bbox.width / root_of(axes).dpi
    return max(net.layer_sizes) <= MOST_WITH_NUMBERS and inches > len(net.layer_sizes)


def show_weights(lines: Any, start: Array, end: Array, W: Array, scale: Any) -> None:
    """Let a collection of lines go from layer to layer, in the colours and widths of the weights."""
    i, j = np.unravel_index(np.argsort(np.abs(W), axis=None), W.shape)  # the heaviest last, on top
    w = W[i, j].astype(np.float64)
    widths = NARROWEST + widest(W.size) * np.abs(w) / scale.norm.vmax
    lines.set(segments=np.stack([start[i], end[j]], axis=1), colors=scale.to_rgba(w), linewidths=widths)


def widest(n_lines: int) -> float:
    """Return how much wider the widest of so many lines is than the narrowest."""
    return 3 if n_lines <= MOST_WIDE else 1.8


def _write_weights(axes: Axes, start: Array, end: Array, W: Array) -> None:
    """Write the weights on their lines, that of the heaviest on top."""
    along = max(1 / (len(end) + 1), 0.2)  # there, the numbers of all lines are equally far from each other
    box = {"facecolor": ground(axes), "edgecolor": "none", "pad": 1}
    for k in np.argsort(np.abs(W), axis=None):
        i, j = np.unravel_index(k, W.shape)
        x, y = start[i] + along * (end[j] - start[i])
        axes.text(x, y, layout.short(float(W[i, j])), ha="center", va="center", fontsize=8, bbox=box, zorder=2)


def _draw_layers(net: models.AnyNetwork, ax: Axes | None) -> Axes:
    """Draw a bar for each layer, from the inputs down to the outputs."""
    rows = _rows(net)
    axes = panel(ax, (6.4, min(1 + 0.62 * len(rows), 24)))
    axes.set_axis_off()
    largest = math.log1p(max(net.layer_sizes))
    widths = [0.3 + 0.7 * math.log1p(n) / largest for _, n, _, _ in rows]
    color = SKY if is_dark(ground(axes)) else BLUE
    y = np.arange(len(rows))
    left = [-width / 2 for width in widths]
    axes.barh(y, widths, left=left, height=0.62, color=color, alpha=0.3, edgecolor=ink(), linewidth=1)
    for i, (name, n, activation, count) in enumerate(rows):
        axes.text(0, i, f"{n:,} {activation}".strip(), ha="center", va="center")
        axes.text(-0.55, i, name, ha="right", va="center")
        if count:
            axes.text(0.55, i, f"{count:,} parameters", ha="left", va="center", fontsize="small")
        if i:
            axes.annotate("", (0, i - 0.31), (0, i - 0.69), arrowprops={"arrowstyle": "-|>", "color": ink()})
    axes.set(xlim=(-1, 1.1), ylim=(len(rows) - 0.6, -0.4), title=layout.title_of(net))
    return axes


def _rows(net: models.AnyNetwork) -> list[tuple[str, int, str, int]]:
    """Return name, neurons, activation and number of parameters of each layer; hidden neighbours alike are one."""
    counts = [(n_in + net.bias) * n_out for n_in, n_out in itertools.pairwise(net.layer_sizes)]
    layers = list(zip(net.layer_sizes[1:-1], net.activations, counts, strict=False))
    rows, l = [("input", net.layer_sizes[0], "", 0)], 0
    for (n, activation), same in itertools.groupby(layers, lambda layer: layer[:2]):
        group = list(same)
        first, l = l + 1, l + len(group)
        name = "hidden" if len(layers) == 1 else f"hidden {first}" if first == l else f"hidden {first} to {l}"
        rows.append((name, n, activation, sum(count for *_, count in group)))
    return [*rows, ("output", net.layer_sizes[-1], net.activations[-1], counts[-1])]
