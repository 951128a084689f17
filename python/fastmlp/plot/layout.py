"""Where neurons lie in a diagram, and how they are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reference import checks
from ..reference.arrays import Array
from .models import AnyNetwork, layer_names
from .style import diverging, ground, ink, is_dark, matplotlib, panel, root_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A network is drawn neuron by neuron if no layer has more neurons, and there are no more layers.
MOST_NEURONS, MOST_LAYERS = 20, 10

# The radius of a neuron in the distance of neighbours, and the fewest neighbours that a panel has room for.
RADIUS, ROOM = 0.34, 4


def by_neurons(net: AnyNetwork, detail: str = "auto") -> bool:
    """Return whether to draw every neuron, as asked for or as fits a picture."""
    fits = max(net.layer_sizes) <= MOST_NEURONS and len(net.layer_sizes) <= MOST_LAYERS
    return checks.find(detail, {"auto": fits, "neurons": True, "layers": False}, "detail")


def diagram_panel(net: AnyNetwork, ax: Axes | None) -> Axes:
    """Return a panel without axes for a diagram of all neurons."""
    n, layers = max(*net.layer_sizes, ROOM if ax else 1), len(net.layer_sizes)
    unit = 0.75 if n <= 6 else 0.42  # inches from neuron to neuron
    axes = panel(ax, (min(1.8 + layers * max(1.7, 0.16 * n), 20), min(1 + n * unit, 20)))
    axes.set_axis_off()
    axes.set(xlim=(-0.25, layers - 0.75), ylim=(-n / 2, n / 2))
    return axes


def places(net: AnyNetwork) -> list[Array]:
    """Return x and y of each layer's neurons, shapes (n_l, 2), the first neuron on top."""
    return [np.column_stack([np.full(n, l), (n - 1) / 2 - np.arange(n)]) for l, n in enumerate(net.layer_sizes)]


def in_unit_square(net: AnyNetwork) -> list[list[list[float]]]:
    """Return the same places within (0, 1), to be drawn elsewhere."""
    middle, size = np.array([0.5, max(net.layer_sizes) / 2]), np.array([len(net.layer_sizes), max(net.layer_sizes)])
    return [((xy + middle) / size).tolist() for xy in places(net)]


def draw_neurons(
    axes: Axes, xy: Sequence[Array], values: Sequence[Array | None], scale: Any, written: bool
) -> list[Any]:
    """Draw the neurons of each layer, coloured by their values if they have some, which may be written on them."""
    font, drawn = max(4, min(8, 0.72 * radius_of(axes))), []
    for where, layer in zip(xy, values, strict=True):
        colors = [ground(axes)] * len(where) if layer is None else scale.to_rgba(layer)
        size = np.full(len(where), 2 * RADIUS)
        circles = matplotlib().collections.EllipseCollection(
            size, size, np.zeros(len(where)), units="y", offsets=where, offset_transform=axes.transData
        )
        circles.set(facecolors=colors, edgecolors=ink(), linewidths=1, zorder=3, clip_on=False)
        drawn.append(axes.add_collection(circles))
        if layer is None or not written:
            continue
        for (x, y), value, color in zip(where, layer, colors, strict=True):
            on = "white" if is_dark(color) else "black"
            axes.text(x, y, short(value), ha="center", va="center", fontsize=font, color=on, zorder=4)
    return drawn


def label_ends(axes: Axes, xy: Sequence[Array], inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Write the names beside the first and last layer."""
    radius = 1.25 * radius_of(axes)  # a layout may yet give the panel so much more
    for names, where, side, align in ((inputs, xy[0], -1, "right"), (outputs, xy[-1], 1, "left")):
        away = (side * (radius + 5), 0)
        for name, place in zip(names, where, strict=True):
            axes.annotate(name, place, away, textcoords="offset points", ha=align, va="center")


def radius_of(axes: Axes) -> float:
    """Return the radius of a neuron in points, as the panel is now."""
    low, high = axes.get_ylim()
    return float(RADIUS * axes.bbox.height / (high - low) * 72 / root_of(axes).dpi)


def label_layers(axes: Axes, net: AnyNetwork, xy: Sequence[Array]) -> None:
    """Write below each layer what it is."""
    below = -max(net.layer_sizes) / 2
    for name, where, activation in zip(layer_names(net), xy, ("", *net.activations), strict=True):
        axes.text(where[0, 0], below, f"{name}\n{activation}", ha="center", va="top", fontsize="small")


def scale_of(axes: Axes, arrays: Sequence[Array]) -> Any:
    """Return what turns numbers into colours: negative and positive ones up to the largest there is."""
    plt = matplotlib()
    sizes = np.concatenate([np.abs(a, dtype=np.float64).ravel() for a in arrays])
    largest = min(float(sizes[np.isfinite(sizes)].max(initial=0)), 1e307) or 1.0  # twice that must be finite
    return plt.cm.ScalarMappable(plt.colors.Normalize(-largest, largest), diverging(axes))


def short(value: float) -> str:
    """Return a number in few characters."""
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 0.005 <= abs(value) < 1000:
        digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
        return f"{value:.{digits}f}"
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def title_of(net: AnyNetwork) -> str:
    """Return the layers and the number of parameters in a few words."""
    sizes = "-".join(map(str, net.layer_sizes)) if len(net.layer_sizes) <= MOST_LAYERS else f"{len(net.weights)} layers"
    return f"{sizes}: {net.parameters.size:,} parameter{'s' * (net.parameters.size != 1)}"
