"""Whether a network's gradients are right: a comparison with central differences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import checks
from .arrays import Array
from .layers import Layers
from .loss_choice import LossSpec
from .sparse import InputsLike

# The error of a central difference falls with the square of the step, and its rounding errors grow with 1 / step.
STEP = np.finfo(np.float64).eps ** (1 / 3)


@dataclass
class LayerCheck:
    """What was found in the weights or biases of a layer.

    Attributes
    ----------
    name : str
        "dW[1]", "db[1]", ...
    checked : int
        Number of derivatives compared.
    size : int
        Number of derivatives there are.
    difference : float
        The largest difference between derivative and central difference.
    relative : float
        The same, over the largest derivative of the whole network.
    where : tuple of int
        Index of that derivative in dW or db.
    """

    name: str
    checked: int
    size: int
    difference: float
    relative: float
    where: tuple[int, ...]


@dataclass
class GradientReport:
    """The result of :func:`fastmlp.check_gradients`; printed, it is a table.

    Attributes
    ----------
    layers : list of LayerCheck
        One for the weights and one for the biases of each layer.
    tolerance : float
        The largest relative difference that is allowed.
    """

    layers: list[LayerCheck]
    tolerance: float

    @property
    def worst(self) -> LayerCheck:
        """The one with the largest difference."""
        return max(self.layers, key=lambda layer: math.inf if math.isnan(layer.relative) else layer.relative)

    @property
    def agrees(self) -> bool:
        """Whether every difference is within the tolerance."""
        return all(layer.relative <= self.tolerance for layer in self.layers)

    def __bool__(self) -> bool:
        return self.agrees

    def __str__(self) -> str:
        lines = [f"{'':8}{'checked':>16}{'difference':>14}{'relative':>12}  largest at"]
        for layer in self.layers:
            count = f"{layer.checked} of {layer.size}"
            place = ", ".join(map(str, layer.where))
            lines.append(f"{layer.name:8}{count:>16}{layer.difference:14.2e}{layer.relative:12.2e}  [{place}]")
        verdict = "agree" if self.agrees else "DISAGREE"
        lines.append(f"gradients and central differences {verdict}; allowed {self.tolerance:.0e}")
        return "\n".join(lines)


def check_gradients(
    net: Layers,
    X: InputsLike,
    Y: npt.ArrayLike,
    loss: LossSpec = "squared_error",
    sample_weight: npt.ArrayLike | None = None,
    *,
    tolerance: float = 1e-6,
    max_parameters: int = 10_000,
    random_state: int | np.random.Generator | None = 0,
) -> GradientReport:
    """Compare the gradients of a network with central differences of its loss, in float64.

    It shows whether a loss of one's own has the right derivatives. Where a net input lies at a kink, such as
    relu's, the two differ and both are right.

    Parameters
    ----------
    net : Network
        The network, of either kind; it stays as it is.
    X, Y, loss, sample_weight
        As for :meth:`fastmlp.Network.loss`.
    tolerance : float, default 1e-6
        The largest difference allowed, relative to the largest derivative.
    max_parameters : int, default 10000
        Of networks with more parameters, a random choice of so many is checked: each takes two passes over X.
    random_state : None, int or numpy.random.Generator, default 0
        Source of that choice.

    Returns
    -------
    GradientReport
        True in a condition if they agree.

    Raises
    ------
    ValueError, TypeError
        As :meth:`fastmlp.Network.loss`; also if a loss is not a finite number.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    >>> report = fastmlp.check_gradients(fastmlp.Network([3, 4, 2], random_state=0), X, Y, loss="huber")
    >>> report.agrees, report.worst.relative < 1e-8
    (True, True)
    """
    limit = checks.number(tolerance, "tolerance", 0, math.inf, open_low=True)
    most = checks.integer(max_parameters, "max_parameters", 1)
    twin = net.as_dtype("float64")
    gradients = twin.gradients(X, Y, loss, sample_weight)
    p = twin.parameters
    rng = checks.generator(random_state)
    chosen = np.arange(p.size) if p.size <= most else np.sort(rng.choice(p.size, most, replace=False))
    numeric, checked = np.zeros(p.size), np.zeros(p.size, bool)
    checked[chosen] = True
    for i in chosen:
        numeric[i] = _central_difference(twin, int(i), X, Y, loss, sample_weight)
    if (index := checks.find_nonfinite(numeric)) >= 0:
        raise ValueError(
            f"the loss is not a finite number where parameters[{index}] is about {p[index]}: nothing can be compared"
        )
    largest = max(float(np.abs(numeric).max()), np.finfo(np.float64).tiny)
    layers, start = [], 0
    for l in range(1, len(twin.weights) + 1):
        parts = [(f"dW[{l}]", gradients.weights[l - 1])]
        if twin.bias:
            parts.append((f"db[{l}]", gradients.biases[l - 1]))
        for name, analytic in parts:
            part = slice(start, start + analytic.size)
            layers.append(_compare(name, analytic, numeric[part], checked[part], largest))
            start += analytic.size
    return GradientReport(layers, limit)


def _central_difference(
    net: Layers, i: int, X: InputsLike, Y: npt.ArrayLike, loss: LossSpec, sample_weight: npt.ArrayLike | None
) -> float:
    """Return the derivative of the loss by parameter i."""
    p = net.parameters
    before = p[i]
    h = STEP * max(1.0, abs(float(before)))
    J = []
    for sign in (1, -1):
        p[i] = before + sign * h
        J.append(net.loss(X, Y, loss, sample_weight))
    width = (before + h) - (before - h)
    p[i] = before
    return float((J[0] - J[1]) / width)


def _compare(name: str, analytic: Array, numeric: Array, checked: Array, largest: float) -> LayerCheck:
    """Compare derivatives where they are to be checked."""
    if not checked.any():
        return LayerCheck(name, 0, analytic.size, 0.0, 0.0, (0,) * analytic.ndim)
    difference = np.where(checked, np.abs(analytic.ravel() - numeric), -1.0)
    i = int(difference.argmax())
    where = tuple(int(k) for k in np.unravel_index(i, analytic.shape))
    worst = float(difference[i])
    return LayerCheck(name, int(checked.sum()), analytic.size, worst, worst / largest, where)
