"""Networks that are well: the diagnosis leaves them in peace."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from diagnosed import fresh

import fastmlp
from fastmlp import Adam, diagnose
from fastmlp.reference.arrays import Array
from fastmlp.reference.optimizers import Optimizer

Data = tuple[Array, Array]

SMOOTH = ("tanh", "sigmoid", "gelu", "elu")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [*SMOOTH, "relu", "leaky_relu", "silu", "softplus"])
def test_digits_that_are_learnt_well(digits: Data, activation: str, dtype: str) -> None:
    X, Y = digits
    for seed in range(2):
        net = fastmlp.Network([64, 16, 16, 10], activation, "softmax", dtype=dtype, random_state=seed)
        history = net.train(
            X,
            Y,
            epochs=15,
            batch_size=32,
            loss="log_loss",
            optimizer=Adam(0.01),
            validation_data=0.2,
            random_state=seed,
        )
        assert diagnose(net, X, Y, history, loss="log_loss"), activation


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "log_cosh", "quantile(0.9)"])
@pytest.mark.parametrize("activation", [*SMOOTH, "relu"])
def test_noisy_data_that_is_learnt_as_far_as_it_goes(diabetes: Data, activation: str, loss: str) -> None:
    X, y = diabetes
    net = fresh(sizes=[10, 16, 1], activation=activation)
    history = net.train(
        X,
        y,
        epochs=200,
        batch_size=32,
        loss=loss,
        optimizer=Adam(0.003),
        validation_data=0.2,
        callbacks=[fastmlp.EarlyStopping(20)],
        random_state=0,
    )
    assert diagnose(net, X, y, history, loss=loss), activation


@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize("optimizer", [Adam(0.01), fastmlp.LevenbergMarquardt(), fastmlp.Rprop()])
def test_a_sine_that_is_fit(activation: str, optimizer: Any) -> None:
    X = np.linspace(-3, 3, 100).reshape(-1, 1)
    optimizer = copy.deepcopy(optimizer)
    net = fresh(sizes=[1, 12, 1], activation=activation, dtype="float64")
    steps = 1000 if isinstance(optimizer, Optimizer) else 200
    history = net.train(X, np.sin(X), epochs=steps, optimizer=optimizer)
    assert diagnose(net, X, np.sin(X), history, optimizer=optimizer)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("output", "loss"), [("sigmoid", "log_loss"), ("sigmoid", "squared_error"), ("tanh", "huber")])
def test_xor_that_is_learnt(network: Any, output: str, loss: str, seed: int) -> None:
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    Y = np.array([0, 1, 1, 0]) if output == "sigmoid" else np.array([-1, 1, 1, -1])
    net = network([2, 8, 1], output_activation=output, random_state=seed)
    history = net.train(X, Y, epochs=600, loss=loss, optimizer=Adam(0.05))
    assert diagnose(net, X, Y, history, loss=loss)


@pytest.mark.parametrize(("loss", "output"), [("poisson", "exp"), ("gamma", "exp"), ("gaussian_nll", "mean_variance")])
def test_losses_with_an_output_activation_of_their_own(plane: Data, loss: str, output: str) -> None:
    X, Y = plane
    Y = np.exp(Y) if output == "exp" else Y + 0.3
    net = fresh(sizes=[3, 16, 1 + (output == "mean_variance")], output_activation=output)
    history = net.train(X, Y, epochs=200, batch_size=32, loss=loss, optimizer=Adam(0.01), random_state=0)
    diagnosis = diagnose(net, X, Y, history, loss=loss)
    assert diagnosis
    assert diagnosis.loss == pytest.approx(net.loss(X, Y, loss), rel=1e-5)
    assert diagnosis.plain_loss is not None
    assert diagnosis.loss < diagnosis.plain_loss
