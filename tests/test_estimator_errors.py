"""What estimators say of wrong parameters and inputs; and an earlier fit stays what it was."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.reference.arrays import Array

Data = tuple[Array, Array]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NO_NUMBER = ["a", None]
OUT_OF_RANGE: dict[str, list[Any]] = {
    "hidden_layer_sizes": [0, -1, (3, 0), 2.5, "a", None, [[3]], np.array(2.5)],
    "activation": ["reluu", 3, None, ["relu", "tanh"], ["reluu"], [3], "softmax"],
    "solver": ["adamm", None, 3, fastmlp.Adam],
    "alpha": [-1, math.nan, math.inf, *NO_NUMBER],
    "batch_size": [0, -1, 2.5, "all", None, True],
    "learning_rate": ["constantly", None, 0.1],
    "learning_rate_init": [0, -1, math.nan, *NO_NUMBER],
    "power_t": [-1, *NO_NUMBER],
    "max_iter": [0, -1, 2.5, *NO_NUMBER],
    "shuffle": [2, *NO_NUMBER],
    "random_state": [-1, 2.5, "a"],
    "tol": [-1, math.nan, *NO_NUMBER],
    "verbose": [-1, 0.5, *NO_NUMBER],
    "warm_start": [1, *NO_NUMBER],
    "momentum": [-0.1, 1, *NO_NUMBER],
    "nesterovs_momentum": [1, *NO_NUMBER],
    "early_stopping": [1, *NO_NUMBER],
    "beta_1": [-0.1, 1, *NO_NUMBER],
    "beta_2": [-0.1, 1, *NO_NUMBER],
    "epsilon": [0, -1, *NO_NUMBER],
    "n_iter_no_change": [0, -1, 2.5, -math.inf, *NO_NUMBER],
    "max_fun": [0, -1, 2.5, *NO_NUMBER],
    "init": ["he", 3, None],
    "dropout": [-0.1, 1, (0.1, 0.2), *NO_NUMBER],
    "l1": [-1, *NO_NUMBER],
    "weight_decay": [-1, "a"],
    "clip_value": [0.0, -1, "a"],
    "clip_norm": [0.0, -1, "a"],
    "max_norm": [0.0, -1, "a"],
    "schedule": [3, "step"],
    "callbacks": [3, [3], None, iter([]), [fastmlp.EarlyStopping]],
    "max_time": [0, -1, "a"],
    "n_jobs": [0, 2.5, "a"],
    "loss": ["squared_errors", 3, None],
}
CASES = [(name, value) for name, values in OUT_OF_RANGE.items() for value in values]


def test_every_parameter_is_tried() -> None:
    both = set(MLPClassifier().get_params()) & set(MLPRegressor().get_params())
    assert both == set(OUT_OF_RANGE) | {"validation_fraction", "scoring"}


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    ("name", "value"), CASES, ids=[f"{name}={value!r}".split(" object at ")[0][:40] for name, value in CASES]
)
def test_a_wrong_parameter_is_named_before_anything_happens(cls: type, name: str, value: Any, iris: Data) -> None:
    model = cls(hidden_layer_sizes=(3,), max_iter=2, random_state=np.random.default_rng(0)).fit(*iris)
    refused_as_it_was(model, iris, {name: value}, name.removesuffix("s"))


@pytest.mark.parametrize("solver", ["sgd", "lbfgs", "rprop"])
@pytest.mark.parametrize("name", ["learning_rate_init", "momentum", "beta_1", "epsilon", "power_t", "max_fun", "l1"])
def test_also_one_that_the_solver_has_no_use_for(name: str, solver: str, iris: Data) -> None:
    model = MLPRegressor(solver=solver, max_iter=2, random_state=0).fit(*iris)
    refused_as_it_was(model, iris, {name: -1}, name)


@pytest.mark.parametrize("value", [0, 1, -1, 2, *NO_NUMBER])
def test_fractions_to_hold_out(value: Any, iris: Data) -> None:
    model = MLPRegressor(max_iter=2, random_state=0).fit(*iris)
    refused_as_it_was(model, iris, {"early_stopping": True, "validation_fraction": value}, "validation_fraction")


@pytest.mark.parametrize(
    ("cls", "parameters", "message"),
    [
        (MLPRegressor, {"out_activation": "sigmoids"}, "unknown output_activation 'sigmoids'"),
        (MLPRegressor, {"loss": "log_loss"}, "unknown loss 'log_loss'"),
        (MLPRegressor, {"early_stopping": True, "scoring": "r3"}, "scoring"),
        (MLPClassifier, {"loss": "poisson"}, "poisson"),
        (MLPClassifier, {"class_weight": {0: -1, 1: 1}}, "class_weight has a weight that is no number from 0 up"),
        (MLPClassifier, {"class_weight": {0: math.nan, 1: 1}}, "class_weight has a weight that is no number"),
        (MLPClassifier, {"class_weight": {0: 0, 1: 0, 2: 0}}, "sample_weight times class_weight is zero for every row"),
        (MLPClassifier, {"class_weight": {7: 1}}, "class_weight"),
        (MLPClassifier, {"class_weight": "balance"}, "class_weight"),
        (MLPClassifier, {"clip_value": 1.0, "clip_norm": 1.0}, "clip_value and clip_norm are both set"),
        (MLPClassifier, {"solver": "lbfgs", "dropout": 0.5}, "dropout"),
        (MLPClassifier, {"solver": "lbfgs", "clip_norm": 1.0}, "clip_norm has no effect with solver='lbfgs'"),
        (
            MLPClassifier,
            {"solver": fastmlp.Adam(), "l1": 0.1},
            "l1 has no effect with solver=Adam.*set it on the object",
        ),
        (
            MLPClassifier,
            {"solver": "sgd", "learning_rate": "invscaling", "schedule": fastmlp.schedules.Step(3)},
            "schedule and learning_rate='invscaling' are both set",
        ),
    ],
)
def test_parameters_that_do_not_go_together(cls: type, parameters: dict[str, Any], message: str, iris: Data) -> None:
    model = cls(hidden_layer_sizes=(3,), max_iter=2, random_state=np.random.default_rng(0)).fit(*iris)
    refused_as_it_was(model, iris, parameters, message)


def refused_as_it_was(model: Any, data: Data, parameters: dict[str, Any], message: str) -> None:
    """Check that a fit is refused, and that the one before it, and the generator, are as they were."""
    before = {name: value for name, value in vars(model).items() if name.endswith("_") or name == "_held"}
    network, rng = model.network_.parameters.copy(), model.random_state
    drawn = rng.bit_generator.state if isinstance(rng, np.random.Generator) else None
    as_it_was = {name: getattr(model, name) for name in parameters}
    model.set_params(**parameters)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(*data)
    after = {name: value for name, value in vars(model).items() if name.endswith("_") or name == "_held"}
    assert all(after.pop(name) is value for name, value in before.items())
    assert not after
    assert np.array_equal(model.network_.parameters, network)
    assert model.set_params(**as_it_was).predict(data[0]).shape == data[1].shape
    if drawn:
        assert rng.bit_generator.state == drawn


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_weight": np.ones(149)}, "sample_weight.shape"),
        ({"sample_weight": np.ones((150, 2))}, "[Ss]ample.weight"),
        (
            {"sample_weight": np.zeros(150)},
            "sample_weight is zero for every row|Sample weights must contain .* non-zero",
        ),
        ({"sample_weight": np.where(np.arange(150) == 7, -1.0, 1)}, r"sample_weight\[7\] is -1.0"),
        ({"sample_weight": np.full(150, np.nan)}, "sample_weight contains NaN"),
        ({"X_val": np.ones((3, 4))}, "X_val and y_val belong together"),
        ({"y_val": np.ones(3)}, "X_val and y_val belong together"),
        ({"sample_weight_val": np.ones(3)}, "X_val and y_val belong together"),
        ({"X_val": np.ones((3, 4)), "y_val": np.ones(2)}, r"in X_val, y_val or .*: Found input.*\[3, 2\]"),
        ({"X_val": np.ones((3, 5)), "y_val": np.ones(3)}, "in X_val, y_val or .*: X has 5 features"),
        (
            {"X_val": np.full((3, 4), np.inf), "y_val": np.ones(3)},
            "in X_val, y_val or .*: Input X contains infinity: row 0",
        ),
        ({"X_val": np.ones((3, 4)), "y_val": np.full(3, np.nan)}, "in X_val, y_val or .*: Input y contains NaN"),
        ({"coefs_init": [np.ones((4, 3))]}, "coefs_init has 1 arrays, and the network 2 layers"),
        ({"coefs_init": [np.ones((3, 4)), np.ones((3, 1))]}, r"coefs_init\[0\] must have shape \(4, 3\), not \(3, 4\)"),
        ({"intercepts_init": [np.full(3, np.nan), [0]]}, r"intercepts_init\[0\] holds a number that is not finite"),
        ({"coefs_init": 3}, "coefs_init must be a sequence of arrays, one for each layer, not 3"),
        ({"coefs_init": [np.full((4, 3), "a"), np.ones((3, 1))]}, r"coefs_init\[0\]"),
    ],
)
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_wrong_arguments_of_fit(cls: type, arguments: dict[str, Any], message: str, iris: Data) -> None:
    model = cls(hidden_layer_sizes=(3,), max_iter=2, random_state=np.random.default_rng(0)).fit(*iris)
    before, drawn = dict(vars(model)), model.random_state.bit_generator.state
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(*iris, **arguments)
    assert vars(model) == before
    assert model.random_state.bit_generator.state == drawn


def test_validation_data_have_the_columns_and_classes_of_the_others(iris: Data) -> None:
    X, y = iris
    with pytest.raises(ValueError, match="y_val has 2 columns, and y has 1"):
        MLPRegressor().fit(X, y, X_val=X, y_val=np.c_[y, y])
    with pytest.raises(ValueError, match=r"y has classes not in \['a', 'b'\]: \['c'\]"):
        MLPClassifier().fit(X[:100], np.array(["a", "b"])[y[:100]], X_val=X, y_val=np.array(["a", "b", "c"])[y])
    with pytest.raises(ValueError, match=r"sample_weight_val: sample_weight\[0\] is -1.0"):
        MLPClassifier().fit(X, y, X_val=X, y_val=y, sample_weight_val=-np.ones(150))
    some = MLPClassifier(max_iter=1).fit(X, y, X_val=X[:50], y_val=y[:50])  # not all of them need to be there
    assert len(some.validation_loss_curve_) == 1


def test_weights_that_leave_a_side_of_a_split_without_any(iris: Data) -> None:
    weight = np.zeros(150)
    weight[3] = 1
    with pytest.raises(ValueError, match=r"sample_weight is zero for every row (held out|left to train on)"):
        MLPRegressor(early_stopping=True, random_state=0).fit(*iris, weight)


def test_a_split_that_leaves_too_little(iris: Data) -> None:
    with pytest.raises(ValueError, match="the validation set is too small: increase validation_fraction"):
        MLPRegressor(early_stopping=True, validation_fraction=0.001).fit(*iris)
    with pytest.raises(ValueError, match=r"validation_fraction=0.1 of 6 sample\(s\) cannot be held out: .*classes"):
        MLPClassifier(early_stopping=True).fit(iris[0][48:54], iris[1][48:54])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_named_by_row_and_column(value: float, iris: Data) -> None:
    X, y = iris[0].copy(), iris[1]
    model = MLPClassifier(max_iter=1).fit(X, y)
    X[140, 2] = value
    what = "NaN" if np.isnan(value) else "infinity"
    for call in (lambda: model.fit(X, y), lambda: model.partial_fit(X, y), lambda: model.predict(X)):
        with pytest.raises(ValueError, match=f"Input X contains {what}: row 140, column 2. .*SimpleImputer"):
            call()
    with pytest.raises(ValueError, match=f"Input X contains {what}: row 140, column 2"):
        model.input_gradients(np.asfortranarray(X, np.float32))


def test_targets_that_are_not_finite(diabetes: Data) -> None:
    y = diabetes[1].copy()
    y[5] = np.nan
    with pytest.raises(ValueError, match="Input y contains NaN"):
        MLPRegressor().fit(diabetes[0], y)


def test_targets_too_large_for_the_precision_of_X(diabetes: Data) -> None:
    X, y = diabetes[0].astype(np.float32), diabetes[1].copy()
    y[5] = 1e300
    with pytest.raises(ValueError, match=r"y\[5\] is 1e\+300: too large for float32"):
        MLPRegressor().fit(X, y)
    with pytest.raises(ValueError, match=r"y\[5, 1\] is 1e\+300: too large for float32"):
        MLPRegressor().fit(X, np.column_stack([diabetes[1], y]))


def test_sparse_targets_of_a_regressor(diabetes: Data) -> None:
    y = csr_matrix(np.column_stack([diabetes[1], diabetes[1]]))
    with pytest.raises(TypeError, match=r"y is a sparse matrix: .* y.toarray\(\)"):
        MLPRegressor().fit(diabetes[0], y)


def test_labels_that_cannot_be_put_in_order(iris: Data) -> None:
    labels = np.array(["a", 1] * 75, dtype=object)
    with pytest.raises(TypeError, match="the labels in y have no common order"):
        MLPClassifier().fit(iris[0], labels)


def test_targets_outside_a_losses_domain(diabetes: Data) -> None:
    X, y = diabetes
    with pytest.raises(ValueError, match="poisson"):
        MLPRegressor("poisson").fit(X, y)


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_another_number_of_features(cls: type, iris: Data) -> None:
    X, y = iris
    model = cls(max_iter=1).fit(X, y)
    for call in (model.predict, model.input_gradients, lambda X: model.score(X, y), lambda X: model.partial_fit(X, y)):
        with pytest.raises(ValueError, match=f"X has 3 features, but {cls.__name__} is expecting 4 features"):
            call(X[:, :3])
    assert model.fit(X[:, :3], y).n_features_in_ == 3


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_a_network_of_other_layers_does_not_go_on(cls: type, iris: Data) -> None:
    model = cls(hidden_layer_sizes=(5,), max_iter=1, warm_start=True).fit(*iris)
    model.set_params(hidden_layer_sizes=(6,))
    for method in (model.fit, model.partial_fit):
        with pytest.raises(
            ValueError, match=r"has layers \[4, 5, \d\], and \[4, 6, \d\] are asked for: it cannot go on"
        ):
            method(*iris)
    assert model.set_params(warm_start=False).fit(*iris).network_.layer_sizes[1] == 6


@pytest.mark.parametrize("parameters", [{"activation": "tanh"}, {"out_activation": "sigmoid"}, {"loss": "poisson"}])
def test_a_network_of_other_activations_does_not_go_on(parameters: dict[str, Any], iris: Data) -> None:
    model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=1, warm_start=True).fit(*iris)
    model.set_params(**parameters)
    for method in (model.fit, model.partial_fit):
        with pytest.raises(
            ValueError, match=r"has activations \['relu', 'linear'\], and .* are asked for: it cannot go"
        ):
            method(*iris)
    assert len(model.loss_curve_) == 1


def test_classes_that_were_not_there_before(iris: Data) -> None:
    X, y = iris
    model = MLPClassifier(max_iter=1, warm_start=True)
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"y has classes not in \[0, 1\]: \[2\]"):
        model.partial_fit(X, y, classes=[0, 1])
    assert not hasattr(model, "classes_")
    model.partial_fit(X[:100], y[:100], classes=[0, 1])
    with pytest.raises(ValueError, match=r"y has classes not in \[0, 1\]: \[2\]"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match="not the same as on last call to partial_fit"):
        model.partial_fit(X[:100], y[:100], classes=[0, 2])
    with pytest.raises(ValueError, match="warm_start can only be used where y has the same classes"):
        model.fit(X, y)
    assert model.t_ == 100


def test_partial_fit_takes_no_early_stopping(iris: Data) -> None:
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        MLPRegressor(early_stopping=True).partial_fit(*iris)


def test_an_error_of_a_callback_leaves_the_fit_before(iris: Data) -> None:
    class Failing:
        def on_epoch_end(self, state: Any) -> None:
            raise RuntimeError("out of paper")

    model = MLPClassifier(max_iter=2, random_state=0).fit(*iris)
    before, parameters = dict(vars(model)), model.network_.parameters.copy()
    model.set_params(callbacks=[Failing()])
    with pytest.raises(RuntimeError, match="out of paper"):
        model.fit(*iris)
    assert vars(model) == {**before, "callbacks": model.callbacks}
    assert np.array_equal(model.network_.parameters, parameters)


@pytest.mark.parametrize(
    ("method", "setting"),
    [("fit", {}), ("fit", {"early_stopping": True}), ("fit", {"solver": "lm"}), ("partial_fit", {})],
)
def test_an_error_of_a_callback_leaves_the_fit_that_was_to_go_on(
    method: str, setting: dict[str, Any], iris: Data
) -> None:
    class Failing:
        def on_epoch_end(self, state: Any) -> None:
            raise RuntimeError("out of paper")

    model = MLPRegressor(max_iter=3, warm_start=True, random_state=np.random.default_rng(0), **setting).fit(*iris)
    twin = pickle.loads(pickle.dumps(model))
    losses = list(model.loss_curve_)
    model.set_params(callbacks=[Failing()])
    with pytest.raises(RuntimeError, match="out of paper"):
        getattr(model, method)(*iris)
    assert np.array_equal(model.network_.parameters, twin.network_.parameters)
    assert model.loss_curve_ == losses
    model.set_params(callbacks=())
    for each in (model, twin):
        getattr(each, method)(*iris)
    assert np.array_equal(model.network_.parameters, twin.network_.parameters)
    assert model.loss_curve_ == twin.loss_curve_
    assert model.validation_scores_ == twin.validation_scores_


def test_a_ctrl_c_before_the_first_step_leaves_the_fit_before(iris: Data) -> None:
    def interrupted(n_in: int, n_out: int, rng: np.random.Generator) -> Array:
        raise KeyboardInterrupt

    model = MLPClassifier(max_iter=2, random_state=0).fit(*iris)
    before = dict(vars(model))
    with pytest.raises(KeyboardInterrupt):
        model.set_params(init=interrupted).fit(iris[0][:100, :2], iris[1][:100])
    assert vars(model) == {**before, "init": interrupted}
    assert model.predict(iris[0]).shape == (150,)


def test_diverging_runs_warn_and_keep_the_last_finite_weights(diabetes: Data) -> None:
    model = MLPRegressor(solver="sgd", learning_rate_init=1e4, random_state=0)
    with pytest.warns(fastmlp.DivergenceWarning):
        model.fit(*diabetes)
    assert np.isfinite(model.network_.parameters).all()
    assert "diverge" in model.history_.stop_reason or "finite" in model.history_.stop_reason


def test_warnings_point_at_the_caller(iris: Data) -> None:
    for call in (lambda: MLPRegressor(max_iter=1).fit(*iris), lambda: MLPClassifier(max_iter=1).fit(*iris)):
        with pytest.warns(ConvergenceWarning) as caught:
            call()
        assert caught[0].filename == __file__
