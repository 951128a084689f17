"""The numbers are right: by hand, by finite differences, and at the edges of the range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import LOSS_CASES, randomize_biases, relative_error, targets_for

from fastmlp.reference.activations import ACTIVATIONS, activation_of
from fastmlp.reference.arrays import Array
from fastmlp.reference.loss_choice import loss_of
from fastmlp.reference.losses import LOSSES

SIZES = {
    0: [3, 2],
    1: [3, 5, 2],
    2: [3, 5, 1, 2],
    3: [1, 4, 6, 3, 1],
    4: [3, 5, 4, 3, 2, 2],
    5: [3, 17, 4, 3, 2, 5, 2],
}


def central_differences(net: Any, X: Array, Y: Array, loss: str, weight: Array | None) -> Array:
    h = 1e-5
    gradient = np.empty_like(net.parameters)
    for i in range(len(gradient)):
        before = net.parameters[i]
        J = []
        for sign in (1, -1):
            net.parameters[i] = before + sign * h
            J.append(net.loss(X, Y, loss, weight))
        net.parameters[i] = before
        gradient[i] = (J[0] - J[1]) / (2 * h)
    return gradient


def flat(gradients: Any, bias: bool) -> Array:
    pairs = zip(gradients.weights, gradients.biases if bias else gradients.weights, strict=True)
    return np.concatenate([g.ravel() for pair in pairs for g in (pair if bias else pair[:1])])


# Where derivatives jump.
KINKS = {"relu": (0,), "leaky_relu": (0,), "leaky_relu(0.3)": (0,), "elu(2)": (0,), "selu": (0,), "hard_tanh": (-1, 1)}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("depth", SIZES)
@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.3)", "elu(2)"])
def test_gradients_agree_with_central_differences(
    backend: Any, activation: str, depth: int, bias: bool, rng: np.random.Generator
) -> None:
    sizes = SIZES[depth]
    net = backend(sizes, activation, activation, bias, dtype="float64", random_state=depth)
    randomize_biases(net, rng)
    X, Y = rng.standard_normal((7, sizes[0])), rng.standard_normal((7, sizes[-1]))
    weight = rng.uniform(0.1, 2, 7)
    # The small slope of one would bring net inputs close to the kink; towers of the other leave all bounds.
    net.parameters[:] *= {"leaky_relu": 8, "leaky_relu(0.3)": 8, "exp": 0.3}.get(activation, 1)
    Z = np.concatenate([z.ravel() for z in net.trace(X).Z if z is not None])
    for kink in KINKS.get(activation, ()):  # none may lie within a step of a net input
        assert np.abs((Z - kink)[Z != 0]).min() > 2e-5
    gradient = flat(net.gradients(X, Y, sample_weight=weight), bias)
    numeric = central_differences(net, X, Y, "squared_error", weight)
    assert np.abs(gradient - numeric).max() <= 1e-7 * max(1.0, np.abs(numeric).max())


@pytest.mark.parametrize("n_targets", [1, 2, 3, 17])
@pytest.mark.parametrize("case", LOSS_CASES)
def test_gradients_of_losses_agree_with_central_differences(
    backend: Any, case: str, n_targets: int, rng: np.random.Generator
) -> None:
    loss, output_activation, outputs = LOSS_CASES[case]
    n_targets = max(n_targets, 2) if output_activation == "softmax" else n_targets
    net = backend([3, 4, n_targets * outputs], "tanh", output_activation, dtype="float64", random_state=1)
    randomize_biases(net, rng)
    X, Y = rng.standard_normal((7, 3)), targets_for(output_activation, 7, n_targets, rng)
    weight = rng.uniform(0.1, 2, 7)
    gradient = flat(net.gradients(X, Y, loss, weight), True)
    numeric = central_differences(net, X, Y, loss, weight)
    assert np.abs(gradient - numeric).max() <= 1e-7 * max(1.0, np.abs(numeric).max())


def test_every_loss_is_among_the_cases() -> None:
    covered = {loss_of(spec, output).key() for spec, output, _ in LOSS_CASES.values()}
    assert covered == set(LOSSES)


def test_one_step_by_hand(backend: Any) -> None:
    # x = 2, w = 0.8, 0.6: Z[1] = 1.6, Y_hat = 0.96, delta[2] = -0.04, delta[1] = -0.04 * 0.6.
    net = backend.from_parameters([[[0.8]], [[0.6]]], activation="linear")
    step = net.trace([[2.0]], [[1.0]])
    assert step.Z[0] is None
    assert step.A[0] == 2.0
    assert step.Z[1] == pytest.approx(1.6)
    assert step.A[2] == pytest.approx(0.96)
    assert pytest.approx(0.0008) == step.J
    assert step.delta[2] == pytest.approx(-0.04)
    assert step.delta[1] == pytest.approx(-0.024)
    assert step.dW[2] == pytest.approx(-0.064)
    assert step.dW[1] == pytest.approx(-0.048)
    assert step.db[1] is None


def test_trace_without_targets_is_the_forward_pass(backend: Any, rng: np.random.Generator) -> None:
    net = backend([2, 3, 1], random_state=0)
    X = rng.standard_normal((4, 2))
    step = net.trace(X)
    assert step.J is None
    assert step.delta == []
    assert np.array_equal(step.A[2], net.predict(X))
    assert np.allclose(step.A[1], np.tanh(step.Z[1]), rtol=1e-6)


def test_gradient_is_averaged_over_samples(backend: Any, rng: np.random.Generator) -> None:
    net = backend([3, 4, 2], dtype="float64", random_state=0)
    X, Y = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    singles = [net.gradients(X[i : i + 1], Y[i : i + 1]) for i in range(5)]
    whole = net.gradients(X, Y)
    assert whole.loss == pytest.approx(np.mean([g.loss for g in singles]))
    assert np.allclose(whole.weights[0], np.mean([g.weights[0] for g in singles], axis=0), rtol=1e-12)


def test_a_weight_of_two_counts_a_sample_twice(backend: Any, rng: np.random.Generator) -> None:
    net = backend([3, 4, 2], dtype="float64", random_state=0)
    X, Y = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    weighted = net.gradients(X, Y, sample_weight=[1, 2, 0, 1, 3])
    rows = [0, 1, 1, 3, 4, 4, 4]
    repeated = net.gradients(X[rows], Y[rows])
    assert weighted.loss == pytest.approx(repeated.loss)
    assert relative_error(weighted.weights[1], repeated.weights[1]) < 1e-12


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_over_the_whole_range(backend: Any, activation: str, dtype: str) -> None:
    largest = np.finfo(dtype).max
    z = np.concatenate(
        [np.linspace(-30, 30, 10_001), np.geomspace(1e-30, 1e30, 601), [0, 87, 88.5, 708, 710, 800, largest]]
    )
    z = np.concatenate([z, -z]).astype(dtype).reshape(-1, 1)
    net = backend.from_parameters([[[1.0]]], output_activation=activation, dtype=dtype)
    got = net.predict(z)[:, 0]
    exact = activation_of(activation).value(z[:, 0].astype(np.longdouble))
    finite = np.abs(exact) <= largest
    assert np.all(np.isinf(got[~finite]))
    with np.errstate(over="ignore", invalid="ignore"):  # the largest number has no next one
        error = np.abs(got - exact)[finite] / np.spacing(np.abs(exact[finite]).astype(dtype))
    # Products of z with what is below the normal range are lost. An argument's rounding grows in exp: that of 2 u in
    # gelu_tanh, and that of z^2 in the reference's gelu, which has an erfc of a rounded number.
    tiny, below = 1e3 * np.finfo(dtype).tiny, np.clip(z[finite, 0], -40, 0)
    argument = {"gelu": below**2, "gelu_tanh": 1.6 * np.abs(below + 0.0447 * below**3)}.get(activation, 0 * below)
    normal, units = np.abs(exact[finite]) >= tiny, 4.5 + 2.5 * argument
    if activation == "sin":  # near its zeros the error is absolute
        error = np.abs(got - exact) / np.spacing(np.ones(1, dtype))
    assert np.all((error <= units)[normal])
    assert np.all(np.abs(got[finite][~normal]) <= tiny)


@pytest.mark.parametrize("activation", ["linear", "tanh"])
def test_odd_functions_are_odd(backend: Any, activation: str) -> None:
    z = np.geomspace(1e-300, 1e300, 1201).reshape(-1, 1)
    net = backend.from_parameters([[[1.0]]], output_activation=activation)
    assert np.array_equal(net.predict(-z), -net.predict(z))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_nan_is_not_hidden(backend: Any, activation: str) -> None:
    net = backend.from_parameters([[[1.0]], [[1.0]]], activation=activation)
    net.weights[0][0, 0] = np.nan
    assert np.isnan(net.predict([[1.0]])).all()


def test_edges_of_shape(backend: Any) -> None:
    assert backend([1, 1]).predict([[0.5]]).shape == (1, 1)
    assert backend([1, 1]).predict(np.empty((0, 1))).shape == (0, 1)
    assert backend([3, 70, 2]).predict(np.ones((1000, 3))).shape == (1000, 2)
