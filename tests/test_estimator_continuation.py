"""Fits that go on: warm_start, partial_fit, and what was pickled in between."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.reference.arrays import Array

Data = tuple[Array, Array]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS: dict[str, dict[str, Any]] = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.1},
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.3},
    "sgd, adaptive": {
        **{"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.1},
        **{"tol": 0.02, "n_iter_no_change": 1},
    },
    "rprop": {"solver": "rprop"},
    "lion": {"solver": "lion"},
    "an object": {"solver": fastmlp.NAdam(0.01, clip_norm=0.5)},
    "dropout": {"dropout": 0.3},
    "penalties": {"l1": 0.01, "weight_decay": 0.1, "max_norm": 1.0},
    "schedule": {"schedule": fastmlp.schedules.OneCycle(20)},
    "schedule by the loss": {"schedule": fastmlp.schedules.ReduceOnPlateau(0.5, patience=1, min_delta=0.05)},
    "early stopping": {"early_stopping": True, "learning_rate_init": 0.01},
    "early stopping, adaptive": {
        **{"early_stopping": True, "solver": "sgd", "learning_rate": "adaptive"},
        **{"learning_rate_init": 0.1, "tol": 0.01, "n_iter_no_change": 1},
    },
    "early stopping by the loss": {"early_stopping": True, "scoring": "loss"},
}


def made(name: str, cls: type = MLPClassifier, epochs: int = 10, **more: Any) -> Any:
    return cls(hidden_layer_sizes=(8,), batch_size=32, max_iter=epochs, random_state=0, **{**SETTINGS[name], **more})


def same(a: Any, b: Any) -> None:
    """Check that two fits are at the same point, to the bit."""
    assert np.array_equal(a.network_.parameters, b.network_.parameters)
    assert a.loss_curve_ == b.loss_curve_
    assert a.loss_ == b.loss_
    for name in ("t_", "best_loss_", "validation_scores_", "best_validation_score_", "validation_loss_curve_"):
        assert getattr(a, name) == getattr(b, name), name


@pytest.mark.parametrize("through_a_pickle", [False, True], ids=["at once", "through a pickle"])
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_ten_epochs_and_ten_are_twenty(cls: type, name: str, through_a_pickle: bool, iris: Data) -> None:
    twenty = made(name, cls, 20).fit(*iris)
    ten = made(name, cls, 10, warm_start=True).fit(*iris)
    if through_a_pickle:
        ten = pickle.loads(pickle.dumps(ten))
    ten.fit(*iris)
    same(ten, twenty)
    assert ten.n_iter_ == twenty.n_iter_ - 10 > 0


def test_lm_goes_on(diabetes: Data) -> None:
    parameters = {"hidden_layer_sizes": (3,), "activation": "tanh", "solver": "lm", "random_state": 0}
    six = MLPRegressor(**parameters, max_iter=6).fit(*diabetes)
    three = MLPRegressor(**parameters, max_iter=3, warm_start=True).fit(*diabetes)
    same(pickle.loads(pickle.dumps(three)).fit(*diabetes), six)
    same(three.fit(*diabetes), six)


def test_lbfgs_goes_on(diabetes: Data) -> None:
    model = MLPRegressor(solver="lbfgs", max_iter=20, warm_start=True, random_state=0).fit(*diabetes)
    first = model.loss_
    model.fit(*diabetes)
    assert model.loss_curve_[20] == pytest.approx(first)
    assert model.loss_ < first
    assert len(model.loss_curve_) == 40


def test_counts_of_epochs_without_improvement_go_on(iris: Data) -> None:
    parameters = {"tol": 0.05, "n_iter_no_change": 6, "max_iter": 50, "random_state": 0}
    once = MLPClassifier(**parameters).fit(*iris)
    assert once.n_iter_ < 50
    model = MLPClassifier(**{**parameters, "max_iter": 1}, warm_start=True)
    while (model.fit(*iris), model.history_.stop_reason)[1] == "all epochs done":
        assert len(model.loss_curve_) < once.n_iter_
    same(model, once)


def test_without_warm_start_each_fit_begins_afresh(iris: Data) -> None:
    for name in SETTINGS:
        model = made(name)
        first = model.fit(*iris).network_.parameters.copy()
        assert np.array_equal(model.fit(*iris).network_.parameters, first), name
        assert len(model.loss_curve_) == 10


def test_a_generator_goes_on_where_it_was(iris: Data) -> None:
    rng = np.random.default_rng(0)
    model = MLPClassifier(max_iter=1, random_state=rng)
    first = model.fit(*iris).network_.parameters.copy()
    assert not np.array_equal(model.fit(*iris).network_.parameters, first)
    rng = np.random.default_rng(0)
    assert np.array_equal(model.set_params(random_state=rng).fit(*iris).network_.parameters, first)


def test_random_states_of_numpys_older_kind(iris: Data) -> None:
    one, two = (MLPClassifier(max_iter=2, random_state=np.random.RandomState(5)).fit(*iris) for _ in range(2))
    assert np.array_equal(one.network_.parameters, two.network_.parameters)
    np.random.seed(3)
    one = MLPClassifier(max_iter=2).fit(*iris)
    np.random.seed(3)
    assert np.array_equal(one.network_.parameters, MLPClassifier(max_iter=2).fit(*iris).network_.parameters)


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "rprop" and "early" not in name])
def test_partial_fits_are_epochs(name: str, iris: Data) -> None:
    X, y = iris
    fitted = made(name, epochs=3, shuffle=False, n_iter_no_change=np.inf).fit(X, y)
    partial = made(name, shuffle=False).partial_fit(X, y, classes=[0, 1, 2])
    pickle.loads(pickle.dumps(partial)).partial_fit(X, y)
    partial.partial_fit(X, y).partial_fit(X, y)
    if name != "sgd, adaptive":  # which lowers its rate in fit alone, as scikit-learn's does
        same(partial, fitted)
    assert (partial.n_iter_, partial.t_) == (1, 450)


def test_partial_fit_and_fit_follow_each_other(iris: Data) -> None:
    model = made("adam", warm_start=True, shuffle=False, n_iter_no_change=np.inf).fit(*iris)
    model.partial_fit(*iris)
    assert len(model.loss_curve_) == 11
    same(model, made("adam", epochs=11, shuffle=False, n_iter_no_change=np.inf).fit(*iris))
    model.set_params(warm_start=False).fit(*iris)
    assert len(model.loss_curve_) == 10


def test_partial_fit_needs_no_class_in_every_batch(iris: Data) -> None:
    X, y = iris
    model = MLPClassifier(learning_rate_init=0.01, random_state=0)
    order = np.random.default_rng(0).permutation(150)
    for rows in [np.arange(50), *([order] * 40)]:  # the first batch has one class alone
        model.partial_fit(X[rows], y[rows], classes=np.unique(y))
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *(("learning_rate_init", 1e-9), ("momentum", 0.0), ("alpha", 1e4), ("clip_norm", 1e-9), ("solver", "adam")),
        ("schedule", fastmlp.schedules.Constant(1e-9)),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_parameters_that_are_set_between_fits_are_heeded(method: str, parameter: str, value: Any, iris: Data) -> None:
    models = [
        MLPClassifier((8,), solver="sgd", max_iter=3, warm_start=True, random_state=0).fit(*iris) for _ in range(2)
    ]
    models[0].set_params(**{parameter: value})
    for model in models:
        getattr(model, method)(*iris)
    assert not np.array_equal(models[0].network_.parameters, models[1].network_.parameters)


def test_the_rest_goes_on_where_one_parameter_is_set(iris: Data) -> None:
    parameters = {"max_iter": 3, "warm_start": True, "random_state": 0}
    model = MLPClassifier(**parameters).fit(*iris)
    moments = [slot.copy() for slot in model._held.optimizer.slots]
    model.set_params(learning_rate_init=1e-12, tol=1e-9, n_iter_no_change=20).fit(*iris)
    optimizer = model._held.optimizer
    assert (optimizer.steps, optimizer.learning_rate) == (6, 1e-12)
    # With almost no learning the gradient stays, and the moments lean to it from where they were.
    twin = MLPClassifier(**parameters).set_params(learning_rate_init=1e-12).fit(*iris)
    assert not np.allclose(optimizer.slots[0], twin._held.optimizer.slots[0])
    assert np.corrcoef(optimizer.slots[0], moments[0])[0, 1] > 0.9


def test_limits_of_patience_can_be_set_between_fits(iris: Data) -> None:
    model = MLPClassifier(tol=10, n_iter_no_change=3, max_iter=50, warm_start=True, random_state=0).fit(*iris)
    assert model.n_iter_ == 5
    assert model.fit(*iris).n_iter_ == 1  # it had waited too long already
    assert model.set_params(tol=0, n_iter_no_change=30).fit(*iris).n_iter_ == 50
    assert model.set_params(early_stopping=True).fit(*iris).validation_scores_


def test_numbers_of_a_solvers_object_can_be_set_between_fits(iris: Data) -> None:
    model = MLPClassifier(solver=fastmlp.Adam(0.01), max_iter=2, warm_start=True, random_state=0).fit(*iris)
    model.solver.learning_rate = 1e-12
    model.fit(*iris)
    assert (model._held.optimizer.steps, model._held.optimizer.learning_rate) == (4, 1e-12)


def test_an_adapted_rate_goes_on_if_another_parameter_is_set(diabetes: Data) -> None:
    model = MLPRegressor(
        solver="sgd", learning_rate="adaptive", learning_rate_init=0.1, tol=0.01, n_iter_no_change=2, max_iter=20
    ).set_params(warm_start=True, random_state=0)
    model.fit(*diabetes)
    adapted = model._held.optimizer.learning_rate
    assert 1e-6 < adapted < 0.1
    model.set_params(max_iter=1, momentum=0.5).fit(*diabetes)
    assert model._held.optimizer.learning_rate == adapted
    assert model._held.optimizer.momentum == 0.5


def test_early_stopping_keeps_the_best_and_goes_on_from_the_last(cancer: Data) -> None:
    X, y = cancer
    X, y, rest = X[:400], y[:400], {"X_val": X[400:], "y_val": y[400:]}
    model = MLPClassifier(early_stopping=True, max_iter=15, warm_start=True, random_state=0).fit(X, y, **rest)
    assert model.score(*rest.values()) == model.best_validation_score_ == max(model.validation_scores_)
    once = clone(model).set_params(max_iter=30).fit(X, y, **rest)
    same(model.fit(X, y, **rest), once)
    assert model.score(*rest.values()) == model.best_validation_score_


def test_an_interrupted_run_can_go_on(iris: Data) -> None:
    class Interrupted:
        def on_epoch_end(self, state: Any) -> None:
            if state.epoch == 10:
                raise KeyboardInterrupt

    model = made("early stopping", epochs=20, warm_start=True, callbacks=[Interrupted()])
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(*iris)
    assert model.history_.stop_reason == "interrupted"
    assert model.n_iter_ == 10
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", fastmlp.DivergenceWarning)
        model.set_params(callbacks=(), max_iter=10).predict(iris[0])
    same(model.fit(*iris), made("early stopping", epochs=20).fit(*iris))
