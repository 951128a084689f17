"""Activation functions s and their derivatives s'.

Each class is the twin of the struct of the same name in ``cpp/ops/activations.h``.
``derivative`` takes the net input z and the activation a = s(z), because some
derivatives follow from a alone. Parameters are fields: ``LeakyRelu(0.2)`` is what
the spec "leaky_relu(0.2)" stands for.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from . import checks, specs
from .arrays import Array
from .links import LINKS, Link, MeanVariance, Softmax


@dataclass(frozen=True)
class Activation(ABC):
    """What every activation of single neurons has."""

    name: ClassVar[str]
    # s(z), and s'(z) in terms of z and a, as :mod:`.explanation.formulas` reads them.
    formula: ClassVar[str]
    derivative_formula: ClassVar[str]

    @abstractmethod
    def value(self, z: Array) -> Array:
        """Return s(z), element by element."""

    @abstractmethod
    def derivative(self, z: Array, a: Array) -> Array:
        """Return s'(z), element by element, given a = s(z)."""


class Linear(Activation):
    """s(z) = z: the neuron hands on its net input."""

    name = "linear"
    formula = "z"
    derivative_formula = "1"

    def value(self, z: Array) -> Array:
        return z

    def derivative(self, z: Array, a: Array) -> Array:
        return np.ones_like(z)


class Sigmoid(Activation):
    """s(z) = 1 / (1 + exp(-z)): the logistic function, with values in (0, 1)."""

    name = "sigmoid"
    formula = "1 / (1 + exp(-z))"
    derivative_formula = "a * (1 - a)"

    def value(self, z: Array) -> Array:
        return logistic(z)

    def derivative(self, z: Array, a: Array) -> Array:
        slope: Array = a * (1 - a)
        return slope


class Relu(Activation):
    """s(z) = max(z, 0): the rectified linear unit. Its derivative at 0 is taken as 0."""

    name = "relu"
    formula = "max(z, 0)"
    derivative_formula = "1 if z > 0 else 0"

    def value(self, z: Array) -> Array:
        a: Array = np.maximum(z, 0)
        return a

    def derivative(self, z: Array, a: Array) -> Array:
        slope: Array = (a > 0).astype(a.dtype)
        return slope


class Tanh(Activation):
    """s(z) = tanh(z): the hyperbolic tangent, with values in (-1, 1)."""

    name = "tanh"
    formula = "tanh(z)"
    derivative_formula = "1 - a**2"

    def value(self, z: Array) -> Array:
        return np.tanh(z)

    def derivative(self, z: Array, a: Array) -> Array:
        slope: Array = 1 - a * a
        return slope


@dataclass(frozen=True)
class LeakyRelu(Activation):
    """s(z) = z above 0 and slope * z below: Maas et al. (ICML 2013). The derivative at 0 is the slope."""

    name = "leaky_relu"
    formula = "z if z >= 0 else slope * z"
    derivative_formula = "1 if z > 0 else slope"
    slope: float = 0.01

    def __post_init__(self) -> None:
        checks.number(self.slope, "slope", 0, math.inf)

    def value(self, z: Array) -> Array:
        out: Array = np.where(z < 0, z.dtype.type(self.slope) * z, z)
        return out

    def derivative(self, z: Array, a: Array) -> Array:
        out: Array = np.where(a > 0, 1, a.dtype.type(self.slope)).astype(a.dtype)
        return out


@dataclass(frozen=True)
class Elu(Activation):
    """s(z) = z above 0 and alpha * (exp(z) - 1) below: Clevert et al. (ICLR 2016)."""

    name = "elu"
    formula = "z if z > 0 else alpha * (exp(z) - 1)"
    derivative_formula = "1 if z > 0 else a + alpha"
    alpha: float = 1.0

    def __post_init__(self) -> None:
        checks.number(self.alpha, "alpha", 0, math.inf, open_low=True)

    def value(self, z: Array) -> Array:
        return np.where(z > 0, z, z.dtype.type(self.alpha) * np.expm1(np.minimum(z, 0)))

    def derivative(self, z: Array, a: Array) -> Array:
        out: Array = np.where(a > 0, 1, a + a.dtype.type(self.alpha)).astype(a.dtype)
        return out


class Selu(Activation):
    """s(z) = scale * elu(z), with constants that keep mean 0 and variance 1: Klambauer et al. (NeurIPS 2017)."""

    name = "selu"
    formula = "scale * z if z > 0 else scale * alpha * (exp(z) - 1)"
    derivative_formula = "scale if z > 0 else a + scale * alpha"
    alpha: ClassVar[float] = 1.6732632423543772848
    scale: ClassVar[float] = 1.0507009873554804934

    def value(self, z: Array) -> Array:
        real = z.dtype.type
        with np.errstate(over="ignore"):
            positive, negative = real(self.scale) * z, real(self.scale * self.alpha) * np.expm1(np.minimum(z, 0))
        out: Array = np.where(z > 0, positive, negative)
        return out

    def derivative(self, z: Array, a: Array) -> Array:
        real = a.dtype.type
        out: Array = np.where(a > 0, real(self.scale), a + real(self.scale * self.alpha))
        return out


class Gelu(Activation):
    """s(z) = z * Phi(z), with Phi the cumulative distribution of the standard normal: Hendrycks & Gimpel (2016)."""

    name = "gelu"
    formula = "z * Phi(z)"
    derivative_formula = "Phi(z) + z * phi(z)"

    def value(self, z: Array) -> Array:
        a: Array = z * normal_cumulative(z)
        return a

    def derivative(self, z: Array, a: Array) -> Array:
        with np.errstate(over="ignore"):
            density = np.exp(-z * z / 2) * z.dtype.type(1 / math.sqrt(2 * math.pi))
        slope: Array = normal_cumulative(z) + z * density
        return slope


class GeluTanh(Activation):
    """The approximation of gelu by z / 2 * (1 + tanh(u)), u = sqrt(2 / pi) * (z + 0.044715 z^3)."""

    name = "gelu_tanh"
    formula = "z / 2 * (1 + tanh(u)) where u = sqrt(2 / pi) * (z + 0.044715 * z**3)"
    derivative_formula = (
        "(1 + t) / 2 + z / 2 * (1 - t**2) * sqrt(2 / pi) * (1 + 3 * 0.044715 * z**2)"
        " where t = tanh(sqrt(2 / pi) * (z + 0.044715 * z**3))"
    )
    root: ClassVar[float] = 2 * math.sqrt(2 / math.pi)
    cubic: ClassVar[float] = 0.044715

    def value(self, z: Array) -> Array:
        a: Array = z * logistic(self._double(z))
        return a

    def derivative(self, z: Array, a: Array) -> Array:
        s = logistic(self._double(z))
        with np.errstate(over="ignore", invalid="ignore"):  # where the square of z overflows, s (1 - s) is 0
            slope = z * (s * (1 - s)) * (z.dtype.type(self.root) + z.dtype.type(3 * self.root * self.cubic) * z * z)
        return np.where(s * (1 - s) > 0, s + slope, s)

    def _double(self, z: Array) -> Array:
        """Return 2 u: 1 + tanh(u) is 2 sigmoid(2 u)."""
        with np.errstate(over="ignore"):
            u: Array = z * (z.dtype.type(self.root) + z.dtype.type(self.root * self.cubic) * z * z)
        return u


class Silu(Activation):
    """s(z) = z * sigmoid(z), also called swish: Elfwing et al. (2018)."""

    name = "silu"
    formula = "z * sigmoid(z)"
    derivative_formula = "p + z * p * (1 - p) where p = sigmoid(z)"

    def value(self, z: Array) -> Array:
        a: Array = z * logistic(z)
        return a

    def derivative(self, z: Array, a: Array) -> Array:
        s = logistic(z)
        slope: Array = s + z * (s * (1 - s))
        return slope


class Mish(Activation):
    """s(z) = z * tanh(log(1 + exp(z))): Misra (BMVC 2020)."""

    name = "mish"
    formula = "z * tanh(softplus(z))"
    derivative_formula = "t + z * (1 - t**2) * sigmoid(z) where t = tanh(softplus(z))"

    def value(self, z: Array) -> Array:
        a: Array = z * np.tanh(softplus(z))
        return a

    def derivative(self, z: Array, a: Array) -> Array:
        t = np.tanh(softplus(z))
        slope: Array = t + z * (1 - t * t) * logistic(z)
        return slope


class Softplus(Activation):
    """s(z) = log(1 + exp(z)): a smooth relu. Its derivative is the sigmoid, 1 - exp(-a)."""

    name = "softplus"
    formula = "log(1 + exp(z))"
    derivative_formula = "1 - exp(-a)"

    def value(self, z: Array) -> Array:
        return softplus(z)

    def derivative(self, z: Array, a: Array) -> Array:
        slope: Array = -np.expm1(-a)
        return slope


class Softsign(Activation):
    """s(z) = z / (1 + |z|): like tanh with slower tails."""

    name = "softsign"
    formula = "z / (1 + abs(z))"
    derivative_formula = "(1 - abs(a))**2"

    def value(self, z: Array) -> Array:
        a: Array = z / (1 + np.abs(z))
        return a

    def derivative(self, z: Array, a: Array) -> Array:
        slope: Array = (1 - np.abs(a)) ** 2
        return slope


class HardTanh(Activation):
    """s(z) = z within [-1, 1], and the nearer end beyond. The derivative at the ends is 0."""

    name = "hard_tanh"
    formula = "max(-1, min(z, 1))"
    derivative_formula = "1 if abs(z) < 1 else 0"

    def value(self, z: Array) -> Array:
        out: Array = np.clip(z, -1, 1)
        return out

    def derivative(self, z: Array, a: Array) -> Array:
        slope: Array = (np.abs(a) < 1).astype(a.dtype)
        return slope


class Sin(Activation):
    """s(z) = sin(z), for signals with waves: Sitzmann et al. (NeurIPS 2020)."""

    name = "sin"
    formula = "sin(z)"
    derivative_formula = "cos(z)"

    def value(self, z: Array) -> Array:
        return np.sin(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return np.cos(z)


class Exp(Activation):
    """s(z) = exp(z): for outputs that are positive."""

    name = "exp"
    formula = "exp(z)"
    derivative_formula = "a"

    def value(self, z: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return a


def logistic(z: Array) -> Array:
    """Return 1 / (1 + exp(-z))."""
    with np.errstate(over="ignore"):  # exp(-z) = inf gives the right limit, 0
        a: Array = 1 / (1 + np.exp(-z))
    return a


def softplus(z: Array) -> Array:
    """Return log(1 + exp(z))."""
    with np.errstate(invalid="ignore"):  # NaN goes through
        a: Array = np.logaddexp(z.dtype.type(0), z)
    return a


def normal_cumulative(z: Array) -> Array:
    """Return the cumulative distribution of the standard normal, erfc(-z / sqrt(2)) / 2, which NumPy does not have."""
    each = np.frompyfunc(lambda x: math.erfc(-float(x) * math.sqrt(0.5)) / 2, 1, 1)
    return np.asarray(each(z)).astype(z.dtype)


_all: tuple[type[Activation], ...] = (
    *(Linear, Sigmoid, Relu, Tanh, LeakyRelu, Elu, Selu, Gelu, GeluTanh, Silu, Mish),
    *(Softplus, Softsign, HardTanh, Sin, Exp),
)
ACTIVATIONS: dict[str, type[Activation]] = {s.name: s for s in _all}


def activation_of(spec: object, what: str = "activation") -> Activation:
    """Return the activation that a spec such as "relu" or "leaky_relu(0.2)" stands for."""
    return specs.make(spec, ACTIVATIONS, what)


def output_activation_of(spec: object) -> Activation | Link:
    """Return the output activation that a spec stands for."""
    known: dict[str, type[Any]] = {**ACTIVATIONS, **LINKS}
    made: Activation | Link = specs.make(spec, known, "output_activation")
    return made


def pulled_back(output_activation: str, Y_hat: Array, slope: Array) -> Array:
    """Return derivatives by the net inputs of the last layer where its activation looks at whole rows, for derivatives
    by the outputs; these as they are for the other activations."""
    output = output_activation_of(output_activation)
    return output.pull_back(Y_hat, slope) if isinstance(output, Link) else slope


def activation_names(hidden: str | Sequence[str], output: str, sizes: Sequence[int]) -> tuple[str, ...]:
    """Return the spec of each layer's activation, the output's last, for layers of such sizes."""
    n_hidden = len(sizes) - 2
    if isinstance(hidden, str):
        hidden = [specs.text(activation_of(hidden))] * n_hidden
    elif not isinstance(hidden, Sequence):
        raise TypeError(f"activation must be a name, or one name per hidden layer; not {hidden!r}")
    if len(hidden) != n_hidden:
        raise ValueError(f"activation names {len(hidden)} layers, and there are {n_hidden} hidden layers")
    last = output_activation_of(output)
    if isinstance(last, Softmax) and sizes[-1] < 2:
        raise ValueError("output_activation 'softmax' needs two outputs at least; for one there is 'sigmoid'")
    if isinstance(last, MeanVariance) and sizes[-1] % 2:
        raise ValueError(f"output_activation 'mean_variance' needs two outputs for each target, not {sizes[-1]} in all")
    return (*(specs.text(activation_of(name)) for name in hidden), specs.text(last))
