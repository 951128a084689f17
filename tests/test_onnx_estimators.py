"""Estimators, pipelines and the command line's models as ONNX models: labels, probabilities, numbers in their units."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from test_onnx import TOLERANCE, run

import fastmlp
from fastmlp.cli import main
from fastmlp.reference import files
from fastmlp.reference.arrays import Array

pytestmark = pytest.mark.filterwarnings("ignore:Maximum iterations")

X_IRIS, IRIS = load_iris(return_X_y=True)
X_DIABETES, DIABETES = load_diabetes(return_X_y=True, scaled=False)
Y_DIABETES = np.stack([DIABETES / 100, X_DIABETES[:, 3] / 100], axis=1)

LABELS = {
    "three numbers": IRIS,
    "three strings": np.array(["setosa", "versicolor", "ß"])[IRIS],
    "strings in objects": np.array(["setosa", "versicolor", "virginica"], object)[IRIS],
    "unsigned numbers": (IRIS + 3).astype(np.uint8),
    "two numbers": np.where(IRIS > 1, 7, -2),
    "two strings": np.where(IRIS > 1, "yes", "no"),
    "two floats": np.where(IRIS > 1, 1.0, -3.0),
    "truth": IRIS > 1,
    "one class": np.full(len(IRIS), 4),
    "several labels": np.stack([IRIS > 0, X_IRIS[:, 0] > 5.8, IRIS == 1], axis=1).astype(int),
}


def assert_close(got: Array, expected: Array) -> None:
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    error = np.abs(got - expected) / np.maximum(1, np.abs(expected))
    assert error.max() <= TOLERANCE[expected.dtype.name]


def assert_classifies_alike(model: onnx.ModelProto, est: Any, X: Array) -> None:
    got, expected = run(model, X), est.predict(X)
    assert list(got) == ["label", "probabilities"]
    assert got["label"].shape == expected.shape
    assert got["label"].tolist() == expected.tolist()
    assert_close(got["probabilities"], est.predict_proba(X))


def classifier(**parameters: Any) -> fastmlp.MLPClassifier:
    return fastmlp.MLPClassifier((8,), max_iter=20, learning_rate_init=0.05, random_state=0, **parameters)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("y", LABELS.values(), ids=list(LABELS))
def test_classifiers(y: Array, dtype: str) -> None:
    X = X_IRIS.astype(dtype)
    est = classifier().fit(X, y)
    assert_classifies_alike(est.to_onnx(), est, X)
    assert_classifies_alike(fastmlp.to_onnx(est), est, X[:1])


@pytest.mark.parametrize(
    "labels", [np.array([b"a", b"b"])[IRIS // 2], np.array([2**63, 2**64 - 1], np.uint64)[IRIS // 2]]
)
def test_labels_that_onnx_does_not_have(labels: Array, tmp_path: Path) -> None:
    est = classifier().fit(X_IRIS, np.where(IRIS > 1, 1, 0))
    est.classes_ = np.unique(labels)
    with pytest.raises(TypeError, match="ONNX has labels that are numbers up to 64 bits, or strings"):
        est.to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("Y", [DIABETES / 100, Y_DIABETES], ids=["one target", "two targets"])
@pytest.mark.parametrize("loss", ["squared_error", "poisson", "quantile(0.3)", "quantile(0.1, 0.5, 0.9)"])
def test_regressors(loss: str, Y: Array, dtype: str) -> None:
    X = (X_DIABETES / 100).astype(dtype)
    est = fastmlp.MLPRegressor(loss, (8,), max_iter=20, random_state=0).fit(X, Y)
    got = run(est.to_onnx(), X)
    assert list(got) == ["variable"]
    assert_close(got["variable"], est.predict(X))


@pytest.mark.parametrize("Y", [DIABETES / 100, Y_DIABETES], ids=["one target", "two targets"])
def test_standard_deviations(Y: Array) -> None:
    X = X_DIABETES / 100
    est = fastmlp.MLPRegressor("gaussian_nll", (8,), max_iter=20, random_state=0).fit(X, Y)
    got, (mean, std) = run(est.to_onnx(), X), est.predict(X, return_std=True)
    assert list(got) == ["variable", "std"]
    assert_close(got["variable"], mean)
    assert_close(got["std"], std)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "scalers",
    [
        [],
        ["passthrough"],
        [StandardScaler()],
        [StandardScaler(with_mean=False), None],
        [StandardScaler(with_std=False)],
        [MinMaxScaler()],
        [MinMaxScaler((-1, 3), clip=True), "passthrough", StandardScaler()],
    ],
    ids=str,
)
def test_pipelines(scalers: list[Any], dtype: str, tmp_path: Path) -> None:
    X = X_IRIS.astype(dtype)
    pipeline = make_pipeline(*scalers, classifier()).fit(X[::2], IRIS[::2])
    path = tmp_path / "pipeline.onnx"
    assert_classifies_alike(fastmlp.to_onnx(pipeline, path), pipeline, 1.1 * X)  # some rows are out of range
    assert_classifies_alike(onnx.load(path), pipeline, X)


def test_columns_far_from_zero_keep_their_digits() -> None:
    X = (X_IRIS + np.array([1e4, -1e5, 0, 0])).astype(np.float32)
    pipeline = make_pipeline(StandardScaler(), classifier()).fit(X, IRIS)
    assert_classifies_alike(fastmlp.to_onnx(pipeline), pipeline, X)


def test_names_of_features_are_kept() -> None:
    est = classifier().fit(X_IRIS, IRIS)
    keys = {"fastmlp.network"}
    assert {entry.key for entry in est.to_onnx().metadata_props} == keys
    est.feature_names_in_ = np.array(["a", "b", "ü", "d"], object)  # as a fit with a table sets them
    properties = {entry.key: entry.value for entry in est.to_onnx().metadata_props}
    assert set(properties) == keys | {"fastmlp.features"}
    assert json.loads(properties["fastmlp.features"]) == ["a", "b", "ü", "d"]


class OwnScaler(StandardScaler):  # type: ignore[misc]
    """What a subclass does is not known."""


@pytest.mark.parametrize("step", [PCA(2), OwnScaler()], ids=str)
def test_other_steps_are_refused_by_name(step: Any, tmp_path: Path) -> None:
    pipeline = Pipeline([("scale", StandardScaler()), ("odd", step), ("net", classifier())]).fit(X_IRIS, IRIS)
    with pytest.raises(TypeError, match=rf"step 'odd' is a {type(step).__name__}.*skl2onnx"):
        fastmlp.to_onnx(pipeline, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_pipelines_of_others_are_refused() -> None:
    with pytest.raises(TypeError, match="step 'logisticregression', the last one, is a LogisticRegression"):
        fastmlp.to_onnx(make_pipeline(StandardScaler(), LogisticRegression()))


@pytest.mark.parametrize("model", [LogisticRegression(), GridSearchCV(classifier(), {}), None, 3])
def test_other_models_are_refused(model: Any) -> None:
    with pytest.raises(TypeError, match=f"to_onnx takes .*; not a {type(model).__name__}"):
        fastmlp.to_onnx(model)


def test_what_is_not_fitted_is_refused() -> None:
    with pytest.raises(NotFittedError):
        classifier().to_onnx()
    with pytest.raises(NotFittedError, match="StandardScaler"):
        fastmlp.to_onnx(make_pipeline(StandardScaler(), classifier().fit(X_IRIS, IRIS)))


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Array:
    """Write a table of numbers far from 0 and 1, a constant among them, and of names, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    X = X_IRIS * [1, 100, 1e-3, 1] + [1.7e9, 5000, 0, 0]
    X[:, 3] = 7.1
    rows = zip(X.tolist(), IRIS.tolist(), strict=True)
    with open("data.csv", "w", newline="", encoding="utf-8") as file:
        header = ["a", "b", "c", "constant", "y", "name"]
        csv.writer(file).writerows([header, *([*x, 50 * k - 1e5, f"Art {k}"] for x, k in rows)])
    return X


def predictions(target: str, dtype: str, *options: str) -> list[list[str]]:
    """Train a network on the table, and return what the command line predicts."""
    arguments = ("--target", target, "--features", "a,b,c,constant", "--dtype", dtype, "--hidden", "8", "--quiet")
    assert main(("train", "data.csv", *arguments, "--epochs", "20")) == 0
    assert main(("predict", "model.safetensors", "data.csv", "--output", "out.csv", *options)) == 0
    with open("out.csv", newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_tables_with_numbers(table: Array, dtype: str) -> None:
    expected = np.array(predictions("y", dtype), float)[:, 0]
    model = fastmlp.to_onnx("model.safetensors", "model.onnx")
    got = run(model, table)
    assert list(got) == ["variable"]
    assert got["variable"].shape == expected.shape
    np.testing.assert_allclose(got["variable"], expected, rtol=TOLERANCE[dtype])
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(properties["fastmlp.features"]) == ["a", "b", "c", "constant"]
    assert properties["fastmlp.target"] == "y"
    assert onnx.load("model.onnx") == model


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_tables_with_classes(table: Array, dtype: str) -> None:
    rows = predictions("name", dtype, "--probabilities")
    got = run(fastmlp.to_onnx(Path("model.safetensors")), table)
    assert list(got) == ["label", "probabilities"]
    assert got["label"].tolist() == [row[0] for row in rows]
    probabilities = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(got["probabilities"], probabilities, rtol=0, atol=TOLERANCE[dtype])


def test_names_of_columns_that_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{name},{i},{i % 3},{i}\n" for i, name in enumerate(["a", "b"] * 6))
    Path("data.csv").write_text(f"label,label_,std,y\n{rows}")
    assert main(("train", "data.csv", "--target", "y", "--epochs", "2", "--quiet")) == 0
    model = fastmlp.to_onnx("model.safetensors")
    assert [node.name for node in model.graph.input] == ["label__", "label_", "std_"]
    onnx.checker.check_model(model, full_check=True)


def test_files_of_networks(tmp_path: Path) -> None:
    net = fastmlp.Network([2, 3, 1], random_state=0)
    net.save(tmp_path / "net.safetensors")
    assert fastmlp.to_onnx(tmp_path / "net.safetensors") == net.to_onnx()
    with pytest.raises(FileNotFoundError):
        fastmlp.to_onnx(tmp_path / "other")


def test_files_of_estimators_and_pipelines(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    est = fastmlp.MLPClassifier((5,), max_iter=5, random_state=0)
    for model in (est, make_pipeline(StandardScaler(), est)):
        model.fit(X_IRIS, LABELS["three strings"])
        fastmlp.save(model, path)
        assert fastmlp.to_onnx(path) == fastmlp.to_onnx(model)


def test_a_model_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    fastmlp.Network([2, 3, 1]).save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is the model file itself"):
        fastmlp.to_onnx(path, str(path))
    assert path.read_bytes() == before


def test_a_table_that_does_not_fit_its_network(tmp_path: Path) -> None:
    files.save(fastmlp.Network([2, 1]), tmp_path / "odd", {"features": ["a"], "classes": [], "target": "y"})
    with pytest.raises(ValueError, match="odd: the names of its columns do not fit"):
        fastmlp.to_onnx(tmp_path / "odd", tmp_path / "odd.onnx")
    assert not (tmp_path / "odd.onnx").exists()
