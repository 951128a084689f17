"""Validation data and scores, initial weights, callbacks, limits of time and progress of estimators."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, check_scoring, log_loss, make_scorer, recall_score, roc_auc_score

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.reference.arrays import Array

Data = tuple[Array, Array]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def parts(cancer: Data, rng: np.random.Generator) -> dict[str, Array]:
    """Give arguments of fit: samples to train with, and others to validate with."""
    X, y = cancer
    order = rng.permutation(569)
    train, rest = order[:400], order[400:]
    return {"X": X[train], "y": y[train], "X_val": X[rest], "y_val": y[rest]}


def test_the_loss_of_validation_data_is_recorded(parts: dict[str, Array]) -> None:
    weight = np.linspace(0, 2, 169)
    model = MLPClassifier(max_iter=6, random_state=0).fit(**parts, sample_weight_val=weight)
    assert len(model.validation_loss_curve_) == 6
    expected = log_loss(parts["y_val"], model.predict_proba(parts["X_val"]), sample_weight=weight)
    assert model.validation_loss_curve_[-1] == pytest.approx(expected)
    assert (model.validation_scores_, model.best_validation_score_) == (None, None)
    without = MLPClassifier(max_iter=6, random_state=0).fit(parts["X"], parts["y"])
    assert np.array_equal(model.network_.parameters, without.network_.parameters)
    assert without.validation_loss_curve_ is None


def test_early_stopping_by_ones_own_data(parts: dict[str, Array]) -> None:
    model = MLPClassifier(early_stopping=True, n_iter_no_change=3, random_state=0).fit(**parts)
    assert model.t_ == 400 * model.n_iter_  # nothing of the training samples is held out
    assert model.n_iter_ == len(model.validation_scores_) < 200
    assert "validation score did not improve" in model.history_.stop_reason
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(parts["X_val"], parts["y_val"]) == model.best_validation_score_
    assert model.best_loss_ is None


def test_early_stopping_by_a_fraction(cancer: Data) -> None:
    model = MLPClassifier(early_stopping=True, validation_fraction=0.25, max_iter=5, random_state=0).fit(*cancer)
    assert model.t_ == 5 * 426
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 5
    regression = MLPRegressor(early_stopping=True, max_iter=5, random_state=0).fit(*cancer)
    assert len(regression.validation_scores_) == 5


@pytest.mark.parametrize("seed", range(3))
def test_a_fraction_has_the_shares_of_the_classes(seed: int) -> None:
    y = np.repeat([0, 1], [90, 10])
    seen: list[Any] = []

    class Look:
        def on_train_begin(self, state: Any) -> None:
            seen.append(state.task.validation)

    model = MLPClassifier(
        early_stopping=True, validation_fraction=0.2, max_iter=1, random_state=seed, callbacks=[Look()]
    )
    model.fit(np.random.default_rng(seed).standard_normal((100, 2)), y)
    assert seen[0][1].mean() == pytest.approx(0.1)


def test_early_stopping_with_full_batches(parts: dict[str, Array]) -> None:
    for solver in ("lbfgs", "rprop"):
        model = MLPClassifier(solver=solver, early_stopping=True, n_iter_no_change=4, random_state=0).fit(**parts)
        assert model.best_validation_score_ == model.score(parts["X_val"], parts["y_val"]) > 0.9
        assert model.n_iter_ < 200


def negative_brier(model: Any, X: Array, y: Array, sample_weight: Array | None = None) -> float:
    return -brier_score_loss(y, model.predict_proba(X)[:, 1], sample_weight=sample_weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "scoring", [None, "loss", "roc_auc", negative_brier, make_scorer(roc_auc_score, response_method="predict_proba")]
)
def test_scores(scoring: Any, weighted: bool, parts: dict[str, Array]) -> None:
    weight = np.linspace(0, 2, 169) if weighted else None
    model = MLPClassifier(early_stopping=True, scoring=scoring, max_iter=8, random_state=0)
    model.fit(**parts, sample_weight_val=weight)
    X, y = parts["X_val"], parts["y_val"]
    probabilities = model.predict_proba(X)
    expected = {
        None: lambda: model.score(X, y, weight),
        "loss": lambda: -log_loss(y, probabilities, sample_weight=weight),
        negative_brier: lambda: negative_brier(model, X, y, weight),
    }.get(scoring, lambda: roc_auc_score(y, probabilities[:, 1], sample_weight=weight))()
    assert model.best_validation_score_ == pytest.approx(expected, abs=1e-12)
    assert len(model.validation_scores_) == 8


def balanced(model: Any, X: Array, y: Array) -> float:
    return float(recall_score(y, model.predict(X), average="macro"))


@pytest.mark.parametrize("scoring", [balanced, "neg_max_error"])
def test_a_scorer_that_knows_no_weights_is_given_none(scoring: Any, parts: dict[str, Array]) -> None:
    weight = np.linspace(0, 2, 169)
    model = MLPClassifier(early_stopping=True, scoring=scoring, class_weight="balanced", max_iter=4, random_state=0)
    model.fit(**parts, sample_weight_val=weight)
    expected = check_scoring(model, scoring=scoring)(model, parts["X_val"], parts["y_val"])
    assert model.best_validation_score_ == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_scores_that_cannot_be_compared(parts: dict[str, Array]) -> None:
    X, y = parts["X"], parts["y"]
    model = MLPRegressor(early_stopping=True, max_iter=3, random_state=0)
    with pytest.raises(ValueError, match="the validation score is nan"):
        model.fit(X, y, X_val=X[:1], y_val=y[:1])
    with pytest.raises(TypeError, match=r"scoring gave \{'r2': 1\}: a validation score is one number"):
        model.set_params(scoring=lambda model, X, y: {"r2": 1}).fit(X, y)
    assert not hasattr(model, "network_")


def test_the_score_of_a_regressor_is_r2(diabetes: Data) -> None:
    X, y = diabetes
    for loss in ("squared_error", "gaussian_nll"):
        model = MLPRegressor(loss, early_stopping=True, max_iter=8, random_state=0)
        model.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
        assert model.best_validation_score_ == pytest.approx(model.score(X[300:], y[300:]))


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_initial_weights(cls: type, iris: Data) -> None:
    parameters = {"hidden_layer_sizes": (5,), "max_iter": 3, "shuffle": False, "random_state": 0}
    first = cls(**{**parameters, "max_iter": 1, "learning_rate_init": 1e-300}, alpha=0).fit(*iris)
    again = cls(**{**parameters, "random_state": 1}).fit(
        *iris, coefs_init=first.coefs_, intercepts_init=[b.tolist() for b in first.intercepts_]
    )
    assert np.array_equal(again.network_.parameters, cls(**parameters).fit(*iris).network_.parameters)
    started = cls(**{**parameters, "learning_rate_init": 1e-300}).fit(
        *iris, intercepts_init=[np.ones(5), np.zeros(again.n_outputs_)]
    )
    assert np.array_equal(started.intercepts_[0], np.ones(5))


def test_a_fit_that_goes_on_takes_no_initial_weights(iris: Data) -> None:
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=1, warm_start=True, random_state=0)
    twin = MLPRegressor(hidden_layer_sizes=(), max_iter=2, random_state=0)
    zeros = [np.zeros((4, 1))]
    model.fit(*iris, coefs_init=zeros).fit(*iris, coefs_init=[np.ones((4, 1))])
    assert np.array_equal(model.network_.parameters, twin.fit(*iris, coefs_init=zeros).network_.parameters)


def test_weights_are_live(iris: Data) -> None:
    model = MLPRegressor(max_iter=1).fit(*iris)
    model.coefs_[-1][:] = 0
    model.intercepts_[-1][:] = 4
    assert np.array_equal(model.predict(iris[0]), np.full(150, 4.0))


class Counting:
    """A callback of one's own: counts what it hears, and stops after some epochs."""

    def __init__(self, last: int | None = None) -> None:
        self.last, self.heard = last, list[str]()

    def on_train_begin(self, state: Any) -> None:
        self.heard.append("begin")

    def on_epoch_end(self, state: Any) -> str | None:
        self.heard.append("epoch")
        return "that is enough" if state.epoch == self.last else None

    def on_train_end(self, state: Any) -> None:
        self.heard.append("end")


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "rprop"])
def test_callbacks_of_ones_own(solver: str, iris: Data) -> None:
    counting = Counting(3)
    model = MLPClassifier(solver=solver, callbacks=[counting], random_state=0).fit(*iris)
    assert counting.heard == ["begin", "epoch", "epoch", "epoch", "end"]
    assert model.history_.stop_reason == "that is enough"
    assert model.n_iter_ == 3


def test_fastmlps_callbacks(parts: dict[str, Array], tmp_path: Path) -> None:
    stopping = fastmlp.EarlyStopping(patience=2)
    checkpoint = fastmlp.Checkpoint(tmp_path / "checkpoint")
    log = fastmlp.CSVLog(tmp_path / "log.csv")
    model = MLPClassifier(learning_rate_init=0.05, callbacks=[stopping, checkpoint, log], random_state=0).fit(**parts)
    assert model.history_.stop_reason.startswith("validation_loss has not improved for 2 epochs")
    assert model.n_iter_ == stopping.best_epoch + 2 < 200
    best = log_loss(parts["y_val"], model.predict_proba(parts["X_val"]))
    assert best == pytest.approx(stopping.best) == pytest.approx(min(model.validation_loss_curve_))
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1 + model.n_iter_
    assert (tmp_path / "checkpoint").stat().st_size > 0


def test_time_is_limited(digits: Data) -> None:
    X, y = digits[0], digits[1].argmax(axis=1)
    model = MLPClassifier(max_iter=10**6, max_time=0.3, tol=0, n_iter_no_change=10**6, random_state=0)
    start = time.perf_counter()
    model.fit(X, y)
    assert 0.25 < time.perf_counter() - start < 2
    assert model.history_.stop_reason.startswith("max_time of 0.3 s was over")
    assert model.score(X, y) > 0.5


@pytest.mark.parametrize("verbose", [False, True, 2])
def test_progress(verbose: Any, iris: Data, capfd: pytest.CaptureFixture[str]) -> None:
    MLPClassifier(max_iter=4, verbose=verbose, random_state=0).fit(*iris)
    out, err = capfd.readouterr()
    assert out == ""
    assert ("epoch 4/4" in err) is bool(verbose)


def test_no_patience_at_all_runs_to_the_end(iris: Data) -> None:
    model = MLPRegressor(hidden_layer_sizes=(), tol=1e3, n_iter_no_change=np.inf, max_iter=40).fit(*iris)
    assert model.n_iter_ == 40
    impatient = MLPRegressor(hidden_layer_sizes=(), tol=1e3, n_iter_no_change=3, max_iter=40).fit(*iris)
    assert impatient.n_iter_ == 5  # the first, and one more than three without improvement
