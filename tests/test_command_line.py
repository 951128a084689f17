"""``fastmlp train`` and ``fastmlp predict``: what they do with good tables, and with every kind of bad one."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import tables
from fastmlp.cli import main, tabular
from fastmlp.data import load_digits
from fastmlp.errors import UserError
from fastmlp.reference import files

QUICK = ("--epochs", "3", "--hidden", "8", "--quiet")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with open(name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def code(*arguments: str) -> int:
    """Return the exit code of a command."""
    try:
        return main(arguments)
    except SystemExit as error:  # argparse ends the process itself
        return int(error.code or 0)


@pytest.fixture
def regression() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Write a smooth function of two of four columns, in units far from 0 and 1."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (400, 4)) * [1, 100, 1e-3, 1] + [0, 5000, 0, 0]
    X[:, 3] = 7.1  # a constant column
    y = 1000 + 50 * np.sin(3 * X[:, 0]) + 0.5 * (X[:, 1] - 5000)
    write("data.csv", ["a", "b", "c", "constant", "y"], np.column_stack([X, y]).tolist())
    return X, y


def metrics(out: str, part: str) -> list[float]:
    """Return the numbers of a line of the report."""
    line = next(line for line in out.splitlines() if line.startswith(part))
    return [float(word) for word in line.split()[1:]]


def test_regression(regression: Any, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = regression
    assert code("train", "data.csv", "--target", "y", "--epochs", "150", "--hidden", "32,16") == 0
    out, err = capsys.readouterr()
    assert "regression (inferred" in out
    assert "epoch 150/150" in err
    n, rmse, mae, r2 = metrics(out, "test")
    assert n == 80
    assert rmse < 0.2 * y.std()
    assert mae <= rmse
    assert r2 > 0.95
    assert code("predict", "model.safetensors", "data.csv") == 0
    header, *rows = read(capsys.readouterr().out)
    assert header == ["y"]
    y_hat = np.array(rows, float)[:, 0]
    assert np.sqrt(np.mean((y_hat - y) ** 2)) < 0.2 * y.std()
    # The file holds all that its predictions need.
    model = tabular.load("model.safetensors")
    Z = (X - model.inputs.mean) / model.inputs.scale
    net = fastmlp.load("model.safetensors")
    np.testing.assert_allclose(y_hat, net.predict(Z)[:, 0] * model.outputs.scale[0] + model.outputs.mean[0], rtol=1e-6)
    assert model.inputs.scale[3] == 1


def test_classification_of_numbered_classes(capsys: pytest.CaptureFixture[str]) -> None:
    X, labels = load_digits()
    write("digits.csv", [*(f"p{i}" for i in range(64)), "digit"], [[*x, k] for x, k in zip(X, labels, strict=True)])
    arguments = ["train", "digits.csv", "--target", "digit", "--task", "classification", "--quiet"]
    assert code(*arguments, "--epochs", "30", "--activation", "tanh", "--output", "digits") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert metrics(out, "test")[1] > 0.95
    assert code("predict", "digits", "digits.csv", "--output", "out.csv") == 0
    assert capsys.readouterr().out == ""
    header, *rows = read(Path("out.csv").read_text())
    assert header == ["digit", *(f"score_{k}" for k in range(10))]
    assert np.mean([row[0] == str(k) for row, k in zip(rows, labels, strict=True)]) > 0.95
    scores = np.array(rows, float)[:, 1:]
    assert [row[0] for row in rows] == [str(k) for k in scores.argmax(axis=1)]


def test_classification_of_names(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    names = np.where(X[:, 0] > 0, "größer, als", "less")
    write("data.csv", ["x", "noise", "class"], [[*x, name] for x, name in zip(X.tolist(), names, strict=True)])
    assert code("train", "data.csv", "--target", "class", "--features", "x", "--epochs", "40", "--quiet") == 0
    out = capsys.readouterr().out
    assert "classification" in out
    assert "inferred" in out
    assert metrics(out, "test")[1] > 0.9
    assert code("predict", "model.safetensors", "data.csv") == 0
    assert read(capsys.readouterr().out)[0] == ["class", "score_größer, als", "score_less"]


@pytest.mark.usefixtures("regression")
def test_the_same_seed_gives_the_same_file() -> None:
    for name, seed in (("one", "1"), ("two", "1"), ("three", "2")):
        assert code("train", "data.csv", "--target", "y", *QUICK, "--seed", seed, "--output", name) == 0
    assert Path("one").read_bytes() == Path("two").read_bytes() != Path("three").read_bytes()


@pytest.mark.usefixtures("regression")
def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--features",
        "b,a",
        "--optimizer",
        "sgd",
        "--dtype",
        "float64",
        "--test-fraction",
        "0",
        "--threads",
        "1",
    ]
    assert code("train", "data.csv", "--target", "y", *QUICK, *options, "--hidden", "", "--activation", "tanh") == 0
    assert "\ntest" not in capsys.readouterr().out
    model = tabular.load("model.safetensors")
    assert model.features == ["b", "a"]
    assert model.network.layer_sizes == (2, 1)
    assert model.network.dtype == np.float64


@pytest.mark.usefixtures("regression")
def test_columns_are_found_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert code("train", "data.csv", "--target", "y", *QUICK) == 0
    write("one.csv", ["a", "b", "c", "constant"], [[0.1, 5000, 0, 7.1]])
    write("other.csv", ["text", "constant", "b", "a", "c"], [["?", 7.1, 5000, 0.1, 0]])
    capsys.readouterr()
    assert code("predict", "model.safetensors", "one.csv") == code("predict", "model.safetensors", "other.csv") == 0
    _, first, _, second = capsys.readouterr().out.splitlines()
    assert first == second


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = "a,b\n" + "".join(f"{i},{i * i}\n" for i in range(50))
    for command in (["train", "-", "--target", "b", *QUICK], ["predict", "model.safetensors", "-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert code(*command) == 0
    out = capsys.readouterr().out
    assert out.startswith("standard input: 50 rows")
    assert "\nb\n" in out


@pytest.mark.parametrize(
    "text",
    [
        b"a,b\n1,2\n3,4\n",
        b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4\r\n\r\n\r\n",
        b'"a", b\n"1", 2 \n3,4',
        b"a,b\r1,2\r3,4\r",
    ],
)
def test_dialects(text: bytes) -> None:
    Path("t.csv").write_bytes(text)
    table = tables.read_csv("t.csv")
    assert table.names == ["a", "b"]
    assert table.matrix(["b", "a"]).tolist() == [[2, 1], [4, 3]]


GOOD = "1,2\n" * 5

BAD_TABLES = {
    b"": "t.csv: the file is empty",
    b"\n \n": "t.csv: the file is empty",
    b"a,y\n": "t.csv: there is a header and no rows",
    b"\na,y\n1,2\n": "t.csv, line 1: the line is empty",
    b"a,y\n1,2\n\n3,4\n": "t.csv, line 3: the line is empty, and more rows follow",
    b"a,y\n1,2\n1,2,3\n": "t.csv, line 3: 3 fields, and the header has 2 columns",
    b'a,y\n"1\n",2\n1\n': "t.csv, line 4: 1 fields, and the header has 2 columns",
    b"a,a,y\n1,2,3\n": "t.csv, line 1: there are two columns 'a'",
    b"a;y\n1;2\n": "t.csv, line 1: the fields must have commas between them",
    b"a,z\n1,2\n": "t.csv: no column 'y'; the columns are 'a', 'z'",
    b"a,yy\n1,2\n": "t.csv: no column 'y'; did you mean 'yy'?",
    b"y\n1\n2\n": "t.csv: there is no column besides the target 'y'",
    b",y\n1,2\n2,3\n": "t.csv, line 1: column 1 has no name",
    b"a,y\n1,2\nabc,4\n": "t.csv, line 3, column 'a': 'abc' is not a finite number",
    b"a,y\n1,2\n1_000,4\n": "t.csv, line 3, column 'a': '1_000' is not a finite number",
    b"a,y\n1,2\n ,4\n": "t.csv, line 3, column 'a': the cell is empty",
    b"a,y\nnan,2\n3,4\n": "t.csv, line 2, column 'a': 'nan' is not a finite number",
    b"a,y\n1,2\n-inf,4\n": "t.csv, line 3, column 'a': '-inf' is not a finite number",
    b"a,y\n1,2\n1e999,4\n": "t.csv, line 3, column 'a': '1e999' is not a finite number",
    b"a,y\n1,2\n3,\n": "t.csv, line 3, column 'y': the cell is empty",
    b"a,y\n1,2\n3,NaN\n": "t.csv, line 3, column 'y': 'NaN' is no number, as others are",
    b"a,y\n1,x\n3,x\n": "t.csv, column 'y': the only class is 'x'",
    b"a,y\n1,2\n\xff,4\n": "t.csv, line 3: not UTF-8 text: byte 0xff",
    b"a,y\n1,2\n3,\x004\n": "t.csv, line 3: a NUL character",
    b'a,y\n1,2\n"3,4\n': "t.csv, line 3: unexpected end of data",
    b'a,y\n1,2\n"3"x,4\n': "t.csv, line 3: ',' expected after '\"'",
    b"a,y\n1e308,2\n-1e308,4\n1e308,5\n-1e308,2\n": "t.csv: a feature column holds numbers too large, or",
}


@pytest.mark.parametrize(("text", "message"), BAD_TABLES.items(), ids=range(len(BAD_TABLES)))
def test_bad_tables(text: bytes, message: str, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    Path("t.csv").write_bytes(text)
    assert code("train", "t.csv", "--target", "y", *QUICK) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"fastmlp: {message}")
    assert err.count("\n") == 1
    assert os.listdir(folder) == ["t.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "none.csv", "--target", "y"], "none.csv: No such file"),
        (["train", ".", "--target", "y"], ".: "),
        (["train", "t.csv", "--target", "y", "--features", "a,b,c"], "t.csv: no columns 'b', 'c'"),
        (["train", "t.csv", "--target", "y", "--features", "a,y"], "--features names the target 'y'"),
        (["train", "t.csv", "--target", "y", "--output", "none/model"], "none/model: there is no folder"),
        (["train", "t.csv", "--target", "y", "--output", "."], ".: this is a folder"),
        (["train", "t.csv", "--target", "y", "--optimizer", "sgd", "--learning-rate", "1e30"], "training diverged"),
        (["predict", "none", "t.csv"], "none: No such file"),
        (["predict", ".", "t.csv"], ".: "),
        (["predict", "t.csv", "t.csv"], "t.csv: not a fastmlp model"),
        (["predict", "net", "t.csv"], "net: a network without the names of its columns"),
        (["predict", "model", "none.csv"], "none.csv: No such file"),
        (["predict", "model", "u.csv"], "u.csv: no columns 'a', 'b'; the columns are 'u', 'y'"),
        (["predict", "model", "large.csv"], "large.csv, line 3, column 'b': 1e+60 is too large for float32"),
        (["predict", "model", "t.csv", "--output", "none/out.csv"], "none/out.csv: there is no folder"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    write("t.csv", ["a", "y"], [[i, 2 * i] for i in range(20)])
    write("u.csv", ["u", "y"], [[1, 2], [3, 4]])
    write("large.csv", ["a", "b"], [[1, 2], [1, 1e60]])
    write("good.csv", ["a", "b", "y"], [[i, i % 3, i] for i in range(20)])
    fastmlp.Network([1, 1]).save("net")
    assert code("train", "good.csv", "--target", "y", *QUICK, "--output", "model") == 0
    before = {path: path.read_bytes() for path in folder.iterdir()}
    capsys.readouterr()
    assert code(*arguments) == 2
    err = capsys.readouterr().err
    assert err.splitlines()[-1].startswith(f"fastmlp: {message}")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "options",
    [
        ["--hidden", "64,x"],
        ["--hidden", "0"],
        ["--features", "a,,b"],
        ["--features", "a,a"],
        ["--epochs", "0"],
        ["--batch-size", "-1"],
        ["--learning-rate", "0"],
        ["--learning-rate", "nan"],
        ["--test-fraction", "1"],
        ["--seed", "-1"],
        ["--threads", "0"],
        ["--activation", "softsine"],
        ["--optimizer", "x"],
        ["--dtype", "float16"],
        ["--task", "x"],
        ["--unknown"],
    ],
)
def test_options_outside_their_range(options: list[str], capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert code("train", "t.csv", "--target", "y", *options) == 2
    assert options[0] in capsys.readouterr().err
    assert not os.listdir(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"features": None},
        {"features": 3},
        {"features": ["a"]},
        {"features": ["a", 1]},
        {"target": None},
        {"classes": ["a"] * 3},
        {"inputs": None},
        {"inputs": {"mean": [0, 0], "scale": [1, 0]}},
        {"inputs": {"mean": [0, 0], "scale": [1]}},
        {"inputs": {"mean": [0, [0]], "scale": [1, 1]}},
        {"outputs": {"mean": ["x"], "scale": [1]}},
        {"outputs": {"mean": [10**400], "scale": [1]}},
    ],
)
def test_a_model_with_wrong_columns_is_refused(changes: dict[str, Any]) -> None:
    write("t.csv", ["a", "b", "y"], [[i, i % 3, i] for i in range(20)])
    assert code("train", "t.csv", "--target", "y", *QUICK) == 0
    network, table = files.load("model.safetensors", fastmlp.Network)
    assert table is not None
    files.save(network, "model.safetensors", json.loads(json.dumps({**table, **changes})))
    with pytest.raises(UserError, match=r"model\.safetensors: the (names|scaling) of its columns"):
        tabular.load("model.safetensors")


@pytest.mark.skipif(os.name == "nt", reason="no signal reaches one thread there")
def test_ctrl_c_saves_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    write("t.csv", ["a", "y"], [[i, i % 7] for i in range(200)])
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        assert code("train", "t.csv", "--target", "y", "--epochs", "100000000", "--quiet") == 130
    finally:
        timer.cancel()
    assert capsys.readouterr().err == "fastmlp: stopped; the network as it stands is in model.safetensors\n"
    assert code("predict", "model.safetensors", "t.csv") == 0


def test_an_output_that_would_overwrite_an_input_is_refused(
    regression: object, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("data.csv").read_bytes()
    assert code("train", "data.csv", "--target", "y", *QUICK, "--output", "data.csv") == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert Path("data.csv").read_bytes() == before
    assert code("train", "data.csv", "--target", "y", *QUICK, "--output", "m.safetensors") == 0
    model = Path("m.safetensors").read_bytes()
    assert code("predict", "m.safetensors", "data.csv", "--output", "m.safetensors") == 2
    assert Path("m.safetensors").read_bytes() == model


def test_a_missing_value_among_classes_is_no_class(capsys: pytest.CaptureFixture[str]) -> None:
    write("data.csv", ["x", "y"], [[1, "lo"], [2, "hi"], [3, "nan"], [4, "lo"]])
    assert code("train", "data.csv", "--target", "y", *QUICK) == 2
    error = capsys.readouterr().err
    assert "line 4" in error
    assert "missing value" in error
