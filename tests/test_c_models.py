"""Models as C headers: scaling, labels, pipelines, files, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_programs import FIXED, FLOATS, GCC, WARNINGS, needs_gcc, outputs_of, run
from conftest import make_network

import fastmlp
from fastmlp.cli import main as fastmlp_command
from fastmlp.reference import files
from fastmlp.reference.c_export import CReport, text

X = np.random.default_rng(5).uniform(-2, 2, (60, 3)).astype(np.float32)


@needs_gcc
@pytest.mark.parametrize("kind", ["float32", *FIXED])
def test_the_self_check_names_the_first_vector_that_fails(tmp_path: Path, kind: str) -> None:
    fastmlp.Network([2, 3, 1], random_state=0).to_c(tmp_path / "model.h", kind=kind, calibration=X[:, :2])
    header = (tmp_path / "model.h").read_text()
    start = header.index("model_test_y[4][1] = {")
    third = header.index("{", header.index("{", header.index("{", header.index("{", start) + 1) + 1) + 1)
    (tmp_path / "model.h").write_text(header[:third] + header[third:].replace("{\n    ", "{\n    7 + ", 1))
    (tmp_path / "main.c").write_text('#include "model.h"\nint main(void) { return model_self_check() == 3 ? 0 : 1; }\n')
    run([GCC, tmp_path / "main.c", "-o", tmp_path / "main", "-lm"])
    run([tmp_path / "main"])


@needs_gcc
@pytest.mark.parametrize("kind", [*FLOATS, *FIXED])
def test_scaling_of_inputs_and_outputs(tmp_path: Path, rng: np.random.Generator, kind: str) -> None:
    mean, scale = np.array([5.0, -300.0]), np.array([0.5, 40.0])
    rows = (mean + scale * rng.standard_normal((100, 2))).astype(np.float32)
    net = make_network(fastmlp.Network, [2, 6, 2], "tanh")
    given = {"input_scaling": (mean, scale), "output_scaling": ([10.0, 20.0], [2.0, 30.0])}
    report = net.to_c(tmp_path / "model.h", kind=kind, calibration=rows, **given)
    found = outputs_of(tmp_path, {"model": (kind, rows)})["model"][
        :, 1 if kind in FIXED else 0 :: 2 if kind in FIXED else 1
    ]
    Y = net.predict((rows - mean) / scale) * [2.0, 30.0] + [10.0, 20.0]
    tolerance = {"float32": 1e-5, "float64": 1e-12, "int16": 0.02, "int8": 3}[kind]
    assert np.abs(found - Y).max() < tolerance
    # The emulation of floating point has NumPy's tanh.
    assert report.max_error == pytest.approx(np.abs(found - Y).max(), rel=0.5 if kind in FLOATS else 0.001, abs=1e-13)


@needs_gcc
@pytest.mark.parametrize("scaler", ["StandardScaler", "MinMaxScaler"])
def test_a_pipeline(tmp_path: Path, scaler: str) -> None:
    from sklearn import preprocessing
    from sklearn.datasets import load_iris
    from sklearn.pipeline import make_pipeline

    rows, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    steps = [getattr(preprocessing, scaler)(), "passthrough", preprocessing.MinMaxScaler((-1, 1))]
    model = make_pipeline(*steps, fastmlp.MLPClassifier(max_iter=5000, solver="lbfgs", random_state=0))
    model.fit(rows, names)
    report = fastmlp.to_c(model, tmp_path / "iris.h", "iris", calibration=rows)
    assert report.agreement == 1
    found = outputs_of(tmp_path, {"iris": ("float32", rows)})["iris"]
    np.testing.assert_allclose(found, model.predict_proba(rows), atol=2e-5)
    header = (tmp_path / "iris.h").read_text()
    assert 'iris_labels[3] = {"setosa", "versicolor", "virginica"};' in header
    assert "Classes: 0 setosa, 1 versicolor, 2 virginica" in header


def test_estimators_bring_their_labels(tmp_path: Path) -> None:
    rows, path = X.astype(np.float64), tmp_path / "model.h"
    for y, expected in (
        (np.where(rows[:, 0] > 0, 7, -3), "int32_t model_labels[2] = {\n    -3, 7\n}"),
        (np.where(rows[:, 0] > 0, "yes", "no"), 'model_labels[2] = {"no", "yes"}'),
        ((rows[:, 0] > 0) + 1.0 * (rows[:, 1] > 0), "int32_t model_labels[3] = {\n    0, 1, 2\n}"),
    ):
        model = fastmlp.MLPClassifier((4,), solver="lbfgs", max_iter=5000, random_state=0).fit(rows, y)
        report = model.to_c(path, kind="int16", calibration=rows)
        assert expected in path.read_text()
        assert "model_class" in path.read_text()
        assert report.agreement is not None
    several = fastmlp.MLPClassifier((4,), solver="lbfgs", max_iter=5000, random_state=0).fit(
        rows, (rows[:, :2] > 0).astype(int)
    )
    assert several.to_c(path).agreement is None
    assert "model_class" not in path.read_text()
    assert (
        fastmlp.MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=5000)
        .fit(rows, rows[:, 0])
        .to_c(path)
        .agreement
        is None
    )


@needs_gcc
@pytest.mark.parametrize("kind", ["float32", *FIXED])
def test_the_class_of_one_output_and_of_several(tmp_path: Path, kind: str) -> None:
    calls = []
    for name, n_out, output in (("two", 1, "sigmoid"), ("many", 4, "softmax"), ("votes", 3, "sigmoid")):
        net = make_network(fastmlp.Network, [3, 6, n_out], "tanh", output)
        net.to_c(tmp_path / f"{name}.h", name, kind, X, labels=range(max(n_out, 2)))
        c_type = {"float32": "float"}.get(kind, f"{kind}_t")
        rows = f'for (int k = 0; k < 4; ++k) printf("%d ", {name}_class({name}_test_y[k]));'
        calls.append((name, net, c_type, rows))
    source = '#include <stdio.h>\n#include "two.h"\n#include "many.h"\n#include "votes.h"\n'
    source += "int main(void) { " + " ".join(call[3] for call in calls) + " return 0; }\n"
    (tmp_path / "main.c").write_text(source)
    run([GCC, *WARNINGS, tmp_path / "main.c", "-o", tmp_path / "main", "-lm"])
    printed = np.array(run([tmp_path / "main"]).split(), int).reshape(3, 4)
    rows = X[np.linspace(0, len(X) - 1, 4).round().astype(int)]
    for (_, net, *_), classes in zip(calls, printed, strict=True):
        Y = net.predict(rows)
        expected = Y.argmax(axis=1) if Y.shape[1] > 1 else Y[:, 0] > 0.5
        np.testing.assert_array_equal(classes, expected)


@needs_gcc
def test_a_model_of_the_command_line(tmp_path: Path) -> None:
    rows = np.column_stack([np.linspace(0, 50, 80), np.linspace(3, 1, 80) ** 2])
    lines = ["width,height,price", *(f"{a},{b},{3 * a + 100 * b}" for a, b in rows)]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    model = tmp_path / "model.safetensors"
    arguments = ["--target", "price", "--epochs", "50", "--seed", "0", "--hidden", "8"]
    assert fastmlp_command(["train", str(tmp_path / "data.csv"), "--output", str(model), *arguments]) == 0
    fastmlp_command(["predict", str(model), str(tmp_path / "data.csv"), "--output", str(tmp_path / "out.csv")])
    expected = np.loadtxt(tmp_path / "out.csv", skiprows=1)
    report = fastmlp.to_c(model, tmp_path / "price.h", "price", calibration=rows)
    assert "Inputs: 0 width, 1 height" in (tmp_path / "price.h").read_text()
    found = outputs_of(tmp_path, {"price": ("float32", rows)})["price"]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)
    assert report.max_error < 0.01
    files.save(fastmlp.Network([2, 1]), tmp_path / "other.safetensors", {"inputs": 1})
    with pytest.raises(ValueError, match=r"other\.safetensors: the names of its columns are missing"):
        fastmlp.to_c(tmp_path / "other.safetensors", tmp_path / "price.h")
    with pytest.raises(ValueError, match="input_scaling: the model has one of its own"):
        fastmlp.to_c(model, tmp_path / "price.h", input_scaling=([0, 0], [1, 1]))


def test_a_saved_network(tmp_path: Path) -> None:
    net = fastmlp.Network([2, 3, 1], random_state=0)
    net.save(tmp_path / "net.safetensors")
    fastmlp.to_c(str(tmp_path / "net.safetensors"), tmp_path / "a.h")
    net.to_c(tmp_path / "b.h")
    assert (tmp_path / "a.h").read_bytes() == (tmp_path / "b.h").read_bytes()


def test_a_saved_pipeline(tmp_path: Path) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [[0.0], [10.0], [20.0], [30.0]]
    model = make_pipeline(StandardScaler(), fastmlp.MLPClassifier(solver="lbfgs", random_state=0))
    model.fit(rows, ["low", "low", "high", "high"])
    fastmlp.save(model, tmp_path / "model.safetensors")
    fastmlp.to_c(tmp_path / "model.safetensors", tmp_path / "a.h")
    fastmlp.to_c(model, tmp_path / "b.h")
    assert (tmp_path / "a.h").read_bytes() == (tmp_path / "b.h").read_bytes()


def test_other_steps_and_models_are_refused_by_name(tmp_path: Path) -> None:
    from sklearn import preprocessing
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    est = fastmlp.MLPRegressor(hidden_layer_sizes=(2,), solver="lbfgs", max_iter=5000).fit(X, X[:, 0])
    path = tmp_path / "model.h"
    for step, error, message in (
        (PCA(), TypeError, "step 'pca' is a PCA: before the estimator, to_c takes StandardScaler, MinMaxScaler"),
        (preprocessing.StandardScaler(), ValueError, "This StandardScaler instance is not fitted"),
        (preprocessing.MinMaxScaler(clip=True).fit(X), ValueError, "MinMaxScaler with clip=True"),
    ):
        with pytest.raises(error, match=message):
            fastmlp.to_c(make_pipeline(step, est), path)
    for other in (make_pipeline(LinearRegression()), LinearRegression()):
        with pytest.raises(TypeError, match="a LinearRegression"):
            fastmlp.to_c(other, path)
    with pytest.raises(ValueError, match="not fitted"):
        fastmlp.MLPRegressor().to_c(path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kind": "int4"}, ValueError, "unknown kind 'int4': did you mean"),
        ({"kind": 8}, TypeError, "kind must be a string"),
        ({"kind": "int8"}, ValueError, "kind 'int8' needs calibration=X"),
        ({"kind": "int8", "calibration": np.zeros((0, 2))}, ValueError, "calibration has no rows"),
        ({"calibration": [[1.0]]}, ValueError, "calibration"),
        ({"calibration": [[1.0, np.nan]]}, ValueError, r"calibration\[0, 1\] is nan"),
        ({"name": "2nd"}, ValueError, "name '2nd' must be a C identifier"),
        ({"name": "a b"}, ValueError, "must be a C identifier"),
        ({"name": None}, TypeError, "name must be a string"),
        ({"input_scaling": [1.0]}, TypeError, "input_scaling must be a pair"),
        ({"input_scaling": ([0, 0], [1, 0])}, ValueError, r"input_scaling\[1\]\[1\] is 0"),
        ({"input_scaling": ([0], [1, 2])}, ValueError, r"input_scaling\[0\]"),
        ({"input_names": ["a"]}, ValueError, "input_names has 1 names, and the network 2 input"),
        ({"labels": [1, 2]}, ValueError, "go with a single output whose activation is 'sigmoid'"),
        ({"labels": [1, 2, 3]}, ValueError, "labels must be 2 labels"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path: Path, arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fastmlp.Network([2, 3, 1], random_state=0).to_c(tmp_path / "model.h", **arguments)
    assert not (tmp_path / "model.h").exists()


@pytest.mark.parametrize(
    ("weight", "bias", "activation", "calibration", "message"),
    [
        (1e9, 0.0, "linear", [[1e9]], "layer 1: its sums would count in units of .*: standardise the inputs"),
        (1.0, 0.0, "leaky_relu(1e6)", [[1.0]], r"layer 1: leaky_relu\(1e\+06\) is too steep"),
        (1.0, 1e300, "linear", [[1.0]], "layer 1: its sums could overflow"),
        (1e200, 0.0, "selu", [[1e200]], "layer 1: its outputs overflow for the rows of calibration"),
    ],
)
def test_what_fixed_point_cannot_hold_is_refused(
    tmp_path: Path, weight: float, bias: float, activation: str, calibration: Any, message: str
) -> None:
    net = fastmlp.Network.from_parameters([[[weight]]], [[bias]], output_activation=activation)
    with pytest.raises(ValueError, match=message):
        net.to_c(tmp_path / "model.h", kind="int8", calibration=calibration)
    assert not list(tmp_path.iterdir())


def test_what_float_cannot_hold_is_refused(tmp_path: Path) -> None:
    net = fastmlp.Network.from_parameters([[[1e30]]], dtype="float64")
    with pytest.raises(ValueError, match="row 1 of calibration: output 0 overflows in float32"):
        net.to_c(tmp_path / "model.h", calibration=[[1.0], [1e30]])
    net.parameters[0] = 1e300
    with pytest.raises(ValueError, match=r"parameters\[0\] is 1e\+300: it has no place in float32"):
        net.to_c(tmp_path / "model.h")
    net.parameters[0] = np.nan
    with pytest.raises(ValueError, match=r"parameters\[0\] is nan"):
        net.to_c(tmp_path / "model.h", kind="float64")
    softmax = fastmlp.Network([2, 2], output_activation="softmax")
    with pytest.raises(ValueError, match="output_scaling is for regression"):
        softmax.to_c(tmp_path / "model.h", output_scaling=([1, 1], [1, 1]))
    exp = fastmlp.Network([2, 1], output_activation="exp")
    with pytest.raises(ValueError, match="int8 arithmetic gives the net inputs of 'exp'"):
        exp.to_c(tmp_path / "model.h", kind="int8", calibration=[[1, 2]], output_scaling=([1], [1]))


@needs_gcc
def test_the_c_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[1] / "docs/embedded.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(page.split("```python\n")[1].split("```")[0], "embedded.md", "exec"), {})
    (tmp_path / "main.c").write_text(page.split("```c\n")[1].split("```")[0])
    run([GCC, *WARNINGS, "-O2", "main.c", "-o", "main", "-lm"])
    assert run(["./main"]).strip() in "0123456789"


@needs_gcc
def test_labels_are_any_text(tmp_path: Path) -> None:
    labels = ['qu"ote', "*/ int", "back\\slash", "ß??/", "new\nline", "PREFIX_x /* UPPER_"]
    net = fastmlp.Network([2, 6], output_activation="softmax", random_state=0)
    net.to_c(tmp_path / "model.h", labels=labels, input_names=["*/", "\\\n"])
    loop = "for (int k = 0; k < MODEL_N_CLASSES; ++k) { fputs(model_labels[k], stdout); putchar(0); }"
    source = f'#include <stdio.h>\n#include "model.h"\nint main(void) {{ {loop} return 0; }}\n'
    (tmp_path / "main.c").write_text(source)
    run([GCC, *WARNINGS, tmp_path / "main.c", "-o", tmp_path / "main", "-lm"])
    assert run([tmp_path / "main"]).split("\0")[:-1] == labels


def test_constants_are_exact(rng: np.random.Generator) -> None:
    for dtype, bits in ((np.float32, np.uint32), (np.float64, np.uint64)):
        values = rng.integers(np.iinfo(bits).max, size=1000, dtype=bits).view(dtype)
        for value in values[np.isfinite(values)]:
            assert dtype(text.real(value, np.dtype(dtype)).rstrip("f")) == value


def test_the_same_network_gives_the_same_bytes_and_a_report(tmp_path: Path) -> None:
    net = fastmlp.Network([2, 3, 1], dtype="float64", random_state=0)
    report = net.to_c(tmp_path / "model.h")
    before = (tmp_path / "model.h").read_bytes()
    assert net.to_c(tmp_path / "model.h") == report
    assert (tmp_path / "model.h").read_bytes() == before
    assert report == CReport("float32", 256, report.max_error, report.rms_error, None, 4 * 13, 4 * 4)
    comment = before.decode().split("*/")[0]
    assert f"largest error {report.max_error:.3g}, root mean square {report.rms_error:.3g}" in comment
    assert "The network is float64: its parameters are rounded to float, by" in comment


def test_a_failed_export_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = fastmlp.Network([2, 3, 1], random_state=0)
    net.to_c(tmp_path / "model.h")
    before = (tmp_path / "model.h").read_bytes()

    def fail(*args: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError):  # noqa: PT011  # of any text
        net.to_c(tmp_path / "model.h", kind="float64")
    assert (tmp_path / "model.h").read_bytes() == before


@needs_gcc
@pytest.mark.parametrize("kind", [*FLOATS, *FIXED])
@pytest.mark.parametrize("scaling", [None, ([1.0, 2.0, 3.0], [0.5, 0.1, 2.0])], ids=["unscaled", "scaled"])
def test_what_stands_in_for_nan(tmp_path: Path, kind: str, scaling: Any) -> None:
    net = make_network(fastmlp.Network, [3, 6, 2], "tanh")
    arguments: dict[str, Any] = {"kind": kind, "calibration": X, "input_scaling": scaling}
    net.to_c(tmp_path / "model.h", input_fill=[0.7, np.nan, -1.1], **arguments)
    gaps = X.copy()
    gaps[::2, 0] = gaps[::3, 2] = np.nan
    filled = np.where(np.isnan(gaps), np.float32([0.7, 0, -1.1]), gaps)
    found = outputs_of(tmp_path, {"model": (kind, np.vstack([gaps, filled]))}, *WARNINGS)["model"]
    if kind == "float64":  # which has more digits of what stands in
        np.testing.assert_allclose(found[: len(X)], found[len(X) :], rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(found[: len(X)], found[len(X) :])
    header = (tmp_path / "model.h").read_text()
    assert "What stands in for NaN: 0 0.7, 2 -1.1" in header
    net.to_c(tmp_path / "plain.h", input_fill=[np.nan] * 3, **arguments)
    assert "isnan" not in (tmp_path / "plain.h").read_text()
    for fill in ([1.0], [np.inf, 1, 1]):
        with pytest.raises(ValueError, match="input_fill must be 3 number"):
            net.to_c(tmp_path / "model.h", input_fill=fill)
