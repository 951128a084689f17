"""check_gradients and input_gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.reference.activations import ACTIVATIONS, LINKS
from fastmlp.reference.arrays import Array


@pytest.mark.parametrize("output_activation", [*ACTIVATIONS, *LINKS])
@pytest.mark.parametrize("bias", [True, False])
def test_input_gradients_agree_with_central_differences(
    backend: Any, bias: bool, output_activation: str, rng: np.random.Generator
) -> None:
    net = backend([3, 5, 4], "tanh", output_activation, bias, dtype="float64", random_state=2)
    X, h = rng.standard_normal((6, 3)), 1e-6
    gradients = net.input_gradients(X)
    assert gradients.shape == (6, 4, 3)
    for k in range(3):
        step = h * np.eye(3)[k]
        numeric = (net.predict(X + step) - net.predict(X - step)) / (2 * h)
        assert np.abs(gradients[:, :, k] - numeric).max() < 1e-7


def test_input_gradients_of_many_rows_are_those_of_each(backend: Any, rng: np.random.Generator) -> None:
    net = backend([3, 5, 2], random_state=0)
    X = rng.standard_normal((1500, 3)).astype("float32")
    gradients = net.input_gradients(X)
    assert gradients.dtype == np.float32
    assert gradients[1200] == pytest.approx(net.input_gradients(X[1200:1201])[0], rel=1e-5)
    assert net.input_gradients(X[:0]).shape == (0, 2, 3)


def test_a_linear_layer_is_its_own_derivative(backend: Any) -> None:
    net = backend([3, 2], random_state=0)
    assert np.array_equal(net.input_gradients([[1, 2, 3]])[0], net.weights[0].T)


def test_right_gradients_agree(backend: Any, rng: np.random.Generator) -> None:
    net = backend([3, 4, 2], "gelu", dtype="float32", random_state=0)
    before = net.parameters.copy()
    report = fastmlp.check_gradients(net, rng.standard_normal((9, 3)), rng.standard_normal((9, 2)))
    assert report
    assert [layer.name for layer in report.layers] == ["dW[1]", "db[1]", "dW[2]", "db[2]"]
    assert [layer.checked for layer in report.layers] == [12, 4, 8, 2]
    assert np.array_equal(net.parameters, before)
    assert str(report).endswith("gradients and central differences agree; allowed 1e-06")


def test_a_wrong_derivative_is_found(backend: Any, rng: np.random.Generator) -> None:
    def wrong(Y_hat: Array, Y: Array) -> tuple[Array, Array]:
        residual = Y_hat - Y
        slope = residual.copy()
        slope[:, 1] *= 1.01
        return (residual**2).sum(axis=1) / 2, slope

    report = fastmlp.check_gradients(
        backend([3, 4, 2], random_state=0), rng.standard_normal((9, 3)), rng.standard_normal((9, 2)), wrong
    )
    assert not report.agrees
    assert report.worst.relative > 1e-4
    assert "DISAGREE" in str(report)
    assert report.layers[3].where == (1,)  # the bias of that output


def test_large_networks_are_checked_in_part(backend: Any, rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((4, 20)), rng.standard_normal((4, 1))
    report = fastmlp.check_gradients(backend([20, 30, 1], random_state=0), X, Y, max_parameters=50)
    assert sum(layer.checked for layer in report.layers) == 50
    assert report.agrees


def test_a_copy_in_another_precision(backend: Any) -> None:
    net = backend([3, 4, 2], "leaky_relu(0.2)", "softmax", random_state=0)
    double = net.as_dtype("float64")
    assert double.dtype == np.float64
    assert double.activations == ("leaky_relu(0.2)", "softmax")
    assert np.array_equal(double.parameters.astype("float32"), net.parameters)
    assert type(double) is type(net)


def test_a_loss_that_is_no_number_is_no_agreement(backend: Any) -> None:
    def broken(Y_hat: Array, Y: Array) -> tuple[Array, Array]:
        return np.full(len(Y), np.nan), Y_hat

    with pytest.raises(ValueError, match=r"the loss is not a finite number where parameters.0. is about"):
        fastmlp.check_gradients(backend([2, 1], random_state=0), np.ones((3, 2)), np.ones(3), broken)


def test_what_has_no_place_in_the_other_precision_is_named(backend: Any) -> None:
    net = backend([1, 1], dtype="float64", random_state=0)
    net.parameters[1] = 1e300
    with pytest.raises(ValueError, match=r"parameters\[1\] is 1e\+300: it has no place in float32"):
        net.as_dtype("float32")
