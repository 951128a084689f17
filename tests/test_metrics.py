"""Metrics: their formulas, and their place in the history."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fastmlp.reference.arrays import Array
from fastmlp.reference.metrics import LARGER_IS_BETTER, METRICS

Y = np.array([[1.0, 2.0], [3.0, 0.0], [5.0, 1.0]])
Y_HAT = np.array([[1.0, 1.0], [2.0, 0.0], [7.0, 2.0]])
CLASSES = np.eye(3)[[0, 0, 0, 1]]
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3]])
ONE, ONE_HAT = np.array([[0.0], [1.0], [1.0], [1.0]]), np.array([[0.2], [0.9], [0.5], [0.6]])

EXPECTED: list[tuple[str, Array, Array, float]] = [
    ("mean_squared_error", Y, Y_HAT, 7 / 6),
    ("root_mean_squared_error", Y, Y_HAT, math.sqrt(7 / 6)),
    ("mean_absolute_error", Y, Y_HAT, 5 / 6),
    ("r2", Y, Y_HAT, ((1 - 5 / 8) + (1 - 2 / 2)) / 2),
    ("r2", Y, Y, 1.0),
    ("r2", np.ones((3, 1)), np.ones((3, 1)), 1.0),
    ("r2", np.ones((3, 1)), np.zeros((3, 1)), 0.0),
    ("accuracy", CLASSES, PROBABILITIES, 3 / 4),
    ("accuracy", ONE, ONE_HAT, 3 / 4),
    ("balanced_accuracy", CLASSES, PROBABILITIES, (2 / 3 + 1) / 2),
    ("balanced_accuracy", ONE, ONE_HAT, (1 + 2 / 3) / 2),
    ("log_loss", CLASSES, PROBABILITIES, -math.log(0.8 * 0.5 * 0.2 * 0.6) / 4),
    ("log_loss", ONE, ONE_HAT, -math.log(0.8 * 0.9 * 0.5 * 0.6) / 4),
    ("log_loss", np.array([[1.0]]), np.array([[0.0]]), -math.log(1e-15)),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "targets", "outputs", "expected"), EXPECTED)
def test_formulas(name: str, targets: Array, outputs: Array, expected: float, dtype: str) -> None:
    value = METRICS[name](targets.astype(dtype), outputs.astype(dtype))
    assert type(value) is float
    assert value == pytest.approx(expected, rel=1e-12 if dtype == "float64" else 1e-6)


def test_every_metric_is_tested() -> None:
    assert {name for name, *_ in EXPECTED} == set(METRICS)
    assert set(METRICS) >= LARGER_IS_BETTER


def test_they_agree_with_known_values_in_any_scale() -> None:
    large = Y.astype("float32") + np.float32(1e4)
    assert METRICS["r2"](large, large + 1) == pytest.approx(1 - (3 / 8 + 3 / 2) / 2, rel=1e-3)


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[Array, Array]:
    X = rng.uniform(-1, 1, (40, 2)).astype("float32")
    return X, (X @ [[1, 2], [3, -1]]).astype("float32")


def largest_error(Y: Array, Y_hat: Array) -> Any:
    return np.abs(Y - Y_hat).max()


@pytest.mark.parametrize("validates", [False, True])
def test_history_has_the_metrics_of_each_epochs_end(backend: Any, data: tuple[Array, Array], validates: bool) -> None:
    X, Y = data
    net, seen = backend([2, 4, 2], random_state=0), []
    judged = (X[:9], Y[:9]) if validates else (X, Y)

    class Watcher:
        def on_epoch_end(self, state: Any) -> None:
            Y_hat = net.predict(judged[0])
            seen.append([f(judged[1], Y_hat) for f in (METRICS["r2"], largest_error)])

    history = net.train(
        X,
        Y,
        epochs=4,
        batch_size=8,
        metrics=["r2", largest_error],
        validation_data=judged if validates else None,
        callbacks=[Watcher()],
    )
    assert list(history.metrics) == ["r2", "largest_error"]
    assert np.array_equal(np.transpose(list(history.metrics.values())), seen)
    assert all(type(value) is float for curve in history.metrics.values() for value in curve)
    assert history.gradient_norm == []


def test_metrics_change_nothing_of_a_run(backend: Any, data: tuple[Array, Array]) -> None:
    ends = []
    for metrics in ([], [*METRICS, "gradient_norm"]):
        net = backend([2, 4, 2], random_state=0)
        history = net.train(*data, epochs=5, batch_size=8, metrics=metrics, random_state=0)
        assert all(len(curve) == 5 for curve in history.curves().values())
        ends.append((net.parameters.tobytes(), history.loss))
    assert ends[0] == ends[1]


def test_the_gradient_norm_is_that_of_all_training_rows(backend: Any, data: tuple[Array, Array]) -> None:
    net = backend([2, 4, 2], dtype="float64", random_state=0)
    weight = np.linspace(1, 2, 40)
    history = net.train(*data, epochs=3, batch_size=8, metrics=("gradient_norm",), sample_weight=weight)
    gradients = net.gradients(*data, sample_weight=weight)
    norm = math.sqrt(sum(float((g * g).sum()) for g in gradients.weights + gradients.biases))
    assert len(history.gradient_norm) == 3
    assert history.gradient_norm[-1] == pytest.approx(norm, rel=1e-12)
    assert history.metrics == {}


def test_outputs_that_are_no_estimates_of_the_targets_need_a_function(backend: Any, data: tuple[Array, Array]) -> None:
    X, Y = data
    net = backend([2, 3], random_state=0)
    arguments: dict[str, Any] = {"epochs": 2, "loss": "quantile(0.1, 0.5, 0.9)"}
    with pytest.raises(ValueError, match=r"metrics\[0\] 'r2' compares outputs with targets, .* there are 3 and 1"):
        net.train(X, Y[:, 0], metrics=["r2"], **arguments)

    def coverage(Y: Array, Y_hat: Array) -> float:
        return float(((Y_hat[:, :1] <= Y) & (Y_hat[:, 2:] >= Y)).mean())

    history = net.train(X, Y[:, 0], metrics=[coverage, "gradient_norm"], **arguments)
    assert len(history.metrics["coverage"]) == len(history.gradient_norm) == 2


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        ("r2", TypeError, r"metrics must be a sequence of names or functions"),
        (3, TypeError, "metrics must be a sequence"),
        (["acuracy"], ValueError, r"unknown metrics\[0\] 'acuracy': did you mean 'accuracy'"),
        (["r2", 1], TypeError, r"metrics\[1\] must be a string"),
        (["r2", "r2"], ValueError, r"metrics\[1\] has the name 'r2', which is taken"),
        ([lambda Y, Y_hat: 0.0] * 2, ValueError, "has the name '<lambda>', which is taken"),
    ],
)
def test_bad_metrics(
    backend: Any, data: tuple[Array, Array], metrics: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        backend([2, 4, 2]).train(*data, epochs=1, metrics=metrics)
