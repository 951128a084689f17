"""Networks and runs made ill on purpose: the diagnosis finds that illness, where it is, and nothing else."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from diagnosed import fresh, only

import fastmlp
from fastmlp import SGD, Adam, diagnose
from fastmlp.reference.arrays import Array
from fastmlp.reference.results import History

Data = tuple[Array, Array]


@pytest.fixture
def few_digits(digits: Data) -> Data:
    """Give a fifth of the digits."""
    return digits[0][::5], digits[1][::5]


# The layers.


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_neurons_that_are_all_the_same(network: Any, plane: Data, value: float) -> None:
    X, Y = plane
    net = fresh(network, init=f"constant({value})")
    assert only(diagnose(net, X, Y), "symmetric_neurons", "error").evidence == {
        "layer": 1,
        "neurons": [list(range(16))],
        "of": 16,
    }
    history = net.train(X, Y, epochs=100, batch_size=32, optimizer=Adam(0.01), random_state=0)
    finding = only(diagnose(net, X, Y, history), "symmetric_neurons", "error")
    assert len(finding.evidence["neurons"][0]) == 16
    assert 'init="glorot_uniform"' in finding.remedy


def test_some_neurons_that_are_the_same(network: Any, plane: Data) -> None:
    net = fresh(network, [3, 16, 8, 1])
    net.weights[1][:, 5] = net.weights[1][:, 2]
    assert diagnose(net, *plane)  # what follows differs, and sets them apart
    net.weights[2][5] = net.weights[2][2]
    finding = only(diagnose(net, *plane), "symmetric_neurons")
    assert (finding.evidence["layer"], finding.evidence["neurons"], finding.evidence["of"]) == (2, [[2, 5]], 8)


def test_neurons_that_were_cut_out_are_not_symmetric(network: Any, plane: Data) -> None:
    net = fresh(network)
    net.weights[0][:, [3, 9]] = 0
    net.weights[1][[3, 9]] = 0
    net.biases[0][[3, 9]] = 0.4
    assert diagnose(net, *plane).kinds == ["underfit"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relus_that_are_dead(network: Any, few_digits: Data, dtype: str) -> None:
    X, Y = few_digits
    net = fresh(network, [64, 20, 16, 10], "relu", output_activation="softmax", init="he_uniform", dtype=dtype)
    assert diagnose(net, X, Y, loss="log_loss")
    dead = [0, 3, 4, 7, 9, 12, 15]
    net.biases[1][dead[:5]] = -100
    assert diagnose(net, X, Y, loss="log_loss").kinds == ["underfit"]  # 5 of 16
    net.biases[1][dead] = -100
    finding = only(diagnose(net, X, Y, loss="log_loss"), "dead_units")
    assert (finding.evidence["layer"], finding.evidence["neurons"], finding.evidence["of"]) == (2, dead, 16)
    assert "all 360 rows" in finding.message
    net.biases[1][:] = -100
    finding = only(diagnose(net, X, Y, loss="log_loss"), "dead_units", "error")
    assert finding.evidence["neurons"] == list(range(16))


def test_outputs_that_are_dead(network: Any, plane: Data) -> None:
    X, Y = plane
    targets = np.column_stack([np.abs(Y), 0 * Y, np.abs(Y)])
    net = fresh(network, [3, 16, 3], output_activation="relu")
    net.biases[-1][:] = 1
    assert diagnose(net, X, targets).kinds == ["underfit"]
    net.biases[-1][:] = -100
    finding = only(diagnose(net, X, targets), "dead_outputs", "error")
    assert (finding.evidence["outputs"], finding.evidence["of"]) == ([0, 2], 3)  # the other one is as it should be
    net = fresh(network, [3, 16, 1], output_activation="hard_tanh")
    net.biases[-1][:] = 100
    assert only(diagnose(net, X, Y / 4), "dead_outputs", "error").evidence["outputs"] == [0]


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "hard_tanh"])
def test_units_that_are_saturated(network: Any, few_digits: Data, activation: str) -> None:
    X, Y = few_digits
    net = fresh(network, [64, 16, 12, 10], ["gelu", activation], output_activation="softmax")
    assert diagnose(net, X, Y, loss="log_loss")
    saturated = [1, 5, 8, 11]
    net.biases[1][saturated] = [50, -50, 50, -50]
    finding = only(diagnose(net, X, Y, loss="log_loss"), "saturated_units")
    assert (finding.evidence["layer"], finding.evidence["neurons"], finding.evidence["of"]) == (2, saturated, 12)
    assert finding.evidence["shares"] == [1, 1, 1, 1]
    net.biases[1][saturated[2:]] = 0
    assert diagnose(net, X, Y, loss="log_loss").kinds == ["underfit"]  # 2 of 12


def test_weights_that_start_too_large_saturate(network: Any, few_digits: Data) -> None:
    X, Y = few_digits
    net = fresh(network, [64, 32, 10], output_activation="softmax")
    net.weights[0][:] *= 50
    finding = only(diagnose(net, X, Y, loss="log_loss"), "saturated_units")
    assert len(finding.evidence["neurons"]) > 20
    assert "glorot_uniform" in finding.remedy


def test_weights_that_a_penalty_holds_down(network: Any, diabetes: Data) -> None:
    X, y = diabetes
    net = fresh(sizes=[10, 16, 1])
    history = net.train(X, y, epochs=50, batch_size=32, optimizer=Adam(0.01, l2=10.0), random_state=0)
    net = network.from_parameters(net.weights, net.biases)
    finding = only(diagnose(net, X, y, history), "shrunk_weights")
    assert finding.evidence["layers"] == [1, 2]
    assert finding.evidence["sizes"][1] == pytest.approx(np.sqrt(np.mean(net.weights[1] ** 2)), rel=1e-5)
    assert "a smaller l2" in finding.remedy
    net = fresh(network, [10, 16, 1])
    net.weights[0][:] *= 1e-3
    assert only(diagnose(net, X, y), "shrunk_weights").evidence["layers"] == [1]
    net.weights[0][:] *= 30
    assert diagnose(net, X, y)


def test_gradients_that_vanish(network: Any, few_digits: Data) -> None:
    X, Y = few_digits
    net = fresh(network, [64, *[20] * 8, 10], "sigmoid", output_activation="softmax", dtype="float64")
    finding = only(diagnose(net, X, Y, loss="log_loss"), "vanishing_gradients")
    assert finding.evidence["layer"] == 1
    step = net.trace(X, Y, "log_loss")
    ratio = np.linalg.norm(step.delta[1]) / np.linalg.norm(step.delta[9])
    assert finding.evidence["ratio"] == pytest.approx(ratio)
    layers = finding.evidence["layers"]
    assert [row["layer"] for row in layers] == list(range(1, 10))
    assert layers[4]["gradient"] == pytest.approx(np.linalg.norm(step.dW[5]))
    assert layers[4]["gradient/weights"] == pytest.approx(np.linalg.norm(step.dW[5]) / np.linalg.norm(net.weights[4]))
    assert diagnose(fresh(network, [64, 20, 20, 20, 10], "sigmoid", output_activation="softmax"), X, Y, loss="log_loss")
    deep = fresh(network, [64, *[50] * 8, 10], "relu", output_activation="softmax", init="he_uniform")
    assert diagnose(deep, X, Y, loss="log_loss")


def test_gradients_that_explode(network: Any, few_digits: Data) -> None:
    X, Y = few_digits
    net = fresh(network, [64, *[50] * 8, 10], "relu", output_activation="softmax", init="he_uniform")
    for W in net.weights:
        W[:] *= 4
    finding = only(diagnose(net, X, Y, loss="log_loss"), "exploding_gradients")
    assert finding.evidence["layer"] == 1
    assert finding.evidence["ratio"] > 200


# The curves.


def digits_run(digits: Data, optimizer: Any, epochs: int, **arguments: Any) -> tuple[Any, History]:
    net = fastmlp.Network([64, 16, 10], output_activation="softmax", random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fastmlp.DivergenceWarning)
        arguments = {"batch_size": 32, "loss": "log_loss", "random_state": 0, **arguments}
        return net, net.train(*digits, epochs=epochs, optimizer=optimizer, **arguments)


def test_a_run_that_diverged(network: Any, plane: Data) -> None:
    X, Y = plane
    net = fresh(network, activation="linear")
    with pytest.warns(fastmlp.DivergenceWarning):
        history = net.train(X, Y, epochs=200, optimizer=SGD(2.0))
    finding = only(diagnose(net, X, Y, history, optimizer=SGD(2.0)), "learning_rate_too_high", "error")
    assert "diverged: the" in finding.message
    assert finding.evidence["learning_rate"] == 2.0
    assert 0.001 < finding.evidence["suggestion"] < 1
    assert "the learning rate was 2" in finding.message
    net.weights[0][:, 3], net.weights[1][3] = net.weights[0][:, 2], net.weights[1][2]  # what it did on its way
    assert diagnose(net, X, Y, history).kinds == ["learning_rate_too_high"]
    healed = fresh(network, activation="linear")
    optimizer = SGD(finding.evidence["suggestion"])
    history = healed.train(X, Y, epochs=200, optimizer=optimizer)
    assert diagnose(healed, X, Y, history, optimizer=optimizer)
    assert f"learning_rate={finding.evidence['suggestion']:.2g}" in finding.remedy


def test_what_is_not_scaled_has_no_learning_rate(network: Any, plane: Data) -> None:
    X, Y = plane
    net = fresh(network, activation="linear")
    rising = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert diagnose(net, X, Y, rising).kinds == ["learning_rate_too_high"]
    assert diagnose(net, 1000 * X, Y, rising).kinds == ["unscaled_inputs"]
    with pytest.warns(fastmlp.DivergenceWarning):
        history = net.train(1000 * X, Y, epochs=200, optimizer=SGD(0.1))
    assert diagnose(net, 1000 * X, Y, history).kinds == ["learning_rate_too_high", "unscaled_inputs"]


def test_a_loss_that_rises_or_is_thrown_about(digits: Data) -> None:
    net, history = digits_run(digits, Adam(0.5), 15)
    finding = only(diagnose(net, *digits, history, loss="log_loss"), "learning_rate_too_high")
    assert finding.evidence["learning_rate"] == 0.5
    assert finding.evidence["suggestion"] < 0.1
    healed, history = digits_run(digits, Adam(finding.evidence["suggestion"]), 15)
    assert diagnose(healed, *digits, history, loss="log_loss")


@pytest.mark.parametrize("rate", [1e-8, 1e-6, 1e-5])
def test_steps_that_are_too_small(digits: Data, rate: float) -> None:
    net, history = digits_run(digits, Adam(rate), 20)
    finding = only(diagnose(net, *digits, history, loss="log_loss"), "learning_rate_too_low")
    assert finding.evidence["learning_rate"] == rate
    assert finding.evidence["suggestion"] > 1e-3
    healed, history = digits_run(digits, Adam(finding.evidence["suggestion"]), 20)
    assert diagnose(healed, *digits, history, loss="log_loss")


def test_the_learning_rate_of_a_schedule_is_its_highest(digits: Data) -> None:
    net, history = digits_run(digits, Adam(1e-6, schedule=fastmlp.schedules.OneCycle(20)), 20)
    assert history.learning_rate[-1] < 1e-7
    finding = only(diagnose(net, *digits, history, loss="log_loss"), "learning_rate_too_low")
    assert finding.evidence["learning_rate"] == pytest.approx(1e-6, rel=0.1)
    net, history = digits_run(digits, Adam(0.5, schedule=fastmlp.schedules.OneCycle(15)), 15)
    finding = diagnose(net, *digits, [*history.loss[:-1], 9.0], loss="log_loss", optimizer=Adam(0.5)).findings[0]
    assert finding.evidence["suggestion"] > 1e-4


def test_a_suggestion_names_the_rule_that_it_is_for(digits: Data) -> None:
    net, history = digits_run(digits, SGD(1e-4), 20)
    finding = only(diagnose(net, *digits, history, loss="log_loss"), "learning_rate_too_low")
    assert finding.remedy.endswith(" in Adam")
    healed, history = digits_run(digits, Adam(finding.evidence["suggestion"]), 20)
    assert diagnose(healed, *digits, history, loss="log_loss")
    net, history = digits_run(digits, SGD(1e-4), 20)
    finding = only(diagnose(net, *digits, history, loss="log_loss", optimizer=SGD(1e-4)), "learning_rate_too_low")
    assert finding.remedy.endswith(" in SGD")
    healed, history = digits_run(digits, SGD(finding.evidence["suggestion"]), 20)
    assert diagnose(healed, *digits, history, loss="log_loss", optimizer=SGD(0.1))


def test_a_solver_has_no_learning_rate(network: Any, plane: Data) -> None:
    X, Y = plane
    net = fresh(network, dtype="float64")
    net.biases[1][:] = 1e200
    solver = fastmlp.LevenbergMarquardt()
    with pytest.warns(fastmlp.DivergenceWarning):
        history = net.train(X, Y, epochs=5, optimizer=solver)
    assert only(diagnose(net, X, Y, history, optimizer=solver), "overflow", "error").evidence["quantity"] == "J"
    assert diagnose(fresh(network), X, Y, [1.0, 2.0, 3.0, 4.0, 5.0], optimizer=solver).kinds == ["underfit"]


def test_a_run_that_ended_while_the_loss_fell(digits: Data) -> None:
    net, history = digits_run(digits, SGD(0.01), 20)
    finding = only(diagnose(net, *digits, history, loss="log_loss"), "stopped_too_early")
    assert finding.evidence["epochs"] == 20
    assert finding.evidence["loss"] == history.loss[-1]
    history = net.train(*digits, epochs=200, batch_size=32, optimizer=SGD(0.05), loss="log_loss", random_state=0)
    assert diagnose(net, *digits, history, loss="log_loss")


def test_a_curve_may_be_a_list(digits: Data) -> None:
    net, history = digits_run(digits, SGD(0.01), 20)
    assert diagnose(net, *digits, history.loss, loss="log_loss").kinds == ["stopped_too_early"]
    assert diagnose(net, *digits, history.loss[:3], loss="log_loss")
    finding = only(diagnose(net, *digits, [2.3, 5.0, float("nan")], loss="log_loss"), "learning_rate_too_high", "error")
    assert "the loss is nan in epoch 3" in finding.message


def test_what_is_learnt_by_heart(network: Any, diabetes: Data) -> None:
    X, y = diabetes
    train, test = slice(0, 80), slice(80, None)
    held_out = (X[test], y[test])
    net = fastmlp.Network([10, 64, 64, 1], random_state=0)
    history = net.train(
        X[train], y[train], epochs=300, batch_size=16, optimizer=Adam(0.005), validation_data=held_out, random_state=0
    )
    net = network.from_parameters(net.weights, net.biases)
    finding = only(diagnose(net, X[train], y[train], history), "overfit")
    best = int(np.argmin(history.validation_loss))
    assert finding.evidence["best_epoch"] == best + 1
    assert finding.evidence["lowest"] == history.validation_loss[best]
    assert diagnose(net, X[train], y[train])  # it learnt these rows well
    finding = only(diagnose(net, X[train], y[train], validation_data=held_out), "overfit")
    assert finding.evidence["validation_loss"] == pytest.approx(net.loss(*held_out))


def test_early_stopping_has_put_the_best_epoch_back(diabetes: Data) -> None:
    X, y = diabetes
    net = fastmlp.Network([10, 64, 64, 1], random_state=0)
    history = net.train(
        X[:150],
        y[:150],
        epochs=300,
        batch_size=16,
        optimizer=Adam(0.005),
        validation_data=(X[150:], y[150:]),
        callbacks=[fastmlp.EarlyStopping(30)],
        random_state=0,
    )
    assert history.stop_reason.startswith("validation_loss has not improved")
    assert history.validation_loss[-1] > 1.2 * min(history.validation_loss)
    assert diagnose(net, X[:150], y[:150], history)


def test_inputs_that_tell_nothing_of_the_targets(network: Any, rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((2000, 2)), rng.standard_normal(2000)
    net = fastmlp.Network([2, 4, 1], random_state=0)
    history = net.train(X, Y, epochs=20, batch_size=32, optimizer=Adam(0.003), random_state=0)
    net = network.from_parameters(net.weights, net.biases)
    finding = only(diagnose(net, X, Y, history), "underfit")
    assert finding.evidence["loss"] == pytest.approx(net.loss(X, Y))
    assert finding.evidence["plain_loss"] == pytest.approx(np.var(Y) / 2)
    for bias in (True, False):
        assert diagnose(fresh(network, [2, 4, 1], bias=bias), X, Y)  # not trained yet
    X[:, 1] = 0.5
    assert diagnose(net, X, Y, history).kinds == ["constant_columns", "underfit"]
