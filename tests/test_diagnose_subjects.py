"""What may be diagnosed, and how: losses, estimators, pipelines, samples of rows; and what all of it leaves alone."""

from __future__ import annotations

import copy
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from diagnosed import fresh, only
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import Adam, MLPClassifier, MLPRegressor, diagnose
from fastmlp.diagnosis import thresholds
from fastmlp.diagnosis.remedies import COMMAND, ESTIMATOR, NETWORK, REMEDIES, SPARSE
from fastmlp.reference.arrays import Array

Data = tuple[Array, Array]


# Losses.


def test_the_loss_of_the_best_constant_outputs(rng: np.random.Generator) -> None:
    X, weight = rng.standard_normal((80, 2)), rng.integers(0, 3, 80)
    Y = rng.gamma(2.0, size=(80, 1))
    cases = {
        "squared_error": ("linear", Y),
        "absolute_error": ("linear", Y),
        "quantile(0.1, 0.8)": ("linear", Y),
        "poisson": ("exp", Y),
        "gamma": ("exp", Y),
        "gaussian_nll": ("mean_variance", Y),
        "log_loss(0.1)": ("softmax", rng.integers(0, 2, 80)),
        "log_loss": ("sigmoid", rng.integers(0, 2, (80, 2))),
    }
    for loss, (output, targets) in cases.items():
        n_out = 2 if loss.startswith(("quantile", "gaussian", "log_loss")) else 1
        net = fresh(sizes=[2, n_out], output_activation=output, dtype="float64", init="zeros")
        found = diagnose(net, X, targets, loss=loss, sample_weight=weight).plain_loss
        # A network whose weights stay 0 finds the best biases by itself.
        net.train(0 * X, targets, epochs=2000, loss=loss, optimizer=fastmlp.Rprop(), sample_weight=weight)
        assert found == pytest.approx(net.loss(0 * X, targets, loss, weight), rel=1e-3), loss


def test_a_loss_of_ones_own(network: Any, plane: Data) -> None:
    def quartic(Y_hat: Array, Y: Array) -> tuple[Array, Array]:
        return ((Y_hat - Y) ** 4).sum(axis=1), 4 * (Y_hat - Y) ** 3

    net = fresh(network)
    assert diagnose(net, *plane, loss=quartic)
    assert diagnose(fresh(network, init="zeros"), *plane, loss=quartic).kinds == ["symmetric_neurons"]


# Subjects.


def test_an_estimator_brings_its_loss_its_labels_and_its_curves() -> None:
    table = load_wine(as_frame=True)
    y = table.target_names[table.target]
    model = MLPClassifier(random_state=0).fit(table.data, y)
    finding = only(diagnose(model, table.data, y), "unscaled_inputs")
    assert "proline" in finding.evidence["names"]
    assert finding.remedy.startswith("make_pipeline(StandardScaler()")
    healed = make_pipeline(StandardScaler(), MLPClassifier(random_state=0, max_iter=500)).fit(table.data, y)
    diagnosis = diagnose(healed, table.data, y)
    assert diagnosis
    assert diagnosis.loss == pytest.approx(healed[-1].loss_, abs=0.01)


def test_a_pipeline_names_the_columns_that_its_network_sees() -> None:
    table = load_wine(as_frame=True)
    X = table.data.assign(proof=2 * table.data["alcohol"], vineyard=1.0)
    model = make_pipeline(StandardScaler(), MLPClassifier(random_state=0, max_iter=500)).fit(X, table.target)
    constant, copied = diagnose(model, X, table.target).findings
    assert (constant.kind, constant.evidence["names"]) == ("constant_columns", ["vineyard"])
    assert (copied.kind, copied.evidence["names"]) == ("copied_columns", ["proof"])
    assert "'proof' equals 'alcohol'" in copied.message  # once both are scaled


def test_a_number_that_a_step_of_a_pipeline_refuses_is_named(plane: Data) -> None:
    X, Y = plane
    model = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(4,), random_state=0, max_iter=2000))
    model.fit(X, Y)
    X[3, 1] = np.nan  # which the scaler passes on
    assert diagnose(model, X, Y).findings[0].evidence["places"] == [[3, 1]]
    X[7, 2] = np.inf
    with pytest.raises(
        ValueError, match=r"a step before the network refuses X\[7, 2\], which is inf: Input X contains"
    ):
        diagnose(model, X, Y)
    with pytest.raises(ValueError, match=r"^X has 2 features"):
        diagnose(model, X[:, :2], Y)


def test_a_classifier_of_a_rare_class(rng: np.random.Generator) -> None:
    X = rng.standard_normal((1050, 2))
    y = np.repeat(["well", "ill"], [1000, 50])
    X[y == "ill"] += 1.0
    model = MLPClassifier(random_state=0, max_iter=50, tol=0, n_iter_no_change=100)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(X, y)
    finding = only(diagnose(model, X, y), "class_imbalance")
    assert finding.evidence["counts"] == {"ill": 50, "well": 1000}
    assert finding.evidence["rarest"] == "ill"
    assert "class 'well' has 1,000 rows, and class 'ill' 50; of these" in finding.message
    assert finding.remedy == 'class_weight="balanced"'
    model.set_params(class_weight="balanced")
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(X, y)
    assert diagnose(model, X, y)


def test_a_regressor_whose_target_is_in_its_own_units() -> None:
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model = MLPRegressor(random_state=0).fit(X, y)
    finding = only(diagnose(model, X, y), "unscaled_targets")
    assert "TransformedTargetRegressor" in finding.remedy


def test_the_remedy_of_a_target_in_its_own_units_is_looked_through() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    pipeline = make_pipeline(StandardScaler(), MLPRegressor(early_stopping=True, random_state=0))
    model = TransformedTargetRegressor(pipeline, transformer=StandardScaler()).fit(X, y)
    diagnosis = diagnose(model, X, y, validation_data=(X[:100], y[:100]))
    assert diagnosis
    assert diagnosis.plain_loss == pytest.approx(0.5)
    inside = make_pipeline(StandardScaler(), TransformedTargetRegressor(pipeline[-1], transformer=StandardScaler()))
    assert diagnose(inside.fit(X, y), X, y).plain_loss == pytest.approx(0.5)


def test_a_search_stands_for_its_best_estimator() -> None:
    table = load_wine(as_frame=True)
    search = GridSearchCV(MLPClassifier(random_state=0, max_iter=50), {"alpha": [1e-4, 1e-2]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(table.data, table.target)
    finding = only(diagnose(search, table.data, table.target), "unscaled_inputs")
    assert "proline" in finding.evidence["names"]


def test_an_estimator_that_stopped_early_has_its_best_epoch(diabetes: Data) -> None:
    X, y = diabetes
    model = MLPRegressor(
        hidden_layer_sizes=(64, 64), early_stopping=True, learning_rate_init=0.01, n_iter_no_change=60, random_state=0
    )
    with np.errstate(all="ignore"):
        model.fit(X, y)
    assert model.validation_loss_curve_[-1] > 1.2 * min(model.validation_loss_curve_)
    assert diagnose(model, X, y)


def test_an_estimator_that_a_score_stopped_too_early(iris: Data) -> None:
    X, y = iris
    model = MLPClassifier(early_stopping=True, random_state=0).fit(X, y)
    assert model.score(X, y) < 0.5
    finding = only(diagnose(model, X, y), "stopped_too_early")
    assert "the validation loss is still falling" in finding.message
    assert "the validation score did not improve by tol=0.0001 for 10 epochs" in finding.message
    model.set_params(scoring="loss", max_iter=finding.evidence["epochs_to_try"]).fit(X, y)
    assert 'scoring="loss"' in finding.remedy
    assert model.score(X, y) > 0.95
    assert diagnose(model, X, y)


def test_validation_data_of_an_estimator(diabetes: Data) -> None:
    X, y = diabetes
    model = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(64, 64), solver="lbfgs", max_iter=500))
    model.fit(X[:80], y[:80])
    assert diagnose(model, X[:80], y[:80])
    finding = only(diagnose(model, X[:80], y[:80], validation_data=(X[80:], y[80:])), "overfit")
    assert "early_stopping=True" in finding.remedy


def test_an_estimator_finds_numbers_that_are_not_finite() -> None:
    table = load_wine(as_frame=True)
    X = (table.data - table.data.mean()) / table.data.std()
    model = MLPClassifier(random_state=0, max_iter=500).fit(X, table.target)
    X.loc[3, "ash"] = np.nan
    finding = only(diagnose(model, X, table.target), "nonfinite_inputs", "error")
    assert finding.evidence["places"] == [[3, 2]]
    assert "column 'ash'" in finding.message
    assert only(diagnose(model, X.iloc[3:4], table.target[3:4]), "nonfinite_inputs", "error")


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.DataFrame, sparse.csr_matrix, np.ndarray.tolist])
def test_tables_and_matrices(plane: Data, convert: Any) -> None:
    X, Y = plane
    X[:, 1] *= 100
    given = convert(X) if convert is not pl.DataFrame else pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]})
    finding = only(diagnose(fresh(), given, Y), "unscaled_inputs")
    assert finding.evidence["columns"] == [1]
    assert finding.evidence["names"] == {pd.DataFrame: ["1"], pl.DataFrame: ["b"]}.get(convert)
    assert ("MaxAbsScaler" in finding.remedy) == sparse.issparse(given)


def test_several_labels_at_once(rng: np.random.Generator) -> None:
    X = rng.standard_normal((300, 3))
    labels = (X @ rng.standard_normal((3, 4)) > 0).astype(int)
    model = MLPClassifier(random_state=0, max_iter=2000, learning_rate_init=0.01).fit(X, labels)
    assert diagnose(model, X, labels)
    assert diagnose(model, X, sparse.csr_matrix(labels))
    assert diagnose(model, sparse.csr_matrix(X), labels).loss == pytest.approx(diagnose(model, X, labels).loss)


def test_an_estimator_from_elsewhere(tmp_path: Path) -> None:
    table = load_wine(as_frame=True)
    model = make_pipeline(StandardScaler(), MLPClassifier(random_state=0, max_iter=500)).fit(table.data, table.target)
    fastmlp.save(model, tmp_path / "wine.safetensors")
    assert diagnose(fastmlp.load(tmp_path / "wine.safetensors"), table.data, table.target)
    scaled = model[:-1].transform(table.data)
    theirs = model[-1].to_sklearn()
    assert diagnose(MLPClassifier.from_sklearn(theirs), scaled, table.target)
    with pytest.raises(TypeError, match="estimator of fastmlp"):
        diagnose(theirs, scaled, table.target)


# Mistakes are told as they are elsewhere.


def test_mistakes(plane: Data) -> None:
    X, Y = plane
    net = fresh()
    for arguments, message in (
        ((X[:, :2], Y), r"X must have shape \(n, 3\)"),
        ((X, np.column_stack([Y, Y])), r"Y must have shape \(n, 1\)"),
        ((X, Y[:9]), "Y has 9 rows, and X has 300"),
        ((X[:0], Y[:0]), "no rows"),
    ):
        with pytest.raises(ValueError, match=message):
            diagnose(net, *arguments)
    with pytest.raises(ValueError, match="needs a network with output_activation"):
        diagnose(net, X, Y, loss="log_loss")
    with pytest.raises(ValueError, match="targets of loss 'log_loss' are from 0 to 1"):
        diagnose(fresh(output_activation="sigmoid"), X, Y, loss="log_loss")
    with pytest.raises(ValueError, match="there are 2 feature_names, and 3 inputs"):
        diagnose(net, X + np.nan, Y, feature_names=["a", "b"])
    with pytest.raises(ValueError, match=r"X must have shape \(n, 3\)"):
        diagnose(net, pd.DataFrame(X[:, :2]), Y)
    with pytest.raises(TypeError, match="validation_data must be a pair"):
        diagnose(net, X, Y, validation_data=0.2)  # type: ignore[arg-type]
    for history in ("loss", {"loss": [1.0]}, 0.5, [[1.0]]):
        with pytest.raises(TypeError, match="history must be what train returned, or the loss of each epoch"):
            diagnose(net, X, Y, history)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"validation_data: X\[0, 0\] is nan"):
        diagnose(net, X, Y, validation_data=(X + np.nan, Y))
    with pytest.raises(TypeError, match=r"optimizer must be an object such as fastmlp.Adam\(\), not 'adam'"):
        diagnose(net, X, Y, optimizer="adam")
    with pytest.raises(TypeError, match="net must be a network"):
        diagnose("net", X, Y)
    with pytest.raises(NotFittedError):
        diagnose(MLPRegressor(), X, Y)
    with pytest.raises(TypeError, match="targets are dense"):
        diagnose(net, X, sparse.csr_matrix(Y.reshape(-1, 1)))
    with pytest.raises(TypeError, match="masked"):
        diagnose(net, np.ma.masked_array(X), Y)


# Nothing changes.


def test_nothing_is_changed(network: Any, plane: Data) -> None:
    X, Y = plane
    net, optimizer, generator = fresh(network), Adam(1e-7), np.random.default_rng(0)
    history = net.train(X, Y, epochs=20, batch_size=32, optimizer=optimizer, random_state=generator)
    held = (X.copy(), Y.copy(), net.parameters.copy(), [slot.copy() for slot in optimizer.slots])
    np.random.seed(3)
    states, curves = (generator.bit_generator.state, np.random.get_state()[1].copy()), copy.deepcopy(history)
    assert diagnose(net, X, Y, history, optimizer=optimizer).kinds == ["learning_rate_too_low"]
    assert np.array_equal(X, held[0])
    assert np.array_equal(Y, held[1])
    assert np.array_equal(net.parameters, held[2])
    assert all(np.array_equal(a, b) for a, b in zip(optimizer.slots, held[3], strict=True))
    assert optimizer.learning_rate == 1e-7
    assert optimizer.steps == 200
    assert generator.bit_generator.state == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert history == curves


def test_an_estimator_goes_on_as_if_nobody_had_looked(plane: Data) -> None:
    X, Y = plane
    models = [MLPRegressor(random_state=0, warm_start=True, max_iter=5, learning_rate_init=1e-6) for _ in range(2)]
    for looked_at, model in enumerate(models):
        for _ in range(2):
            with pytest.warns(UserWarning, match="Maximum iterations"):
                model.fit(X, Y)
            if looked_at:
                assert diagnose(model, X, Y).kinds == ["learning_rate_too_low"]
    assert np.array_equal(models[0].network_.parameters, models[1].network_.parameters)


def test_the_same_report_twice(plane: Data) -> None:
    net = fresh()
    history = net.train(*plane, epochs=20, optimizer=Adam(1e-6))
    assert diagnose(net, *plane, history) == diagnose(net, *plane, history)


# Rows and time.


def test_of_many_rows_some_are_looked_at_evenly(monkeypatch: pytest.MonkeyPatch, plane: Data) -> None:
    X, Y = plane
    monkeypatch.setattr(thresholds, "MOST_ROWS", 30)
    X, Y = np.repeat(X, 2, axis=0), np.repeat(Y, 2)
    weight = np.ones(600)
    weight[::3] = 0  # rows that do not count are not looked at
    X[::3] = 1e6
    assert diagnose(fresh(), X, Y, sample_weight=weight).rows == 30
    Y[599] = np.inf
    assert diagnose(fresh(), X, Y, sample_weight=weight).findings[0].evidence["places"] == [[599, 0]]


def test_wide_networks_are_looked_at_with_fewer_rows() -> None:
    X = np.random.default_rng(0).standard_normal((3000, 4))
    net = fastmlp.Network([4, 5000, 1], random_state=0)
    assert diagnose(net, X, X[:, 0]).rows == thresholds.MOST_NUMBERS // 5005


def test_the_time_that_it_takes() -> None:
    rng = np.random.default_rng(0)
    X, labels = rng.random((60_000, 784), dtype=np.float32), rng.integers(0, 10, 60_000)
    net = fastmlp.Network([784, 128, 10], "relu", "softmax", init="he_uniform", random_state=0)
    start = time.perf_counter()
    assert diagnose(net, X, labels, loss="log_loss")
    assert time.perf_counter() - start < 5  # 0.4 on two quiet cores


# The report.


def test_a_report_to_read_and_one_for_programs(plane: Data) -> None:
    X, Y = plane
    X[:, 1] *= 100
    X[4, 0] = np.nan
    diagnosis = diagnose(fresh(init="zeros"), X, Y, feature_names=["a", "b", "c"])
    assert not diagnosis
    assert diagnosis.kinds == ["nonfinite_inputs", "symmetric_neurons", "unscaled_inputs"]  # errors first
    assert [finding.severity for finding in diagnosis.findings] == ["error", "error", "warning"]
    text = str(diagnosis)
    assert text.startswith("3 findings in 299 of 300 rows; loss ")
    for finding in diagnosis.findings:
        assert f"{finding.severity.upper()} {finding.kind}\n  " in text
    assert max(map(len, text.splitlines())) <= 100
    assert "- **unscaled\\_inputs** (warning): inputs are not" in diagnosis._repr_markdown_()
    read = json.loads(json.dumps(diagnosis.to_dict(), allow_nan=False))
    assert read["rows"] == 299
    assert read["findings"][2]["evidence"]["names"] == ["b"]
    assert read["findings"][0] == diagnosis.findings[0].to_dict()


def test_a_report_of_a_healthy_network(plane: Data) -> None:
    diagnosis = diagnose(fresh(), *plane)
    assert diagnosis
    assert str(diagnosis).startswith("nothing found in 300 rows; loss ")
    assert diagnosis.to_dict()["findings"] == []


def test_numbers_that_json_does_not_have(plane: Data) -> None:
    net = fresh()
    net.biases[-1][:] = 1e30
    assert diagnose(net, *plane).to_dict()["loss"] is None


def test_every_remedy_has_a_text_for_networks() -> None:
    for kind, texts in REMEDIES.items():
        assert NETWORK in texts, kind
        assert set(texts) <= {NETWORK, ESTIMATOR, COMMAND, SPARSE}, kind
        assert texts[NETWORK], kind
