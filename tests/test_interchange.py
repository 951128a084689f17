"""Estimators to scikit-learn's own and back: the same predictions, and training that goes on."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_diabetes, load_iris, load_linnerud
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import fastmlp
from fastmlp.reference.arrays import Array

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def iris() -> tuple[Array, Array]:
    X, y = load_iris(return_X_y=True)
    return scale(X)[::2], y[::2]


def two_classes() -> tuple[Any, Array, Array]:
    X, y = iris()
    return fastmlp.MLPClassifier, X[:50], np.array(["setosa", "versicolor"])[y[:50]]


def three_classes() -> tuple[Any, Array, Array]:
    X, y = iris()
    return fastmlp.MLPClassifier, X, np.array([10, 20, 30])[y]


def three_labels() -> tuple[Any, Array, Array]:
    X, y = iris()
    return fastmlp.MLPClassifier, X, np.stack([y == 0, y > 0, X[:, 1] > 0], axis=1).astype(int)


def one_target() -> tuple[Any, Array, Array]:
    X, y = load_diabetes(return_X_y=True)
    return fastmlp.MLPRegressor, scale(X)[:80], scale(y)[:80]


def three_targets() -> tuple[Any, Array, Array]:
    X, y = load_linnerud(return_X_y=True)
    return fastmlp.MLPRegressor, scale(X), scale(y)


TASKS = [two_classes, three_classes, three_labels, one_target, three_targets]


def theirs_of(kind: Any) -> Any:
    return getattr(neural_network, kind.__name__)


def assert_same_predictions(a: Any, b: Any, X: Array) -> None:
    tolerance = 1e-5 if X.dtype == np.float32 else 1e-12
    for method in ["predict_proba", "predict_log_proba"] if is_classifier(a) else ["predict"]:
        first, second = getattr(a, method)(X), getattr(b, method)(X)
        assert first.shape == second.shape
        assert first.dtype == second.dtype == X.dtype
        assert first == pytest.approx(second, rel=tolerance, abs=tolerance)
    if is_classifier(a):
        assert np.array_equal(a.predict(X), b.predict(X))
        assert np.array_equal(a.classes_, b.classes_)


def assert_same_bits(a: Any, b: Any) -> None:
    for name in ("coefs_", "intercepts_"):
        assert [array.tobytes() for array in getattr(a, name)] == [array.tobytes() for array in getattr(b, name)]


def weights(model: Any) -> Array:
    return np.concatenate([array.ravel() for array in [*model.coefs_, *model.intercepts_]])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("hidden", [(), (5,), (5, 4), (5, 4, 3)], ids=str)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("task", TASKS)
def test_predictions_agree_there_and_back(task: Any, activation: str, hidden: tuple[int, ...], dtype: str) -> None:
    kind, X, y = task()
    X = X.astype(dtype)
    arguments = {"hidden_layer_sizes": hidden, "activation": activation, "max_iter": 3, "learning_rate_init": 0.05}
    ours = kind(random_state=0, **arguments).fit(X, y)
    theirs = ours.to_sklearn()
    assert type(theirs) is theirs_of(kind)
    assert_same_predictions(ours, theirs, X)
    assert_same_bits(kind.from_sklearn(theirs), ours)

    theirs = theirs_of(kind)(random_state=0, **arguments).fit(X, y)
    ours = kind.from_sklearn(theirs)
    assert type(ours) is kind
    assert_same_predictions(ours, theirs, X)
    assert_same_bits(ours.to_sklearn(), theirs)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_poisson_regression_agrees(dtype: str) -> None:
    kind, X, y = one_target()
    X, y = X.astype(dtype), np.floor(np.exp(y))
    theirs = neural_network.MLPRegressor("poisson", random_state=0, max_iter=20).fit(X, y)
    ours = kind.from_sklearn(theirs)
    assert (ours.loss, ours.out_activation_) == ("poisson", "exp")
    assert_same_predictions(ours, theirs, X)
    ours = kind("poisson", random_state=0, max_iter=20).fit(X, y)
    assert_same_predictions(ours, ours.to_sklearn(), X)
    assert_same_bits(kind.from_sklearn(ours.to_sklearn()), ours)


@pytest.mark.parametrize("arguments", [{"solver": "adam"}, {"solver": "sgd"}, {"early_stopping": True}], ids=str)
@pytest.mark.parametrize("task", [three_classes, three_labels, one_target])
def test_all_that_scikit_learn_knows_comes_back(task: Any, arguments: dict[str, Any]) -> None:
    kind, X, y = task()
    theirs = theirs_of(kind)(hidden_layer_sizes=(5,), max_iter=5, alpha=0.01, random_state=0, **arguments).fit(X, y)
    back = kind.from_sklearn(theirs).to_sklearn()
    assert back.get_params() == theirs.get_params()
    assert set(vars(back)) == set(vars(theirs))
    for name, value in vars(theirs).items():
        if name.endswith("_") or name == "_no_improvement_count":
            np.testing.assert_equal(getattr(back, name), value, err_msg=name)
    if is_classifier(theirs):
        np.testing.assert_equal(vars(back._label_binarizer), vars(theirs._label_binarizer))
    for name, value in vars(theirs._optimizer).items():
        if (theirs.solver, name) != ("adam", "learning_rate"):  # which each step finds anew
            np.testing.assert_equal(getattr(back._optimizer, name), value, err_msg=name)


def test_names_of_features_are_kept() -> None:
    kind, X, y = three_classes()
    ours = kind(max_iter=3).fit(X, y)
    assert not hasattr(ours.to_sklearn(), "feature_names_in_")
    ours.feature_names_in_ = np.array(["sepal length", "sepal width", "petal length", "petal width"], dtype=object)
    theirs = ours.to_sklearn()
    assert theirs.feature_names_in_.tolist() == ours.feature_names_in_.tolist()
    assert kind.from_sklearn(theirs).feature_names_in_.tolist() == ours.feature_names_in_.tolist()


def test_what_comes_out_is_independent() -> None:
    kind, X, y = three_classes()
    ours = kind(max_iter=3, warm_start=True, random_state=0).fit(X, y)
    theirs, before = ours.to_sklearn(), weights(ours)
    pickled = pickle.dumps(theirs)
    assert b"fastmlp" not in pickled  # it loads where there is none
    assert_same_predictions(pickle.loads(pickled), ours, X)
    assert clone(theirs).get_params() == theirs.get_params()
    assert not hasattr(clone(theirs), "coefs_")
    theirs.fit(X, y)
    assert len(theirs.loss_curve_) == 6
    assert np.array_equal(weights(ours), before)
    assert len(ours.loss_curve_) == 3
    ours.fit(X, y)
    assert not np.array_equal(weights(ours), before)
    assert np.array_equal(weights(pickle.loads(pickled)), before)


def test_a_model_that_goes_in_stays_as_it_is() -> None:
    kind, X, y = one_target()
    theirs = theirs_of(kind)(max_iter=3, warm_start=True, random_state=0).fit(X, y)
    before = pickle.dumps(theirs)
    ours = kind.from_sklearn(theirs).fit(X, y)
    assert pickle.dumps(theirs) == before
    assert len(ours.loss_curve_) == 6
    assert ours.t_ == 6 * len(X)
    assert pickle.loads(pickle.dumps(ours)).loss_curve_ == ours.loss_curve_


RULES: list[dict[str, Any]] = [
    {"solver": "adam"},
    {"solver": "adam", "beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-12},
    {"solver": "sgd"},
    {"solver": "sgd", "nesterovs_momentum": False, "momentum": 0.5},
    {"solver": "sgd", "momentum": 0.0},
    {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
]


@pytest.mark.parametrize("arguments", RULES, ids=str)
@pytest.mark.parametrize("task", [two_classes, three_classes, three_targets])
def test_training_goes_on_as_it_would_have_there(task: Any, arguments: dict[str, Any]) -> None:
    # All rows are one batch, for which alpha means the same; epsilon, which Adam adds elsewhere, is small.
    kind, X, y = task()
    arguments = {"learning_rate_init": 0.02, "batch_size": len(X), "alpha": 0.1, "epsilon": 1e-10, **arguments}
    theirs = theirs_of(kind)(hidden_layer_sizes=(6,), activation="tanh", random_state=0, **arguments)
    classes = {"classes": np.unique(y)} if is_classifier(theirs) else {}
    for _ in range(4):
        theirs.partial_fit(X, y, **classes)
    ours = kind.from_sklearn(theirs)
    tolerance = 1e-6 if arguments["solver"] == "adam" else 1e-12
    for _ in range(4):
        ours.partial_fit(X, y)
        theirs.partial_fit(X, y)
        assert weights(ours) == pytest.approx(weights(theirs), rel=tolerance, abs=tolerance)
    theirs = ours.to_sklearn()
    for _ in range(4):
        ours.partial_fit(X, y)
        theirs.partial_fit(X, y)
        assert weights(ours) == pytest.approx(weights(theirs), rel=tolerance, abs=tolerance)
    assert ours.t_ == theirs.t_ == 12 * len(X)


def test_a_rate_that_has_adapted_is_kept() -> None:
    kind, X, y = one_target()
    arguments = {"solver": "sgd", "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 2, "max_iter": 5}
    theirs = theirs_of(kind)(random_state=0, **arguments).fit(X, y)
    assert theirs._optimizer.learning_rate == pytest.approx(0.001 / 5)
    ours = kind.from_sklearn(theirs).set_params(warm_start=True, max_iter=1)
    assert ours.fit(X, y).history_.learning_rate == [theirs._optimizer.learning_rate]
    assert ours.to_sklearn()._optimizer.learning_rate == theirs._optimizer.learning_rate


def test_early_stopping_goes_on_from_the_best_score() -> None:
    kind, X, y = three_classes()
    arguments = {"early_stopping": True, "n_iter_no_change": 100, "max_iter": 30, "random_state": 0}
    theirs = theirs_of(kind)(**arguments).fit(X, y)
    ours = kind.from_sklearn(theirs).set_params(warm_start=True, max_iter=5).fit(X, y)
    assert ours.validation_scores_[:30] == theirs.validation_scores_
    assert len(ours.validation_scores_) == 35
    assert ours.best_validation_score_ == max(ours.validation_scores_)
    assert len(kind.from_sklearn(ours.to_sklearn()).validation_scores_) == 35


def test_patience_goes_on_where_it_was() -> None:
    kind, X, y = one_target()
    arguments = {"tol": 10.0, "n_iter_no_change": 8, "max_iter": 5, "warm_start": True, "random_state": 0}
    theirs = theirs_of(kind)(**arguments).fit(X, y)
    assert theirs._no_improvement_count == 4
    ours = kind.from_sklearn(theirs).set_params(max_iter=100)
    assert ours.fit(X, y).n_iter_ == 5
    assert "for 8 epochs" in ours.history_.stop_reason
    assert ours.to_sklearn()._no_improvement_count == 9


@pytest.mark.parametrize(
    ("solver", "theirs"),
    [
        ("lbfgs", {"solver": "lbfgs"}),
        ("lm", {"solver": "lbfgs"}),
        ("auto", {"solver": "lbfgs"}),
        ("rmsprop", {"solver": "adam"}),
        (fastmlp.LBFGS(l2=0.5), {"solver": "lbfgs", "alpha": 40.0}),
        (fastmlp.Lion(0.01), {"solver": "adam", "alpha": 0.0, "learning_rate_init": 0.001}),
        (
            fastmlp.Adam(0.01, beta_1=0.8, epsilon=1e-6, l2=0.25),
            {"solver": "adam", "learning_rate_init": 0.01, "beta_1": 0.8, "epsilon": 1e-6, "alpha": 20.0},
        ),
        (
            fastmlp.SGD(0.02, momentum=0.7),
            {"solver": "sgd", "learning_rate_init": 0.02, "momentum": 0.7, "nesterovs_momentum": False},
        ),
    ],
    ids=str,
)
def test_solvers_become_the_nearest(solver: Any, theirs: dict[str, Any]) -> None:
    kind, X, y = one_target()
    ours = kind(hidden_layer_sizes=(4,), activation="tanh", solver=solver, max_iter=10, random_state=0).fit(X, y)
    model = ours.to_sklearn()
    assert {name: model.get_params()[name] for name in theirs} == pytest.approx(theirs)
    assert_same_predictions(ours, model, X)
    assert np.isfinite(model.set_params(warm_start=True).fit(X, y).loss_)


def test_a_generator_becomes_a_random_state() -> None:
    kind, X, y = one_target()
    generator = np.random.default_rng(0)
    ours = kind(max_iter=3, random_state=generator).fit(X, y)
    before = generator.bit_generator.state
    theirs = ours.to_sklearn().set_params(warm_start=True)
    assert isinstance(theirs.random_state, np.random.RandomState)
    assert len(theirs.fit(X, y).loss_curve_) == 6
    assert generator.bit_generator.state == before


def test_weights_keep_their_precision() -> None:
    kind, X, y = one_target()
    X = X.astype(np.float32)
    theirs = theirs_of(kind)(solver="lbfgs", max_iter=5, random_state=0).fit(X, y)
    ours = kind.from_sklearn(theirs)
    assert ours.network_.dtype == theirs.coefs_[0].dtype
    assert ours.predict(X) == pytest.approx(theirs.predict(X), rel=1e-5, abs=1e-5)
    assert ours.set_params(warm_start=True).fit(X, y).loss_ < theirs.loss_


def test_a_network_fitted_by_lbfgs_may_go_on_with_batches() -> None:
    kind, X, y = one_target()
    theirs = theirs_of(kind)(solver="lbfgs", max_iter=20, random_state=0).fit(X, y)
    ours = kind.from_sklearn(theirs)
    assert ours.loss_ == theirs.loss_
    assert ours.history_.loss == [theirs.loss_]
    back = ours.to_sklearn().set_params(solver="adam", warm_start=True, max_iter=2)
    assert len(back.fit(X, y).loss_curve_) == 2


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (two_classes, {"hidden_layer_sizes": (4, 3), "activation": ["relu", "tanh"]}, "one activation for all hidden"),
    (two_classes, {"activation": "gelu"}, "knows the activations identity, logistic, tanh, relu, and not gelu"),
    (two_classes, {"activation": "leaky_relu(0.2)"}, r"not leaky_relu\(0.2\)"),
    (two_classes, {"loss": "log_loss(0.1)"}, r"knows the loss log_loss, and not log_loss\(0.1\)"),
    (one_target, {"loss": "huber(2)"}, r"knows the loss squared_error and poisson, and not huber\(2\)"),
    (one_target, {"loss": "quantile(0.1, 0.9)"}, r"not quantile\(0.1, 0.9\)"),
    (one_target, {"loss": "gaussian_nll"}, "not gaussian_nll"),
    (
        one_target,
        {"loss": lambda Y_hat, Y: (((Y_hat - Y) ** 4).sum(axis=1), 4 * (Y_hat - Y) ** 3)},
        "and not <function",
    ),
    (one_target, {"out_activation": "tanh"}, "has identity outputs with loss='squared_error', and not tanh"),
]


@pytest.mark.parametrize(("task", "arguments", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_what_scikit_learns_network_cannot_be_is_refused(task: Any, arguments: dict[str, Any], message: str) -> None:
    kind, X, y = task()
    ours = kind(max_iter=2, random_state=0, **arguments).fit(X, y)
    with pytest.raises(ValueError, match=f"scikit-learn's {kind.__name__} .*{message}.*: pickle this estimator"):
        ours.to_sklearn()


def test_names_of_ours_become_theirs() -> None:
    kind, X, y = two_classes()
    ours = kind((4, 3), ["sigmoid", "logistic"], loss="log_loss(0)", max_iter=2, random_state=0).fit(X, y)
    assert ours.to_sklearn().activation == "logistic"
    assert_same_predictions(ours, ours.to_sklearn(), X)
    ours = kind((), "gelu", max_iter=2, random_state=0).fit(X, y)  # of no layer
    assert_same_predictions(ours, ours.to_sklearn(), X)


def test_what_is_no_fitted_counterpart_is_refused() -> None:
    kind, X, y = one_target()
    with pytest.raises(NotFittedError):
        kind().to_sklearn()
    with pytest.raises(NotFittedError):
        kind.from_sklearn(neural_network.MLPRegressor())
    theirs = neural_network.MLPRegressor(max_iter=2).fit(X, y)
    message = r"takes a fitted sklearn.neural_network.MLPClassifier, not sklearn's MLPRegressor"
    with pytest.raises(TypeError, match=message):
        fastmlp.MLPClassifier.from_sklearn(theirs)
    with pytest.raises(TypeError, match=r"not sklearn's Pipeline; .* pipeline\[-1\]"):
        kind.from_sklearn(make_pipeline(StandardScaler(), theirs))
    with pytest.raises(TypeError, match="not fastmlp's MLPRegressor"):
        kind.from_sklearn(kind.from_sklearn(theirs))
    theirs.coefs_[1][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"weights\[1\].*nan"):
        kind.from_sklearn(theirs)


@pytest.mark.parametrize("task", [two_classes, three_classes, three_labels, one_target])
def test_skl2onnx_converts_ours_by_its_own_converters(task: Any) -> None:
    skl2onnx, onnxruntime = pytest.importorskip("skl2onnx"), pytest.importorskip("onnxruntime")
    from skl2onnx.operator_converters import multilayer_perceptron
    from skl2onnx.shape_calculators import linear_classifier, linear_regressor

    skl2onnx.update_registered_converter(
        fastmlp.MLPClassifier,
        "FastmlpMLPClassifier",
        linear_classifier.calculate_linear_classifier_output_shapes,
        multilayer_perceptron.convert_sklearn_mlp_classifier,
        options={"zipmap": [True, False, "columns"], "nocl": [True, False], "output_class_labels": [False, True]},
    )
    skl2onnx.update_registered_converter(
        fastmlp.MLPRegressor,
        "FastmlpMLPRegressor",
        linear_regressor.calculate_linear_regressor_output_shapes,
        multilayer_perceptron.convert_sklearn_mlp_regressor,
    )
    kind, X, y = task()
    X = X.astype(np.float32)
    model = make_pipeline(StandardScaler(), kind(max_iter=5, random_state=0)).fit(X, y)
    options = {"zipmap": False} if is_classifier(model) else {}
    onnx = skl2onnx.to_onnx(model, X[:1], options={id(model[-1]): options})
    session = onnxruntime.InferenceSession(onnx.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: X})
    if is_classifier(model):
        assert np.array_equal(found[0], model.predict(X))
        assert found[1] == pytest.approx(model.predict_proba(X), abs=1e-5)
    else:
        assert found[0].ravel() == pytest.approx(model.predict(X), abs=1e-5)
