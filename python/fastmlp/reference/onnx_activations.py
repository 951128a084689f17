"""Activations in ONNX's operators.

Where an operator stands for the activation it is taken, for float32. The forms of several operators hold for net
inputs of any size. They serve what has no operator in opset 13, and float64: ONNX Runtime has most of the
operators for float32 alone, and the numbers that belong to an operator, such as a slope, are always float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .activations import (
    Activation,
    Elu,
    Exp,
    Gelu,
    GeluTanh,
    HardTanh,
    LeakyRelu,
    Linear,
    Mish,
    Relu,
    Selu,
    Sigmoid,
    Silu,
    Sin,
    Softplus,
    Softsign,
    Tanh,
)
from .links import Link, MeanVariance, Softmax
from .onnx_graph import Graph


def add_activation(graph: Graph, z: str, activation: Activation | Link) -> str:
    """Add the nodes of an activation of z, and return the name of their result."""
    return NODES[type(activation)](graph, z, activation)


def operator(op: str) -> Callable[[Graph, str, Any], str]:
    """Return what adds an operator that stands for an activation, for float32 and float64."""
    return lambda graph, z, s: graph.add(op, z)


def leaky_relu(graph: Graph, z: str, s: LeakyRelu) -> str:
    if graph.dtype == np.float32:
        return graph.add("LeakyRelu", z, alpha=s.slope)
    return graph.add("Add", graph.add("Relu", z), graph.add("Mul", graph.add("Min", z, 0.0), s.slope))


def elu(graph: Graph, z: str, s: Elu) -> str:
    if graph.dtype == np.float32:
        return graph.add("Elu", z, alpha=s.alpha)
    return _elu(graph, z, s.alpha)


def selu(graph: Graph, z: str, s: Selu) -> str:
    if graph.dtype == np.float32:
        return graph.add("Selu", z, alpha=s.alpha, gamma=s.scale)
    return graph.add("Mul", _elu(graph, z, s.alpha), s.scale)


def gelu(graph: Graph, z: str, s: Gelu) -> str:
    """z / 2 * (1 + erf(z / sqrt(2)))."""
    erf = graph.add("Erf", graph.add("Mul", z, math.sqrt(0.5)))
    return graph.add("Mul", z, graph.add("Mul", graph.add("Add", erf, 1.0), 0.5))


def gelu_tanh(graph: Graph, z: str, s: GeluTanh) -> str:
    cubic = graph.add("Mul", graph.add("Mul", z, z), s.root * s.cubic)
    return _gated(graph, z, graph.add("Mul", z, graph.add("Add", cubic, s.root)))


def silu(graph: Graph, z: str, s: Silu) -> str:
    return _gated(graph, z, z)


def mish(graph: Graph, z: str, s: Mish) -> str:
    """tanh(log(1 + e)) = n / (n + 2) with n = e * (e + 2) and e = exp(z), which rounds to 1 long before z = 20."""
    e = graph.add("Exp", graph.add("Min", z, 20.0))
    n = graph.add("Mul", e, graph.add("Add", e, 2.0))
    return graph.add("Mul", z, graph.add("Div", n, graph.add("Add", n, 2.0)))


def softplus(graph: Graph, z: str, s: Softplus) -> str:
    """max(z, 0) + log(1 + exp(-|z|))."""
    if graph.dtype == np.float32:
        return graph.add("Softplus", z)
    small = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    return graph.add("Add", graph.add("Relu", z), graph.add("Log", graph.add("Add", small, 1.0)))


def softsign(graph: Graph, z: str, s: Softsign) -> str:
    if graph.dtype == np.float32:
        return graph.add("Softsign", z)
    return graph.add("Div", z, graph.add("Add", graph.add("Abs", z), 1.0))


def hard_tanh(graph: Graph, z: str, s: HardTanh) -> str:
    return graph.add("Clip", z, -1.0, 1.0)


def softmax(graph: Graph, z: str, s: Softmax) -> str:
    return graph.add("Softmax", z, axis=1)


def mean_variance(graph: Graph, z: str, s: MeanVariance) -> str:
    mean, logarithm = graph.halves(z)
    return graph.add("Concat", mean, graph.add("Exp", logarithm), axis=1)


def _elu(graph: Graph, z: str, alpha: float) -> str:
    negative = graph.add("Sub", graph.add("Exp", graph.add("Min", z, 0.0)), 1.0)
    return graph.add("Add", graph.add("Relu", z), graph.add("Mul", negative, alpha))


def _gated(graph: Graph, z: str, u: str) -> str:
    """z * sigmoid(u), as a quotient: the sigmoids of runtimes may end above 0, and z may be large."""
    return graph.add("Div", z, graph.add("Add", graph.add("Exp", graph.add("Neg", u)), 1.0))


NODES: dict[type[Activation] | type[Link], Callable[[Graph, str, Any], str]] = {
    Linear: lambda graph, z, s: z,
    Sigmoid: operator("Sigmoid"),
    Relu: operator("Relu"),
    Tanh: operator("Tanh"),
    LeakyRelu: leaky_relu,
    Elu: elu,
    Selu: selu,
    Gelu: gelu,
    GeluTanh: gelu_tanh,
    Silu: silu,
    Mish: mish,
    Softplus: softplus,
    Softsign: softsign,
    HardTanh: hard_tanh,
    Sin: operator("Sin"),
    Exp: operator("Exp"),
    Softmax: softmax,
    MeanVariance: mean_variance,
}
