"""What solvers do for estimators: learn, penalize weights, follow learning rates; and which one "auto" takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn import neural_network

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.estimators import settings
from fastmlp.reference.activations import ACTIVATIONS
from fastmlp.reference.arrays import Array

Data = tuple[Array, Array]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# A learning rate for each of the solvers, other than the default where that one is slow.
RATES = {"sgd": 0.1, "adagrad": 0.1, "rprop": 0.01}


@pytest.mark.parametrize("solver", settings.SOLVERS)
def test_every_solver_learns_a_regression(solver: str, diabetes: Data) -> None:
    X, y = diabetes
    rate, epochs = RATES.get(solver, 0.01), 5 if solver == "lm" else 100
    model = MLPRegressor(
        hidden_layer_sizes=8, activation="tanh", solver=solver, learning_rate_init=rate, max_iter=epochs, random_state=0
    )
    assert 0.5 < model.fit(X, y).score(X, y) < 1


@pytest.mark.parametrize("solver", [s for s in settings.SOLVERS if s != "lm"])
def test_every_solver_learns_classes(solver: str, iris: Data) -> None:
    rate = RATES.get(solver, 0.01)
    model = MLPClassifier((8,), solver=solver, learning_rate_init=rate, max_iter=100, random_state=0)
    assert model.fit(*iris).score(*iris) > 0.95


def test_lm_takes_squared_error_alone(iris: Data) -> None:
    with pytest.raises(ValueError, match="log_loss"):
        MLPClassifier(solver="lm").fit(*iris)


@pytest.mark.parametrize(
    "solver", [fastmlp.Adam(0.02), fastmlp.SGD(0.05, momentum=0.9, nesterov=True), fastmlp.LBFGS()]
)
def test_solvers_may_be_objects(solver: Any, iris: Data) -> None:
    model = MLPClassifier(solver=solver, max_iter=60, random_state=0)
    assert model.fit(*iris).score(*iris) > 0.95
    assert not getattr(solver, "steps", 0)  # the estimator's own is a copy
    again = MLPClassifier(solver=solver, max_iter=60, random_state=0).fit(*iris)
    assert np.array_equal(again.network_.parameters, model.network_.parameters)


def test_an_object_has_its_numbers_itself(iris: Data) -> None:
    first = MLPClassifier(solver=fastmlp.Adam(0.01), max_iter=5, random_state=0).fit(*iris)
    second = MLPClassifier(
        solver=fastmlp.Adam(0.01), alpha=9, learning_rate_init=9, beta_1=0, max_iter=5, random_state=0
    ).fit(*iris)
    assert np.array_equal(first.network_.parameters, second.network_.parameters)


class TestPenalty:
    """alpha: the objective is the mean loss + alpha / (2 m) * sum of squared weights."""

    @pytest.mark.parametrize("batch_size", [1, 10, 50, 150])
    def test_it_does_not_depend_on_the_batch_size(self, batch_size: int, diabetes: Data) -> None:
        X = np.zeros((150, 3))  # so that the loss leaves weights alone
        parameters = {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.01, "max_iter": 1, "random_state": 0}
        model = MLPRegressor(hidden_layer_sizes=(), batch_size=batch_size, alpha=30, **parameters).fit(X, np.zeros(150))
        started = MLPRegressor(hidden_layer_sizes=(), alpha=0, **parameters).fit(X, np.zeros(150))
        shrunk = (1 - 0.01 * 30 / 150) ** (150 / batch_size)
        assert model.coefs_[0] == pytest.approx(shrunk * started.coefs_[0], rel=1e-9)

    @pytest.mark.parametrize("n", [100, 1000])
    def test_it_is_scikit_learns_with_the_default_batches(self, n: int) -> None:
        X, y = np.zeros((n, 3)), np.zeros(n)  # so that the loss leaves weights alone
        parameters = {"hidden_layer_sizes": (), "solver": "sgd", "learning_rate_init": 0.01, "max_iter": 1}
        shrinks = []
        for kind in (neural_network.MLPRegressor, MLPRegressor):
            free, pulled = (kind(alpha=alpha, random_state=0, **parameters).fit(X, y).coefs_[0] for alpha in (0, 30))
            shrinks.append(pulled / free)
        assert shrinks[0].max() < 1
        assert shrinks[1] == pytest.approx(shrinks[0], rel=1e-9)

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
    def test_it_is_scikit_learns_of_all_samples_at_once(self, name: str, weighted: bool, iris: Data) -> None:
        X, y = iris
        weight = np.linspace(0.5, 3, 150) if weighted else None
        parameters = {
            "hidden_layer_sizes": (),
            "solver": "lbfgs",
            "alpha": 5.0,
            "tol": 1e-8,
            "max_iter": 5000,
            "random_state": 0,
        }
        ours = getattr(fastmlp, name)(**parameters).fit(X, y, weight)
        theirs = getattr(neural_network, name)(**parameters).fit(X, y, weight)
        assert ours.coefs_[0] == pytest.approx(theirs.coefs_[0], abs=5e-4)
        outputs = [m.predict_proba(X) if name == "MLPClassifier" else m.predict(X) for m in (ours, theirs)]
        assert outputs[0] == pytest.approx(outputs[1], abs=5e-4)

    def test_solvers_agree_on_where_it_leads(self, diabetes: Data) -> None:
        X, y = diabetes
        expected = np.linalg.solve(X.T @ X + 40 * np.eye(10), X.T @ y)
        for solver in ("lbfgs", "lm", "rprop"):
            model = MLPRegressor(
                hidden_layer_sizes=(),
                solver=solver,
                alpha=40,
                tol=1e-7,
                n_iter_no_change=99,
                max_iter=2000,
                random_state=0,
            ).fit(X, y)
            assert model.coefs_[0][:, 0] == pytest.approx(expected, abs=1e-4), solver


class TestAutomaticChoice:
    """solver="auto" is "lm" for small smooth regression, and "adam" otherwise."""

    def chosen(self, n: int = 100, n_in: int = 1, outputs: int = 1, **parameters: Any) -> str:
        X, Y = np.random.default_rng(0).standard_normal((n, n_in)), np.zeros(n if outputs == 1 else (n, outputs))
        model = MLPRegressor(
            **{"activation": "tanh", "hidden_layer_sizes": (5,), **parameters}, solver="auto", max_iter=1
        )
        return type(model.fit(X, Y)._held.optimizer).__name__

    def test_small_smooth_regression(self) -> None:
        assert self.chosen() == "LevenbergMarquardt"

    def test_the_number_of_parameters(self) -> None:
        # With one input and output, h neurons have 3 h + 1 parameters: 499, and 502.
        assert self.chosen(600, hidden_layer_sizes=(166,)) == "LevenbergMarquardt"
        assert self.chosen(600, hidden_layer_sizes=(167,)) == "Adam"

    def test_no_more_parameters_than_targets(self) -> None:
        assert self.chosen(16) == "LevenbergMarquardt"  # 16 parameters
        assert self.chosen(15) == "Adam"
        assert self.chosen(11, outputs=2) == "LevenbergMarquardt"  # 22 parameters
        assert self.chosen(10, outputs=2) == "Adam"

    def test_the_work_of_a_step(self) -> None:
        # Without hidden layers, 99 inputs are 100 parameters.
        assert self.chosen(200_000, n_in=99, hidden_layer_sizes=()) == "LevenbergMarquardt"
        assert self.chosen(200_001, n_in=99, hidden_layer_sizes=()) == "Adam"

    @pytest.mark.parametrize("name", ACTIVATIONS)
    def test_smooth_activations(self, name: str) -> None:
        kinked = name in ("relu", "leaky_relu", "hard_tanh")
        assert self.chosen(activation=name) == ("Adam" if kinked else "LevenbergMarquardt")
        assert self.chosen(out_activation=name) == ("Adam" if kinked else "LevenbergMarquardt")

    @pytest.mark.parametrize(
        "parameters",
        [
            *({"loss": "huber"}, {"dropout": 0.1}, {"early_stopping": True}, {"l1": 0.1}, {"weight_decay": 0.1}),
            *({"clip_value": 1.0}, {"clip_norm": 1.0}, {"max_norm": 1.0}, {"schedule": fastmlp.schedules.Step(10)}),
        ],
    )
    def test_what_only_rules_have(self, parameters: dict[str, Any]) -> None:
        assert self.chosen(**parameters) == "Adam"

    def test_classes(self, iris: Data) -> None:
        model = MLPClassifier(solver="auto", activation="tanh", max_iter=1).fit(*iris)
        assert isinstance(model._held.optimizer, fastmlp.Adam)


@pytest.mark.parametrize(
    "parameters",
    [
        *({"l1": 0.01}, {"weight_decay": 0.1}, {"clip_value": 0.01}, {"clip_norm": 0.1}, {"max_norm": 0.5}),
        *({"dropout": 0.3}, {"init": "he_normal"}, {"schedule": fastmlp.schedules.Exponential(0.5)}, {"beta_1": 0.5}),
        *({"beta_2": 0.9}, {"epsilon": 1e-3}, {"batch_size": 7}, {"alpha": 10.0}, {"batch_size": 50, "shuffle": False}),
    ],
    ids=lambda parameters: next(iter(parameters)),
)
def test_every_parameter_has_an_effect(parameters: dict[str, Any], iris: Data) -> None:
    plain, other = (MLPClassifier(max_iter=3, random_state=0, **p).fit(*iris) for p in ({}, parameters))
    assert not np.array_equal(plain.network_.parameters, other.network_.parameters)
    assert math.isfinite(other.loss_)


@pytest.mark.parametrize(
    "parameters", [{"momentum": 0.5}, {"nesterovs_momentum": False}, {"learning_rate": "invscaling"}, {"power_t": 0.25}]
)
def test_every_parameter_of_sgd_has_an_effect(parameters: dict[str, Any], iris: Data) -> None:
    base = {"learning_rate": "invscaling"} if "power_t" in parameters else {}
    plain, other = (
        MLPClassifier(solver="sgd", max_iter=3, random_state=0, **p).fit(*iris) for p in (base, {**base, **parameters})
    )
    assert not np.array_equal(plain.network_.parameters, other.network_.parameters)


def test_inverse_scaling_counts_samples(iris: Data) -> None:
    model = MLPClassifier(solver="sgd", learning_rate="invscaling", learning_rate_init=0.3, power_t=0.4, max_iter=4)
    rates = model.fit(*iris).history_.learning_rate
    assert rates == pytest.approx([0.3 / (1 + 150 * epoch) ** 0.4 for epoch in range(4)])


def test_adaptive_rates_fall_where_the_loss_does_not(diabetes: Data) -> None:
    model = MLPRegressor(
        solver="sgd", learning_rate="adaptive", learning_rate_init=0.1, tol=1e-3, n_iter_no_change=2, max_iter=1000
    ).fit(*diabetes)
    rates = np.unique(model.history_.learning_rate)[::-1]
    assert rates == pytest.approx(0.1 / 5.0 ** np.arange(len(rates)))
    assert rates[-1] <= 1e-6 < rates[-2]
    assert "training loss did not improve" in model.history_.stop_reason
