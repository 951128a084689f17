"""Activation functions s and their derivatives s'.

Each class is the twin of the struct of the same name in ``cpp/ops/activations.h``.
``derivative`` takes the net input z and the activation a = s(z), because some
derivatives follow from a alone.
"""

from __future__ import annotations

import numpy as np

from .arrays import Array


class Linear:
    """s(z) = z: the neuron hands on its net input."""

    name = "linear"

    @staticmethod
    def value(z: Array) -> Array:
        return z

    @staticmethod
    def derivative(z: Array, a: Array) -> Array:
        return np.ones_like(z)


class Sigmoid:
    """s(z) = 1 / (1 + exp(-z)): the logistic function, with values in (0, 1)."""

    name = "sigmoid"

    @staticmethod
    def value(z: Array) -> Array:
        with np.errstate(over="ignore"):  # exp(-z) = inf gives the right limit, 0
            a: Array = 1 / (1 + np.exp(-z))
        return a

    @staticmethod
    def derivative(z: Array, a: Array) -> Array:
        slope: Array = a * (1 - a)
        return slope


class Relu:
    """s(z) = max(z, 0): the rectified linear unit. Its derivative at 0 is taken as 0."""

    name = "relu"

    @staticmethod
    def value(z: Array) -> Array:
        a: Array = np.maximum(z, 0)
        return a

    @staticmethod
    def derivative(z: Array, a: Array) -> Array:
        slope: Array = (a > 0).astype(a.dtype)
        return slope


class Tanh:
    """s(z) = tanh(z): the hyperbolic tangent, with values in (-1, 1)."""

    name = "tanh"

    @staticmethod
    def value(z: Array) -> Array:
        return np.tanh(z)

    @staticmethod
    def derivative(z: Array, a: Array) -> Array:
        slope: Array = 1 - a * a
        return slope


Activation = type[Linear] | type[Sigmoid] | type[Relu] | type[Tanh]

_all: tuple[Activation, ...] = (Linear, Sigmoid, Relu, Tanh)
ACTIVATIONS: dict[str, Activation] = {s.name: s for s in _all}
