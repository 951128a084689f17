"""What a moving picture of a run shows: numbers alone, which animation.py and replay.py draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..reference.arrays import Array
from ..reference.results import History
from . import layout
from .models import MOST_LAYERS, AnyNetwork, evenly

# Points of a curve, and of each side of a plane.
N_CURVE, N_SIDE = 200, 56

# The most rows and columns of a matrix that are drawn.
N_CELLS = 64


@dataclass
class Film:
    """A run as a moving picture: what is drawn, and what is told beside it.

    Attributes
    ----------
    scene : Fit, Plane, Weights or None
        What is drawn beside the loss, at each of the epochs; None draws the loss alone.
    epochs : list of int
        Number of epochs done, of each frame.
    history : History
        Every curve of the run.
    title : str
        The user's words.
    network : str
        Layers and activations in a few words.
    """

    scene: Fit | Plane | Weights | None
    epochs: list[int]
    history: History
    title: str
    network: str

    def caption(self, frame: int) -> str:
        """Return the epoch and the losses of a frame in words."""
        epoch = self.epochs[frame]
        words = [f"epoch {epoch:<{len(str(self.epochs[-1]))}}"]
        for name, curve in (("loss", self.history.loss), ("validation", self.history.validation_loss)):
            if 0 < epoch <= len(curve):
                words.append(f"{name} {curve[epoch - 1]:<8.3g}")
        return "  ".join(words).rstrip()


@dataclass
class Fit:
    """Curves over the one input of a network, and the samples.

    Attributes
    ----------
    x, targets : ndarray, shapes (n,) and (n, n_targets)
        The samples.
    grid, curves : ndarray, shapes (m,) and (n_frames, m, n_out)
        Outputs over the inputs' range.
    low, high : float
        Limits of the vertical axis: those of the targets and of the last curves, with some room.
    """

    x: Array
    targets: Array
    grid: Array
    curves: Array
    low: float = field(init=False)
    high: float = field(init=False)

    def __post_init__(self) -> None:
        shown = np.concatenate([self.targets.ravel(), self.curves[-1].ravel()])
        self.low, self.high = _range(shown[np.isfinite(shown)], 0.1)


@dataclass
class Plane:
    """Regions of classes, or a surface, over the two inputs of a network, and the samples.

    Attributes
    ----------
    x : ndarray, shape (n, 2)
        The samples.
    targets : ndarray, shape (n,)
        Their classes, as indices, or their targets, scaled to [0, 1].
    box : tuple of four floats
        Left, right, bottom and top.
    classes : ndarray of uint8, shape (n_frames, m, m), or None
        The class with the largest output, rows from the bottom; None for a surface.
    values : ndarray of uint8, shape (n_frames, m, m)
        How far the largest output lies above the second, 255 for 1 or more; or the surface, scaled like the targets.
    n_classes : int
        How many classes there are; 0 for a surface.
    low, high : float
        What 0 and 1 (of the targets) stand for on a surface.
    """

    x: Array
    targets: Array
    box: tuple[float, float, float, float]
    classes: Array | None
    values: Array
    n_classes: int = 0
    low: float = 0.0
    high: float = 1.0


@dataclass
class Weights:
    """The matrices of a network.

    Attributes
    ----------
    names : list of str
        Name and shape of each layer's; of a deep network's, some from the first to the last.
    matrices : list of ndarray, shapes (n_frames, n_rows, n_columns)
        Their numbers; rows and columns are chosen evenly from those of large ones. Biases, if any, are the last row.
    largest : float
        The largest absolute number of all.
    has_bias : bool
        Whether the last rows are biases.
    """

    names: list[str]
    matrices: list[Array]
    largest: float
    has_bias: bool


@dataclass
class Diagram(Weights):
    """The matrices of a small network, whole, to be drawn as lines between its neurons.

    Attributes
    ----------
    net : Network
        The network itself.
    """

    net: AnyNetwork


def fit(net: Any, snapshots: list[Array], X: Array, Y: Array) -> Fit:
    """Return the curves of a network with one input."""
    x = X[:, 0]
    grid = np.linspace(*_range(x, 0.03), N_CURVE)
    return Fit(x, Y, grid, np.array(_outputs(net, snapshots, grid.reshape(-1, 1))))


def boundary(net: Any, snapshots: list[Array], X: Array, Y: Array) -> Plane:
    """Return the regions of a classifier with two inputs, or the surface of a regression."""
    (left, right), (bottom, top) = box = [_range(x, 0.05) for x in X.T]
    x1, x2 = np.meshgrid(np.linspace(left, right, N_SIDE), np.linspace(bottom, top, N_SIDE))
    outputs = np.array(_outputs(net, snapshots, np.stack([x1.ravel(), x2.ravel()], axis=1)))
    outputs = np.nan_to_num(outputs).reshape(len(snapshots), N_SIDE, N_SIDE, -1)
    sides = (*box[0], *box[1])
    n_out = outputs.shape[-1]
    if n_out > 1:
        if not (Y.shape[1] == n_out and ((Y == 0) | (Y == 1)).all() and (Y.sum(axis=1) == 1).all()):
            raise ValueError(
                f"kind 'boundary' is for classes or one output, and this network has {n_out} outputs that are no "
                "classes: kind 'weights' is for any"
            )
        second, first = np.moveaxis(np.partition(outputs, -2)[..., -2:], -1, 0)
        classes = outputs.argmax(axis=-1).astype(np.uint8)
        return Plane(X, Y.argmax(axis=1), sides, classes, _bytes(first - second), n_out)
    low, high = float(Y.min()), float(Y.max())
    z = (outputs[..., 0] - low) / ((high - low) or 1.0)
    scaled = (Y[:, 0] - low) / ((high - low) or 1.0)
    if len(np.unique(scaled)) == 2:  # two classes, whatever numbers stand for them
        return Plane(X, scaled.astype(int), sides, (z > 0.5).astype(np.uint8), _bytes(np.abs(2 * z - 1)), 2)
    return Plane(X, scaled, sides, None, _bytes(z), low=low, high=high)


def weights(net: Any, snapshots: list[Array], X: Array, Y: Array) -> Weights:
    """Return the matrices of a network."""
    names, cells, layers = [], [], evenly(len(net.weights), MOST_LAYERS)
    for l in layers:
        n, m = net.weights[l].shape
        rows, columns = evenly(n, N_CELLS), evenly(m, N_CELLS)
        part = f", {len(rows)} x {len(columns)} of them" if max(n, m) > N_CELLS else ""
        names.append(f"W[{l + 1}]{f', b[{l + 1}]' if net.bias else ''}: {n} x {m}{part}")
        cells.append(np.ix_(rows, columns))
    matrices: list[list[Array]] = [[] for _ in layers]
    for parameters in snapshots:
        net.parameters[:] = parameters
        for frames, l, (i, j) in zip(matrices, layers, cells, strict=True):
            biases = [net.biases[l][j[0]]] if net.bias else []
            frames.append(np.vstack([net.weights[l][i, j], *biases]))
    arrays = [np.array(frames) for frames in matrices]
    return Weights(names, arrays, max(float(np.abs(a).max()) for a in arrays) or 1.0, net.bias)


def network(net: Any, snapshots: list[Array], X: Array, Y: Array) -> Diagram:
    """Return the matrices of a small network, with it."""
    if not layout.by_neurons(net):
        raise ValueError(
            f"kind 'network' draws up to {layout.MOST_LAYERS} layers of up to {layout.MOST_NEURONS} neurons, and this "
            f"network has {len(net.layer_sizes)} of up to {max(net.layer_sizes)}: kind 'weights' is for any"
        )
    return Diagram(**vars(weights(net, snapshots, X, Y)), net=net)


# Kinds of pictures: how many inputs they need (0: any), and what makes them.
KINDS: dict[str, tuple[int, Callable[..., Fit | Plane | Weights] | None]] = {
    "fit": (1, fit),
    "boundary": (2, boundary),
    "weights": (0, weights),
    "network": (0, network),
    "loss": (0, None),
}


def _outputs(net: Any, snapshots: list[Array], X: Array) -> list[Array]:
    outputs = []
    for parameters in snapshots:
        net.parameters[:] = parameters
        outputs.append(net.predict(X.astype(net.dtype)).astype(np.float64))
    return outputs


def _range(values: Array, room: float) -> tuple[float, float]:
    """Return the least and the largest value, with a share of their distance on both sides."""
    low, high = float(values.min()), float(values.max())
    margin = room * (high - low) or 0.5
    return low - margin, high + margin


def _bytes(values: Array) -> Array:
    whole: Array = (255 * np.clip(values, 0, 1)).round().astype(np.uint8)
    return whole
