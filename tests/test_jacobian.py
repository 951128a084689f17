"""Derivatives of outputs by parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import make_network, relative_error

from fastmlp.reference.activations import ACTIVATIONS
from fastmlp.reference.arrays import Array


def finite_differences(net: Any, X: Array) -> Array:
    h, columns = 1e-6, []
    for i, w in enumerate(net.parameters.copy()):
        sides = []
        for moved in (w + h, w - h):
            net.parameters[i] = moved
            sides.append(net.predict(X))
        net.parameters[i] = w
        columns.append((sides[0] - sides[1]) / (2 * h))
    return np.stack(columns, axis=2)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("activation", "output"),
    [*((name, "linear") for name in ACTIVATIONS), ("tanh", "sigmoid"), ("silu", "mish"), ("tanh", "softmax")],
)
def test_jacobian_beside_finite_differences(
    backend: Any, activation: str, output: str, bias: bool, rng: np.random.Generator
) -> None:
    net = make_network(backend, [3, 5, 1, 4, 2], activation, output, bias=bias)
    # Away from the kinks, which differences would straddle.
    X = rng.uniform(0.2, 1, (7, 3))
    J = net.jacobian(X)
    assert J.shape == (7, 2, net.parameters.size)
    assert np.abs(J - finite_differences(net, X)).max() < 1e-7 * max(1, np.abs(J).max())


@pytest.mark.parametrize("sizes", [[4, 3], [3, 9, 1], [2, 6, 5, 4]])
@pytest.mark.parametrize("n", [1, 2, 37, 600])
def test_jacobian_and_residuals_make_the_gradient(
    backend: Any, n: int, sizes: list[int], rng: np.random.Generator
) -> None:
    net = make_network(backend, sizes)
    X, Y, weight = rng.standard_normal((n, sizes[0])), rng.standard_normal((n, sizes[-1])), rng.uniform(0.1, 1, n)
    gradients = net.gradients(X, Y, sample_weight=weight)
    pairs = zip(gradients.weights, gradients.biases, strict=True)
    expected = np.concatenate([g.ravel() for pair in pairs for g in pair])
    slope = (net.predict(X) - Y) * (weight / weight.sum())[:, np.newaxis]
    assert relative_error(np.einsum("ikp,ik->p", net.jacobian(X), slope), expected) < 1e-12


def test_jacobian_has_the_networks_dtype(backend: Any, rng: np.random.Generator) -> None:
    X = rng.standard_normal((50, 3))
    single, double = (make_network(backend, [3, 20, 2], dtype=dtype) for dtype in ("float32", "float64"))
    assert single.jacobian(X).dtype == np.float32
    assert relative_error(single.jacobian(X), double.jacobian(X)) < 1e-5


def test_jacobian_of_no_rows_and_of_wrong_ones(backend: Any) -> None:
    net = make_network(backend, [3, 4, 2])
    assert net.jacobian(np.zeros((0, 3))).shape == (0, 2, net.parameters.size)
    with pytest.raises(ValueError, match=r"X must have shape \(n, 3\)"):
        net.jacobian(np.zeros((5, 2)))
