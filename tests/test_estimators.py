"""The estimators have scikit-learn's face: they pass its checks, and have its parameters, attributes and manners."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest
from sklearn import __version__ as sklearn_version
from sklearn import neural_network
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.fixes import parse_version
from test_badges import CHECKS
from threadpoolctl import threadpool_limits

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.reference.arrays import Array

Data = tuple[Array, Array]
ESTIMATORS = (MLPClassifier, MLPRegressor)
THEIRS = {cls: getattr(neural_network, cls.__name__) for cls in ESTIMATORS}

# Checks that may be skipped: for want of an optional package or a setting of it, or of a method that none has.
SKIPS = "pandas is not installed|polars is not installed|SCIPY_ARRAY_API is not set|does not have a decision_function"

# Checks that do not hold for a variant, here and for scikit-learn's own networks alike.
ROUNDS_TO_ONE = {"check_classifiers_multilabel_output_format_predict_proba": "a perfect fit's probabilities round to 1"}
HOLDS_OUT = {
    "check_fit_score_takes_y": "partial_fit refuses early_stopping",
    "check_n_features_in_after_fitting": "partial_fit refuses early_stopping",
    "check_estimators_partial_fit_n_features": "partial_fit refuses early_stopping",
    "check_sample_weight_equivalence_on_dense_data": "other rows are held out where rows are repeated",
    "check_sample_weight_equivalence_on_sparse_data": "other rows are held out where rows are repeated",
}
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "default": ({}, {}),
    "sgd": ({"solver": "sgd"}, {}),
    "lbfgs": ({"solver": "lbfgs"}, ROUNDS_TO_ONE),
    "rprop": ({"solver": "rprop"}, {}),
    "early stopping": ({"early_stopping": True, "validation_fraction": 0.4}, HOLDS_OUT),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.filterwarnings("ignore")  # what scikit-learn's checks stir up is theirs to judge
def test_every_check_of_scikit_learn(cls: type, variant: str) -> None:
    parameters, expected = VARIANTS[variant]
    with threadpool_limits(1, "blas"):
        results = check_estimator(
            cls(**parameters), on_fail=None, on_skip=None, expected_failed_checks=expected if parameters else {}
        )
    failed = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    skipped = [str(r["exception"]) for r in results if r["status"] == "skipped"]
    passed = sum(r["status"] == "passed" for r in results)
    print(f"{cls.__name__}, {variant}: {passed} checks passed, {len(failed)} failed, {len(skipped)} skipped")
    assert not failed
    assert all(re.search(SKIPS, reason) for reason in skipped)
    assert passed > 50
    if variant == "default" and parse_version(sklearn_version) >= parse_version("1.9"):
        assert passed >= CHECKS[cls.__name__]


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_scikit_learns_parameters_are_there_with_their_defaults(cls: type) -> None:
    ours, theirs = inspect.signature(cls).parameters, inspect.signature(THEIRS[cls]).parameters
    assert {name: p.default for name, p in theirs.items()}.items() <= {n: p.default for n, p in ours.items()}.items()
    positional = [name for name, p in theirs.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert [name for name, p in ours.items() if p.kind is p.POSITIONAL_OR_KEYWORD][: len(positional)] == positional


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_parameters_beyond_scikit_learns(cls: type) -> None:
    beyond = set(inspect.signature(cls).parameters) - set(inspect.signature(THEIRS[cls]).parameters)
    both = {"init", "dropout", "l1", "weight_decay", "clip_value", "clip_norm", "max_norm", "schedule", "scoring"}
    own = {"loss", "class_weight"} if cls is MLPClassifier else {"out_activation"}
    assert beyond - {"loss"} == both | {"callbacks", "max_time", "n_jobs"} | (own - {"loss"})


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fitted_one_has_scikit_learns_attributes(cls: type, solver: str, early_stopping: bool, iris: Data) -> None:
    parameters = {"solver": solver, "early_stopping": early_stopping, "max_iter": 5, "random_state": 0}
    ours, theirs = cls(**parameters).fit(*iris), THEIRS[cls](**parameters).fit(*iris)
    for name in public_attributes(theirs):
        assert hasattr(ours, name), name
        our, their = getattr(ours, name), getattr(theirs, name)
        if their is not None and not (early_stopping and solver == "lbfgs"):  # which scikit-learn has not together
            assert isinstance(our, type(their)) or np.isscalar(our), name
    assert [W.shape for W in ours.coefs_] == [W.shape for W in theirs.coefs_]
    assert [b.shape for b in ours.intercepts_] == [b.shape for b in theirs.intercepts_]
    assert (ours.n_layers_, ours.n_outputs_, ours.out_activation_, ours.n_features_in_) == (
        *(theirs.n_layers_, theirs.n_outputs_, theirs.out_activation_, theirs.n_features_in_),
    )


def public_attributes(model: Any) -> list[str]:
    return [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_what_counts_a_fit(cls: type, iris: Data) -> None:
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(7\) reached") as caught:
        model = cls(max_iter=7, random_state=0).fit(*iris)
    assert caught[0].filename == __file__
    assert (model.n_iter_, model.t_, len(model.loss_curve_)) == (7, 7 * 150, 7)
    assert model.loss_ == model.loss_curve_[-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.history_.stop_reason == "all epochs done"
    assert (model.validation_loss_curve_, model.validation_scores_, model.best_validation_score_) == (None, None, None)


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_initial_numbers_have_the_limits_of_scikit_learns(cls: type, iris: Data) -> None:
    hardly_trained = {"max_iter": 1, "learning_rate_init": 1e-12, "hidden_layer_sizes": (400, 300), "random_state": 0}
    theirs, ours = (kind(**hardly_trained).fit(*iris) for kind in (THEIRS[cls], cls))
    for numbers in ("coefs_", "intercepts_"):
        for a, b in list(zip(getattr(ours, numbers), getattr(theirs, numbers), strict=True))[:2]:
            assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.02)
            assert a.std() == pytest.approx(b.std(), rel=0.2)


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_other_ways_to_begin_leave_biases_at_zero(cls: type, iris: Data) -> None:
    model = cls(hidden_layer_sizes=(20,), init="he_uniform", max_iter=1, learning_rate_init=1e-12).fit(*iris)
    assert np.abs(model.intercepts_[0]).max() < 1e-9


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_clones_and_parameters(cls: type) -> None:
    model = cls(hidden_layer_sizes=(3, 2), activation=["tanh", "gelu"], solver=fastmlp.Adam(0.02), alpha=0.5)
    twin = clone(model)
    assert twin is not model
    assert twin.get_params()["solver"] == model.solver
    assert twin.set_params(alpha=0.25).alpha == 0.25
    assert model.alpha == 0.5
    with pytest.raises(ValueError, match="Invalid parameter 'alfa'"):
        model.set_params(alfa=1)


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fit_leaves_parameters_alone(cls: type, iris: Data) -> None:
    schedule = fastmlp.schedules.ReduceOnPlateau(0.5, patience=1)
    solver = fastmlp.SGD(0.01, momentum=0.9)
    for parameters in ({"schedule": schedule}, {"solver": solver}, {"random_state": 0}):
        model = cls(max_iter=30, **parameters)
        before = {name: repr(value) for name, value in model.get_params().items()}
        model.fit(*iris)
        assert {name: repr(value) for name, value in model.get_params().items()} == before
    assert solver.steps == 0


def test_repr_shows_what_differs_from_the_defaults() -> None:
    assert repr(MLPClassifier(alpha=1, dropout=0.5)) == "MLPClassifier(alpha=1, dropout=0.5)"
    assert "MLPRegressor" in estimator_html_repr(MLPRegressor())


def test_kinds() -> None:
    assert is_classifier(MLPClassifier())
    assert is_regressor(MLPRegressor())
    assert MLPClassifier().__sklearn_tags__().classifier_tags.multi_label
    assert MLPRegressor().__sklearn_tags__().target_tags.multi_output
    assert MLPRegressor().__sklearn_tags__().input_tags.sparse


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_one_that_is_not_fitted_says_so(cls: type) -> None:
    model = cls()
    for method in (model.predict, model.input_gradients):
        with pytest.raises(NotFittedError, match=f"This {cls.__name__} instance is not fitted yet"):
            method(np.ones((1, 2)))
    assert not hasattr(model, "coefs_")
    with pytest.raises(AttributeError, match="not fitted yet"):
        _ = model.out_activation_


@pytest.mark.parametrize("solver", ["lbfgs", "lm", "rprop", "auto", fastmlp.LBFGS(), fastmlp.Rprop()])
def test_solvers_of_all_samples_at_once_have_no_partial_fit(solver: Any) -> None:
    model = MLPRegressor(solver=solver)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        _ = model.partial_fit
    assert hasattr(MLPRegressor(solver=fastmlp.Adam()), "partial_fit")


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_docstrings_name_every_parameter_and_attribute(cls: type, iris: Data) -> None:
    documented = inspect.getdoc(cls) or ""
    assert "{" not in re.sub(r"\{[^{}\n]*[\":,][^{}\n]*\}", "", documented)  # no place was left to fill in
    model = cls(tol=1, random_state=0).fit(*iris)
    for name in [*inspect.signature(cls).parameters, *public_attributes(model), "coefs_", "n_layers_"]:
        assert re.search(rf"\b{name}\b", documented), name
    for method in ("fit", "partial_fit", "predict", "input_gradients"):
        text = inspect.getdoc(getattr(cls, method)) or ""
        names = [name for name in inspect.signature(getattr(cls, method)).parameters if name != "self"]
        assert not [name for name in names if not re.search(rf"\b{name}\b", text)]
