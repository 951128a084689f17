"""What estimators learn: with every loss and activation, with weights, and with several targets and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.metrics import log_loss, r2_score
from sklearn.utils.class_weight import compute_sample_weight

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.estimators import settings
from fastmlp.reference.activations import ACTIVATIONS
from fastmlp.reference.arrays import Array
from fastmlp.reference.losses import LOSSES

Data = tuple[Array, Array]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LOSS_SCORES = {
    **dict.fromkeys(["squared_error", "huber", "huber(0.5)", "log_cosh", "absolute_error", "quantile(0.5)"], 0.45),
    **{"poisson": 0.45, "gamma": 0.4, "gaussian_nll": 0.4},
}


def test_every_loss_is_tried() -> None:
    assert {loss.partition("(")[0] for loss in LOSS_SCORES} | {"log_loss"} == {key.partition("/")[0] for key in LOSSES}


@pytest.mark.parametrize("loss", LOSS_SCORES)
def test_every_loss_of_the_regressor_learns(loss: str, diabetes: Data) -> None:
    X, y = diabetes
    y = y - y.min() + 0.1  # above zero, for the losses of counts and times
    model = MLPRegressor(loss, (8,), "tanh", learning_rate_init=0.01, max_iter=100, random_state=0).fit(X, y)
    assert model.score(X, y) > LOSS_SCORES[loss]
    assert model.predict(X).shape == y.shape
    if loss in ("poisson", "gamma"):
        assert model.out_activation_ == "exp"
        assert model.predict(X).min() > 0


def test_a_loss_of_ones_own(diabetes: Data) -> None:
    def halved_squares(Y_hat: Array, Y: Array) -> tuple[Array, Array]:
        return ((Y_hat - Y) ** 2).sum(axis=1) / 2, Y_hat - Y

    own, known = (
        MLPRegressor(loss, max_iter=5, random_state=0).fit(*diabetes) for loss in (halved_squares, "squared_error")
    )
    assert own.loss_curve_ == pytest.approx(known.loss_curve_, rel=1e-9)
    assert own.predict(diabetes[0]) == pytest.approx(known.predict(diabetes[0]), rel=1e-6)


def test_poisson_is_scikit_learns(diabetes: Data) -> None:
    X, y = diabetes
    y = np.round(3 * (y - y.min()))
    parameters = {
        "loss": "poisson",
        "hidden_layer_sizes": (),
        "solver": "lbfgs",
        "alpha": 1.0,
        "tol": 1e-7,
        "max_iter": 2000,
    }
    ours = MLPRegressor(**parameters).fit(X, y)
    theirs = neural_network.MLPRegressor(**parameters).fit(X, y)
    assert ours.coefs_[0] == pytest.approx(theirs.coefs_[0], abs=1e-3)
    assert ours.predict(X) == pytest.approx(theirs.predict(X), rel=1e-3)


@pytest.mark.parametrize(("levels", "shape"), [("0.9", (442,)), ("0.1, 0.5, 0.9", (442, 3))])
def test_quantiles(levels: str, shape: tuple[int, ...], diabetes: Data) -> None:
    X, y = diabetes
    model = MLPRegressor(f"quantile({levels})", (8,), "tanh", learning_rate_init=0.01, max_iter=150, random_state=0)
    predicted = model.fit(X, y).predict(X)
    assert predicted.shape == shape
    below = (y[:, None] < predicted.reshape(442, -1)).mean(axis=0)
    assert below == pytest.approx([float(level) for level in levels.split(",")], abs=0.05)
    several = MLPRegressor(f"quantile({levels})", max_iter=2, random_state=0).fit(X, np.c_[y, -y]).predict(X)
    assert several.shape == (442, 2, *shape[1:])


def test_several_quantiles_have_no_r2(diabetes: Data) -> None:
    model = MLPRegressor("quantile(0.1, 0.9)", early_stopping=True, max_iter=2)
    with pytest.raises(ValueError, match="pass scoring='loss'"):
        model.fit(*diabetes)
    assert model.set_params(scoring="loss").fit(*diabetes).best_validation_score_ < 0
    with pytest.raises(ValueError, match=r"R\^2 is not defined for several quantiles: see sklearn"):
        model.score(*diabetes)
    weight = np.arange(442.0)
    model.set_params(loss="quantile(0.5)").fit(*diabetes)
    expected = r2_score(diabetes[1], model.predict(diabetes[0]), sample_weight=weight)
    assert model.score(*diabetes, weight) == expected


def test_gaussian_nll_learns_deviations(rng: np.random.Generator) -> None:
    X = rng.uniform(-1, 1, (2000, 1))
    std = np.c_[0.3 + 0.2 * X, 0.5 - 0.3 * X]
    Y = np.c_[X, -X] + std * rng.standard_normal((2000, 2))
    model = MLPRegressor("gaussian_nll", (8,), "tanh", solver="lbfgs", max_iter=200, random_state=0).fit(X, Y)
    mean, deviation = model.predict(X, return_std=True)
    assert mean.shape == deviation.shape == (2000, 2)
    assert mean == pytest.approx(np.c_[X, -X], abs=0.1)
    assert np.array_equal(model.predict(X), mean)
    assert deviation == pytest.approx(std, abs=0.1)
    mean, deviation = model.fit(X, Y[:, 0]).predict(X, return_std=True)
    assert mean.shape == deviation.shape == (2000,)


def test_only_gaussian_nll_has_deviations(diabetes: Data) -> None:
    model = MLPRegressor(max_iter=1).fit(*diabetes)
    with pytest.raises(ValueError, match="return_std=True needs loss='gaussian_nll'"):
        model.predict(diabetes[0], return_std=True)


@pytest.mark.parametrize("name", ["identity", "logistic", "tanh", "relu"])
def test_scikit_learns_names_of_activations(name: str, iris: Data) -> None:
    ours = MLPClassifier(activation=name, max_iter=3, random_state=0).fit(*iris)
    same = MLPClassifier(activation=settings.OUR_NAMES.get(name, name), max_iter=3, random_state=0).fit(*iris)
    assert np.array_equal(ours.network_.parameters, same.network_.parameters)
    theirs = neural_network.MLPClassifier(activation=name, max_iter=3, random_state=0).fit(*iris)
    for our, their in zip((*ours.coefs_, *ours.intercepts_), (*theirs.coefs_, *theirs.intercepts_), strict=True):
        their[:] = our
    assert ours.predict_proba(iris[0]) == pytest.approx(theirs.predict_proba(iris[0]), rel=1e-6)
    assert ours.out_activation_ == theirs.out_activation_


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name: str, diabetes: Data) -> None:
    X, y = diabetes
    model = MLPRegressor(
        hidden_layer_sizes=(8,), activation=name, learning_rate_init=0.003, max_iter=120, random_state=0
    ).fit(X, y)
    assert model.score(X, y) > 0.35


def test_an_activation_for_each_layer(diabetes: Data) -> None:
    model = MLPRegressor(
        hidden_layer_sizes=(8, 4), activation=["gelu", "logistic"], out_activation="identity", max_iter=2
    ).fit(*diabetes)
    assert model.network_.activations == ("gelu", "sigmoid", "linear")
    assert model.out_activation_ == "identity"
    squeezed = MLPRegressor(out_activation="logistic", max_iter=2).fit(*diabetes)
    assert squeezed.out_activation_ == "logistic"
    assert 0 < squeezed.predict(diabetes[0]).min() < squeezed.predict(diabetes[0]).max() < 1


@pytest.mark.parametrize("kind", ["dict", "balanced"])
def test_class_weights_are_sample_weights(kind: str, iris: Data, rng: np.random.Generator) -> None:
    X, y = iris[0][:120], iris[1][:120]  # of the third species less
    weight = {0: 1, 1: 2.5, 2: 0.5} if kind == "dict" else "balanced"
    given = rng.uniform(0.5, 2, len(y))
    by_class = MLPClassifier(class_weight=weight, max_iter=5, random_state=0)
    plain = MLPClassifier(max_iter=5, random_state=0)
    for sample_weight in (None, given):
        equal = compute_sample_weight(weight, y) * (1 if sample_weight is None else sample_weight)
        by_class.fit(X, y, sample_weight)
        plain.fit(X, y, equal)
        assert np.array_equal(by_class.network_.parameters, plain.network_.parameters)


def test_class_weights_in_partial_fit(iris: Data) -> None:
    weights = {0: 1, 1: 2.5, 2: 0.5}
    by_class = MLPClassifier(class_weight=weights, random_state=0).partial_fit(*iris, classes=[0, 1, 2])
    equal = MLPClassifier(random_state=0).partial_fit(*iris, compute_sample_weight(weights, iris[1]), [0, 1, 2])
    assert np.array_equal(by_class.network_.parameters, equal.network_.parameters)
    with pytest.raises(ValueError, match="class_weight='balanced' needs all samples at once"):
        MLPClassifier(class_weight="balanced").partial_fit(*iris, classes=[0, 1, 2])


def test_several_targets(diabetes: Data) -> None:
    X, y = diabetes
    Y = np.c_[y, X[:, :2]]
    model = MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", max_iter=300, random_state=0).fit(X, Y)
    assert model.predict(X).shape == (442, 3)
    assert model.n_outputs_ == 3
    assert model.score(X, Y) > 0.8
    assert MLPRegressor(max_iter=1).fit(X, y).predict(X).shape == (442,)


def test_several_labels(cancer: Data) -> None:
    X, y = cancer
    Y = np.c_[y, X[:, 0] > 0, 1 - y]
    model = MLPClassifier((16,), learning_rate_init=0.01, max_iter=50, random_state=0).fit(X, Y)
    assert model.out_activation_ == "logistic"
    assert model.predict(X).shape == model.predict_proba(X).shape == Y.shape
    assert model.score(X, Y) > 0.95
    assert np.array_equal(model.predict(X), model.predict_proba(X) > 0.5)


@pytest.mark.parametrize("labels", [("benign", "malign"), (-1, 1), (True, False), (7.0, 3.0)])
def test_two_classes_of_any_type(labels: tuple[Any, Any], cancer: Data) -> None:
    X, y = cancer
    named = np.array(labels)[y]
    model = MLPClassifier(max_iter=20, random_state=0).fit(X, named)
    assert list(model.classes_) == sorted(labels)
    assert model.predict(X).dtype == named.dtype
    assert model.score(X, named) > 0.95
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (569, 2)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert np.array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))
    assert model.predict_log_proba(X) == pytest.approx(np.log(probabilities))


def test_the_loss_is_that_of_the_probabilities(iris: Data) -> None:
    X, y = iris
    weight = np.linspace(0, 3, 150)
    model = MLPClassifier(solver="lbfgs", alpha=1, max_iter=20, random_state=0).fit(X, y, weight)
    assert model.loss_ == pytest.approx(log_loss(y, model.predict_proba(X), sample_weight=weight))


def test_smoothed_labels(iris: Data) -> None:
    plain, smooth = (
        MLPClassifier(loss=loss, alpha=0, solver="lbfgs", max_iter=300, random_state=0).fit(*iris)
        for loss in ("log_loss", "log_loss(0.3)")
    )
    assert plain.predict_proba(iris[0]).max() > 0.999
    assert smooth.predict_proba(iris[0]).max() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_gradients_of_outputs_by_features(cls: type, iris: Data) -> None:
    X = iris[0]
    model = cls(activation="tanh", max_iter=5, random_state=0).fit(*iris)
    gradients, step = model.input_gradients(X), 1e-6
    assert gradients.shape == (150, model.network_.layer_sizes[-1], 4)
    for i in range(4):
        shift = step * np.eye(4)[i]
        slope = (model.network_.predict(X + shift) - model.network_.predict(X - shift)) / (2 * step)
        assert gradients[:, :, i] == pytest.approx(slope, abs=1e-7)
