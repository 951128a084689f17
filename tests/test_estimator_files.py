"""Model files of estimators and pipelines: what is saved comes back and predicts the same, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_files import rewrite

import fastmlp
from fastmlp import reference
from fastmlp.reference import files
from fastmlp.reference.arrays import Array

sklearn = pytest.importorskip("sklearn")

from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris  # noqa: E402
from sklearn.pipeline import Pipeline, make_pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler, PowerTransformer, StandardScaler, scale  # noqa: E402

GOLDEN = Path(__file__).with_name("data")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def iris(labels: str) -> tuple[Array, Array]:
    X, y = load_iris(return_X_y=True)
    names = {
        "int": y,
        "float": 2.0 * y,
        "str": np.array(["setosa", "versicolor", "virginica"])[y],
        "object": np.array(["setosa", "versicolor", "virginica"], dtype=object)[y],
        "bool": y > 0,
        "one": np.zeros_like(y),
        "multilabel": np.eye(3, dtype=int)[y],
    }
    return scale(X), names[labels]


@pytest.mark.parametrize("labels", ["int", "float", "str", "object", "bool", "one", "multilabel"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_classifier_comes_back_with_its_labels(path: Path, labels: str, dtype: str) -> None:
    X, y = iris(labels)
    X = X.astype(dtype)
    model = fastmlp.MLPClassifier((7,), max_iter=5, random_state=0).fit(X, y)
    fastmlp.save(model, path)
    other = fastmlp.load(path)
    assert np.array_equal(other.predict(X), model.predict(X))
    assert np.array_equal(other.predict_proba(X), model.predict_proba(X))
    assert other.classes_.dtype == model.classes_.dtype
    assert other.loss_curve_ == model.loss_curve_
    assert other.get_params() == {**model.get_params(), "hidden_layer_sizes": [7], "callbacks": []}


@pytest.mark.parametrize("loss", ["squared_error", "quantile(0.1, 0.9)", "gaussian_nll", "huber(2)"])
def test_a_regressor_comes_back_with_its_loss(path: Path, loss: str) -> None:
    X, y = load_diabetes(return_X_y=True)
    X, Y = scale(X), np.column_stack([scale(y), -scale(y)])
    model = fastmlp.MLPRegressor(loss, (5, 4), ["gelu", "tanh"], max_iter=5, n_iter_no_change=np.inf).fit(X, Y)
    model.save(path)
    other = fastmlp.load(path)
    assert np.array_equal(other.predict(X), model.predict(X))
    assert other.n_iter_no_change == np.inf
    np.testing.assert_allclose(reference.load(path).predict(X), model.network_.predict(X), atol=1e-6)


@pytest.mark.parametrize("scaler", [StandardScaler(), StandardScaler(with_mean=False), MinMaxScaler((-1, 1)), None])
def test_a_pipeline_comes_back_with_its_scaling_and_names(path: Path, scaler: Any) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    steps = [("scaler", "passthrough" if scaler is None else scaler), ("net", fastmlp.MLPClassifier(max_iter=5))]
    model = Pipeline(steps).fit(X, y)
    fastmlp.save(model, path)
    other = fastmlp.load(path)
    assert [name for name, _ in other.steps] == ["scaler", "net"]
    assert np.array_equal(other.predict_proba(X), model.predict_proba(X))


def test_names_of_features_come_back(path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(iris("int")[0], columns=["a", "b", "c", "d"])
    model = fastmlp.MLPClassifier(max_iter=2).fit(X, iris("int")[1])
    fastmlp.save(model, path)
    other = fastmlp.load(path)
    assert other.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="feature names should match"):
        other.predict(X[["b", "a", "c", "d"]])


def test_names_of_features_of_a_pipeline_come_back(path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(iris("int")[0], columns=["a", "b", "c", "d"])
    model = make_pipeline(StandardScaler(), fastmlp.MLPClassifier(max_iter=2)).fit(X, iris("int")[1])
    fastmlp.save(model, path)
    other = fastmlp.load(path)
    assert other.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert np.array_equal(other.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ValueError, match="feature names should match"):
        other.predict(X[["b", "a", "c", "d"]])


def test_it_goes_on_from_its_weights(path: Path) -> None:
    X, y = iris("str")
    model = fastmlp.MLPClassifier(max_iter=20, warm_start=True, random_state=0).fit(X, y)
    fastmlp.save(model, path)
    other = fastmlp.load(path)
    assert other.fit(X, y).loss_curve_[20] < model.loss_curve_[15]
    assert other.t_ == 2 * model.t_
    partial = fastmlp.load(path)
    assert len(partial.partial_fit(X, y).loss_curve_) == 21


def test_objects_are_left_out_with_a_warning(path: Path) -> None:
    X, y = iris("int")
    model = fastmlp.MLPClassifier(max_iter=2, solver=fastmlp.Adam(0.01), class_weight={0: 1.0, 1: 2.0, 2: 1.0}).fit(
        X, y
    )
    with pytest.warns(UserWarning, match="class_weight, solver"):
        fastmlp.save(model, path)
    other = fastmlp.load(path)
    assert other.solver == "adam"
    assert np.array_equal(other.predict_proba(X), model.predict_proba(X))


def test_what_a_file_does_not_hold_is_refused_and_the_old_file_stays(path: Path) -> None:
    X, y = iris("int")
    model = fastmlp.MLPClassifier(max_iter=2).fit(X, y)
    fastmlp.save(model, path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="step 'powertransformer' is a PowerTransformer"):
        fastmlp.save(make_pipeline(PowerTransformer(), model).fit(X, y), path)
    with pytest.raises(TypeError, match="the last one, is a StandardScaler: a model file takes pipelines that end"):
        fastmlp.save(make_pipeline(StandardScaler()).fit(X, y), path)
    with pytest.raises(TypeError, match="a model file holds a network"):
        fastmlp.save({"a": 1}, path)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        fastmlp.save(fastmlp.MLPClassifier(), path)
    own = fastmlp.MLPRegressor(lambda out, Y: (((out - Y) ** 2).sum(axis=1), 2 * (out - Y)), max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="loss is a function"):
        fastmlp.save(own, path)
    assert path.read_bytes() == before


def test_no_flipped_byte_and_no_prefix_passes(path: Path) -> None:
    X, y = iris("str")
    fastmlp.save(make_pipeline(StandardScaler(), fastmlp.MLPClassifier((2,), max_iter=1)).fit(X, y), path)
    raw = path.read_bytes()
    for i in range(len(raw)):
        path.write_bytes(raw[:i] + bytes([raw[i] ^ 0x15]) + raw[i + 1 :])
        with pytest.raises(ValueError, match=r"model\.safetensors"):
            fastmlp.load(path)
        path.write_bytes(raw[:i])
        with pytest.raises(ValueError, match=r"model\.safetensors"):
            fastmlp.load(path)


FIT = {"n_outputs_": 3, "n_iter_": 1, "t_": 150, "loss_": 1.0, "loss_curve_": [1.0]}


def scaled(kind: str, **arrays: list[float]) -> dict[str, Any]:
    """Return the change that puts a scaler before the estimator."""
    parameters = {"feature_range": [0]} if kind == "MinMaxScaler" else {}
    return {"steps": [{"name": "s", "kind": kind, "parameters": parameters, "arrays": arrays}]}


CRAFTED: dict[str, Any] = {
    "another version": {"version": 2},
    "another kind": {"kind": "Pipeline"},
    "a parameter that there is not": {"parameters": {"__class__": 1}},
    "parameters that are none": {"parameters": 3},
    "an attribute that there is not": {"fitted": {"predict": 1}},
    "no outputs": {"fitted": {}},
    "other outputs": {"fitted": {"n_outputs_": 5}},
    "names of features that don't fit": {"feature_names": ["a"]},
    "no classes": {"classes": None},
    "two classes for three outputs": {"classes": {"labels": [0, 1], "dtype": "<i8", "type": "binary"}},
    "classes of an odd dtype": {"classes": {"labels": [0, 1, 2], "dtype": "V8", "type": "multiclass"}},
    "classes twice": {"classes": {"labels": [0, 1, 1], "dtype": "<i8", "type": "multiclass"}},
    "another scaler": {"steps": [{"name": "s", "kind": "OneHotEncoder"}]},
    "a scaler of another size": {
        "steps": [{"name": "s", "kind": "StandardScaler", "parameters": {}, "arrays": {"mean_": [1.0]}}]
    },
    "a step that is none": {"steps": [7]},
    "a scaler without a mean": scaled("StandardScaler", scale_=[1.0] * 4),
    "a scaler with nothing": scaled("StandardScaler"),
    "a scale of 0": scaled("StandardScaler", mean_=[0.0] * 4, scale_=[0.0] * 4),
    "a mean that is none": scaled("StandardScaler", mean_=[np.nan] * 4, scale_=[1.0] * 4),
    "a mean beyond numbers": scaled("StandardScaler", mean_=[10**400] * 4, scale_=[1.0] * 4),
    "a range of one number": scaled("MinMaxScaler", min_=[0.0] * 4, scale_=[np.inf] * 4),
    "labels that take all memory": {"classes": {"labels": [0, 1, 2], "dtype": "<U99999999", "type": "multiclass"}},
    "complex labels": {"classes": {"labels": [0, 1, 2], "dtype": "<c16", "type": "multiclass"}},
    "labels beyond their dtype": {"classes": {"labels": [0, 1, 10**400], "dtype": "<i8", "type": "multiclass"}},
    "labels of labels": {"classes": {"labels": [[0], [1], [2]], "dtype": "<i8", "type": "multiclass"}},
    "a parameter beyond numbers": {"parameters": {"solver": "lm", "tol": 10**400}},
    "a solver that there is not": {"parameters": {"solver": "none"}},
    "a curve of letters": {"fitted": {**FIT, "loss_curve_": "abc"}},
    "a curve of lists": {"fitted": {**FIT, "validation_scores_": [[1.0]]}},
    "a loss that is a list": {"fitted": {**FIT, "loss_": [1.0]}},
    "samples beyond numbers": {"fitted": {**FIT, "t_": 10**400}},
    "epochs that are none": {"fitted": {**FIT, "n_iter_": 1.5}},
}


@pytest.mark.parametrize("changes", CRAFTED.values(), ids=CRAFTED)
def test_crafted_files_are_refused(path: Path, changes: dict[str, Any]) -> None:
    X, y = iris("int")
    fastmlp.save(fastmlp.MLPClassifier((2,), max_iter=1).fit(X, y), path)

    def change(header: dict[str, Any]) -> None:
        header["__metadata__"]["estimator"].update(changes)

    rewrite(path, change)
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        fastmlp.load(path)


@pytest.mark.parametrize("name", ["network32", "network64", "classifier", "pipeline"])
@pytest.mark.parametrize("version", [1, 2])
def test_files_of_every_version_load_for_ever(version: int, name: str) -> None:
    expected = json.loads((GOLDEN / "golden.json").read_text())[name]
    model = fastmlp.load(GOLDEN / f"models-{version}" / f"{name}.safetensors")
    X = np.array(expected["X"])
    outputs = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    np.testing.assert_allclose(outputs, expected["outputs"], rtol=1e-6, atol=1e-7)
    if "labels" in expected:
        assert model.predict(X).tolist() == expected["labels"]


def test_the_reference_reads_the_network_of_an_estimator(path: Path) -> None:
    X, y = iris("int")
    fastmlp.save(fastmlp.MLPClassifier((2,), max_iter=1).fit(X, y), path)
    net, extras = files.load_all(path, reference.Network)
    assert extras["estimator"]["kind"] == "MLPClassifier"
    assert net.layer_sizes == (4, 2, 3)
