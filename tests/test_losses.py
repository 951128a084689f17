"""Losses: what their targets may be, which outputs they go with, and losses of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import relative_error

import fastmlp
from fastmlp import reference
from fastmlp.reference.arrays import Array
from fastmlp.reference.loss_choice import loss_of


def net_with(backend: Any, output_activation: str, n_out: int = 2, **arguments: Any) -> Any:
    return backend([3, 4, n_out], "tanh", output_activation, random_state=0, **arguments)


DOMAINS = [
    ("poisson", "exp", [[1.0, 0.0], [1.0, -1.0]], r"Y\[1, 1\] is -1.0.*targets of loss 'poisson' are not negative"),
    ("gamma", "exp", [[1.0, 2.0], [0.0, 1.0]], r"Y\[1, 0\] is 0.0.*targets of loss 'gamma' are positive"),
    ("log_loss", "sigmoid", [[0.0, 1.0], [0.5, 1.5]], r"Y\[1, 1\] is 1.5.*targets of loss 'log_loss' are from 0 to 1"),
    ("log_loss", "softmax", [[0.0, 1.0], [1.0, 1.0]], r"row of \[1.0, 1.0\].*are probabilities that sum to 1"),
    ("log_loss", "softmax", [0.0, 1.0], "one column of float64: numbers of classes are integers, from 0 to 1"),
    ("log_loss", "softmax", [[0], [2]], r"Y\[1\] is 2: classes are numbered from 0 to 1"),
    ("log_loss", "softmax", [0, 2], r"Y\[1\] is 2: classes are numbered from 0 to 1"),
]


@pytest.mark.parametrize(("loss", "output_activation", "Y", "message"), DOMAINS)
def test_targets_outside_the_domain_are_refused_with_their_row(
    backend: Any, loss: str, output_activation: str, Y: Any, message: str
) -> None:
    net = net_with(backend, output_activation)
    before = net.parameters.copy()
    for call in (net.loss, net.gradients, lambda *a, loss: net.train(*a, loss=loss, epochs=1)):
        with pytest.raises(ValueError, match=message):
            call(np.ones((2, 3)), np.asarray(Y), loss=loss)
    good = np.array([[1.0, 0.0], [0.0, 1.0]]) if loss != "gamma" else np.ones((2, 2))
    with pytest.raises(ValueError, match=message.replace("Y\\[", r"validation_data\[1\]\[", 1)):
        net.train(np.ones((2, 3)), good, loss=loss, epochs=1, validation_data=(np.ones((2, 3)), np.asarray(Y)))
    assert np.array_equal(net.parameters, before)


WRONG_PAIRS = [
    ("log_loss", "linear", "needs a network with output_activation='sigmoid' or 'softmax', not 'linear'"),
    ("poisson", "softplus", "needs a network with output_activation='exp', not 'softplus'"),
    ("gaussian_nll", "linear", "needs a network with output_activation='mean_variance'"),
    ("squared_error", "softmax", "cannot be taken through output_activation='softmax': use loss='log_loss'"),
    ("huber", "mean_variance", "use loss='gaussian_nll'"),
    ("squarederror", "linear", "did you mean 'squared_error'"),
    ("huber(-1)", "linear", r"loss 'huber\(-1\)': delta must lie in \(0"),
    ("huber(1, 2)", "linear", "its parameters are delta"),
    ("log_cosh(1)", "linear", "it takes no parameters"),
    ("huber(one)", "linear", "after a name come numbers"),
    ("quantile(0.5, 1.0)", "linear", "a level must lie in"),
    ("quantile(0.1, 0.2, 0.3)", "linear", "3 levels need that many outputs for each target, not 2 in all"),
    ("__import__('os')", "linear", "unknown loss"),
]


@pytest.mark.parametrize(("loss", "output_activation", "message"), WRONG_PAIRS)
def test_a_loss_that_does_not_fit_is_named(backend: Any, loss: str, output_activation: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        net_with(backend, output_activation).loss(np.ones((2, 3)), np.ones((2, 2)), loss)


def test_parameters_are_part_of_the_name(backend: Any) -> None:
    net, rng = net_with(backend, "linear", dtype="float64"), np.random.default_rng(0)
    X, Y = rng.standard_normal((9, 3)), 5 * rng.standard_normal((9, 2))
    assert net.loss(X, Y, "huber(1.0)") == net.loss(X, Y, "huber") == net.loss(X, Y, " huber ( delta = 1 ) ")
    assert net.loss(X, Y, "huber(100)") == pytest.approx(net.loss(X, Y), rel=1e-12)
    assert net.loss(X, Y, "quantile(0.5)") == pytest.approx(net.loss(X, Y, "absolute_error") / 2, rel=1e-12)


def test_losses_by_hand(backend: Any) -> None:
    def loss(spec: str, output: str, z: float, y: float) -> float:
        net = backend.from_parameters([[[1.0]]], output_activation=output, dtype="float64")
        return float(net.loss([[z]], [[y]], spec))

    assert loss("absolute_error", "linear", 3, 1) == 2
    assert loss("huber(0.5)", "linear", 3, 1) == 0.5 * (2 - 0.25)
    assert loss("log_cosh", "linear", 3, 1) == pytest.approx(np.log(np.cosh(2)), rel=1e-14)
    assert loss("log_cosh", "linear", 1e-3, 0) == pytest.approx(5e-7 - 1e-12 / 12, rel=1e-12)
    assert loss("log_cosh", "linear", 1000, 0) == pytest.approx(1000 - np.log(2), rel=1e-14)
    assert loss("quantile(0.9)", "linear", 1, 3) == pytest.approx(1.8)
    assert loss("quantile(0.9)", "linear", 3, 1) == pytest.approx(0.2)
    assert loss("poisson", "exp", 0, 3) == pytest.approx(3 * np.log(3) - 3 + 1)
    assert loss("poisson", "exp", 0, 0) == 1
    assert loss("gamma", "exp", 0, 2) == pytest.approx(-np.log(2) + 2 - 1)
    assert loss("log_loss", "sigmoid", 2, 1) == pytest.approx(np.log(1 + np.exp(-2)))
    assert loss("log_loss(0.2)", "sigmoid", 2, 1) == pytest.approx(
        0.9 * np.log(1 + np.exp(-2)) + 0.1 * np.log(1 + np.exp(2))
    )


def test_losses_of_several_outputs_by_hand(backend: Any) -> None:
    def loss(spec: str, output: str, z: list[float], y: Any) -> float:
        net = backend.from_parameters([[z]], output_activation=output, dtype="float64")
        return float(net.loss([[1.0]], y, spec))

    assert loss("log_loss", "softmax", [1.0, 2.0, 0.0], [1]) == pytest.approx(np.log(np.exp([1, 2, 0]).sum()) - 2)
    assert loss("log_loss", "softmax", [1.0, 2.0, 0.0], [[0, 1, 0]]) == pytest.approx(
        np.log(np.exp([1, 2, 0]).sum()) - 2
    )
    assert loss("gaussian_nll", "mean_variance", [1.0, np.log(4)], [[2.0]]) == pytest.approx(
        0.5 * (np.log(2 * np.pi * 4) + 1 / 4)
    )
    levels = loss("quantile(0.1, 0.9)", "linear", [1.0, 2.0, 4.0, 5.0], [[3.0, 3.0]])
    assert levels == pytest.approx(0.1 * 2 + 0.1 * 1 + 0.1 * 1 + 0.1 * 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_that_round_to_0_or_1_lose_nothing(backend: Any, dtype: str) -> None:
    net = backend.from_parameters([[[800.0, 0.0]]], output_activation="softmax", dtype=dtype)
    assert net.predict([[1.0]]).tolist() == [[1.0, 0.0]]
    assert net.loss([[1.0]], [1], "log_loss") == 800
    assert net.gradients([[1.0]], [1], "log_loss").weights[0].tolist() == [[1.0, -1.0]]
    net = backend.from_parameters([[[-200.0]]], output_activation="sigmoid", dtype=dtype)
    assert net.loss([[1.0]], [[1.0]], "log_loss") == 200


def test_a_network_learns_the_variance(rng: np.random.Generator) -> None:
    x = rng.uniform(-1, 1, (4000, 1))
    y = 2 * x + (0.1 + 0.4 * (x > 0)) * rng.standard_normal((4000, 1))
    net = fastmlp.Network([1, 16, 2], output_activation="mean_variance", random_state=0)
    net.train(x, y, epochs=60, batch_size=100, loss="gaussian_nll", optimizer=fastmlp.Adam(0.01), random_state=0)
    (low, high) = net.predict([[-0.5], [0.5]])
    assert (low[0], high[0]) == (pytest.approx(-1, abs=0.1), pytest.approx(1, abs=0.1))
    assert (low[1] ** 0.5, high[1] ** 0.5) == (pytest.approx(0.1, abs=0.05), pytest.approx(0.5, abs=0.1))


def test_quantiles_hold_their_share(rng: np.random.Generator) -> None:
    x = rng.uniform(-1, 1, (4000, 1))
    y = x + rng.exponential(size=(4000, 1))
    net = fastmlp.Network([1, 16, 3], random_state=0)
    loss = "quantile(0.1, 0.5, 0.9)"
    net.train(x, y, epochs=60, batch_size=100, loss=loss, optimizer=fastmlp.Adam(0.01), random_state=0)
    assert (y < net.predict(x)).mean(axis=0) == pytest.approx([0.1, 0.5, 0.9], abs=0.03)


def test_digits_are_told_apart(digits: tuple[Array, Array]) -> None:
    X, Y = digits
    net = fastmlp.Network([64, 32, 10], "relu", "softmax", init="he_uniform", random_state=0)
    history = net.train(X[:1400], Y[:1400].argmax(axis=1), epochs=30, batch_size=32, loss="log_loss", random_state=0)
    assert history.loss[-1] < 0.1
    Y_hat = net.predict(X[1400:])
    assert Y_hat.sum(axis=1) == pytest.approx(1, rel=1e-5)
    assert (Y_hat.argmax(axis=1) == Y[1400:].argmax(axis=1)).mean() > 0.9


def quartic(Y_hat: Array, Y: Array) -> tuple[Array, Array]:
    residual = Y_hat - Y
    return (residual**4).sum(axis=1), 4 * residual**3


@pytest.mark.parametrize("output_activation", ["linear", "gelu", "softmax", "mean_variance"])
def test_a_loss_of_ones_own_has_right_gradients(backend: Any, output_activation: str, rng: np.random.Generator) -> None:
    net = net_with(backend, output_activation, dtype="float64")
    X, Y, weight = rng.standard_normal((9, 3)), rng.standard_normal((9, 2)), rng.uniform(0.5, 1, 9)
    assert fastmlp.check_gradients(net, X, Y, quartic, weight).agrees
    step = net.trace(X, Y, quartic)
    assert pytest.approx(net.loss(X, Y, quartic), rel=1e-12) == step.J
    assert relative_error(step.dW[1], net.gradients(X, Y, quartic).weights[0]) < 1e-12


def half_square(Y_hat: Array, Y: Array) -> tuple[Array, Array]:
    residual = Y_hat - Y
    return (residual * residual).sum(axis=1) / 2, residual


def test_training_with_a_loss_of_ones_own_is_training(backend: Any, rng: np.random.Generator) -> None:
    X, Y, weight = rng.standard_normal((50, 3)), rng.standard_normal((50, 2)), rng.uniform(0.5, 1, 50)
    nets, histories = [], []
    for loss in (half_square, "squared_error"):
        net = net_with(backend, "linear", dtype="float64")
        schedule = fastmlp.schedules.Exponential(0.9)
        histories.append(
            net.train(
                X,
                Y,
                epochs=3,
                batch_size=7,
                loss=loss,
                sample_weight=weight,
                validation_data=(X[:5], Y[:5]),
                optimizer=fastmlp.Adam(0.01, l2=0.1, clip_norm=0.1, schedule=schedule),
                random_state=0,
            )
        )
        nets.append(net)
    assert relative_error(nets[0].parameters, nets[1].parameters) < 1e-12
    assert histories[0].loss == pytest.approx(histories[1].loss, rel=1e-12)
    assert histories[0].validation_loss == pytest.approx(histories[1].validation_loss, rel=1e-12)


BAD_FUNCTIONS = [
    (lambda Y_hat, Y: 1.0, TypeError, "must give a pair"),
    (lambda Y_hat, Y: (1.0, Y), ValueError, r"gave losses of shape \(\), not \(4,\)"),
    (lambda Y_hat, Y: (Y[:, 0], Y[:2]), ValueError, r"gave derivatives of shape \(2, 2\), not \(4, 2\)"),
]


@pytest.mark.parametrize(("function", "error", "message"), BAD_FUNCTIONS)
def test_what_a_function_gives_is_checked(backend: Any, function: Any, error: type[Exception], message: str) -> None:
    net = net_with(backend, "linear")
    before = net.parameters.copy()
    with pytest.raises(error, match=message):
        net.train(np.ones((4, 3)), np.ones((4, 2)), epochs=1, loss=function)
    assert np.array_equal(net.parameters, before)


def test_an_error_inside_a_function_comes_out(backend: Any) -> None:
    def faulty(Y_hat: Array, Y: Array) -> tuple[Array, Array]:
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        net_with(backend, "linear").loss(np.ones((4, 3)), np.ones((4, 2)), faulty)


def test_names_are_known_by_their_output_activation() -> None:
    assert loss_of("log_loss", "softmax").key() == "log_loss/softmax"
    assert loss_of("log_loss", "sigmoid").key() == "log_loss/sigmoid"


def test_weights_count_in_every_loss(backend: Any, rng: np.random.Generator) -> None:
    net = net_with(backend, "softmax", dtype="float64")
    X, Y = rng.standard_normal((5, 3)), rng.integers(2, size=5)
    rows = [0, 1, 1, 3, 4, 4, 4]
    weighted = net.gradients(X, Y, "log_loss", [1, 2, 0, 1, 3])
    assert weighted.loss == pytest.approx(net.loss(X[rows], Y[rows], "log_loss"), rel=1e-12)


def test_dropout_with_a_loss_of_ones_own(rng: np.random.Generator) -> None:
    X, Y, ends = rng.standard_normal((40, 3)), rng.standard_normal((40, 2)), []
    for network, loss in (
        (fastmlp.Network, half_square),
        (reference.Network, half_square),
        (fastmlp.Network, "squared_error"),
    ):
        net = net_with(network, "linear", dtype="float64")
        net.train(X, Y, epochs=3, batch_size=7, loss=loss, dropout=0.5, random_state=0)
        ends.append(net.parameters)
    assert relative_error(ends[0], ends[2]) < 1e-12
    assert relative_error(ends[1], ends[2]) < 1e-12
