"""Models of the command line: what ``predict``, ``evaluate``, ``info`` and ``export`` do with them, and their files."""

from __future__ import annotations

import copy
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_runs import QUICK, Captured, code, error_of, files_of, read, results, write, write_houses

import fastmlp
from fastmlp.errors import UserError
from fastmlp.reference import files
from fastmlp.tabular import layout, reading

pytestmark = pytest.mark.usefixtures("folder")

GOLDEN = Path(__file__).parent / "data"
FIRST = GOLDEN / "models-0"  # written by the first version of the command line


def train_price(*options: str) -> None:
    write_houses()
    assert code("train", "houses.csv", "--target", "price", "--quiet", "--drop", "dear", *options) == 0


def train_size(*options: str) -> None:
    write_houses()
    assert code("train", "houses.csv", "--target", "size", "--quiet", "--output", "size", *options) == 0


@pytest.mark.parametrize(
    ("version", "name", "data", "n_text"),
    [
        ("models-0", "classes", "flowers.csv", 1),
        ("models-0", "regression", "flowers.csv", 0),
        ("models-2", "size", "houses.csv", 1),  # with all kinds of columns, some of them imputed
        ("models-2", "price", "houses.csv", 0),
    ],
)
def test_files_of_every_version_predict_what_they_did(
    version: str, name: str, data: str, n_text: int, capsys: Captured
) -> None:
    folder = GOLDEN / version
    options = ("--probabilities",) if name == "size" else ()
    assert code("predict", str(folder / f"{name}.safetensors"), str(folder / data), *options) == 0
    header, *rows = read(capsys.readouterr().out)
    expected_header, *expected = read((folder / f"{name}.csv").read_text(encoding="utf-8"))
    assert header == expected_header
    assert [row[:n_text] for row in rows] == [row[:n_text] for row in expected]
    numbers, expected_numbers = (np.array([row[n_text:] for row in part], float) for part in (rows, expected))
    np.testing.assert_allclose(numbers, expected_numbers, rtol=1e-4, atol=1e-5)


def test_the_first_files_with_all_commands(capsys: Captured) -> None:
    classes, data = str(FIRST / "classes.safetensors"), str(FIRST / "flowers.csv")
    told = results(capsys, "evaluate", classes, data)
    assert told["metrics"]["accuracy"] > 0.9
    assert list(told["metrics"]) == ["accuracy"]  # scores are no probabilities
    assert error_of(capsys, "predict", classes, data, "--probabilities").endswith("its outputs are scores")
    assert results(capsys, "info", classes)["classes"] == ["aster", "iris, blue", "rose"]
    told = results(capsys, "evaluate", str(FIRST / "regression.safetensors"), data)
    assert told["metrics"]["RMSE"] < told["plainest_guess"]["RMSE"]
    assert code("export", classes, "scores.h") == 0


def test_predictions_of_classes_with_and_without_probabilities(capsys: Captured) -> None:
    train_size("--epochs", "30")
    capsys.readouterr()
    assert code("predict", "size", "houses.csv", "--output", "-") == 0
    plain = read(capsys.readouterr().out)
    assert plain[0] == ["size"]
    assert code("predict", "size", "houses.csv", "--probabilities", "--threads", "1") == 0
    full = read(capsys.readouterr().out)
    assert full[0] == ["size", "probability_large", "probability_medium", "probability_small"]
    assert [row[:1] for row in full] == plain
    assert code("predict", "size", "houses.csv", "--probabilities", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(map(str, row.values())) for row in rows] == full[1:]


def test_evaluation_of_numbers(capsys: Captured) -> None:
    train_price("--epochs", "60")
    told = results(capsys, "evaluate", "model.safetensors", "houses.csv")
    assert code("predict", "model.safetensors", "houses.csv", "--output", "out.csv") == 0
    y_hat = np.array(read(Path("out.csv").read_text())[1:], float)[:, 0]
    y = reading.read_table("houses.csv").numbers("price")
    error = y_hat - y
    expected = {
        "RMSE": np.sqrt((error**2).mean()),
        "MAE": np.abs(error).mean(),
        "R2": 1 - (error**2).sum() / ((y - y.mean()) ** 2).sum(),
    }
    assert told["metrics"] == pytest.approx(expected)
    assert told["rows"] == 120
    guess = y - layout.load("model.safetensors").guess
    assert told["plainest_guess"]["RMSE"] == pytest.approx(np.sqrt((guess**2).mean()))


@pytest.mark.parametrize("target", ["price", "size"])
def test_weights_of_an_evaluation_are_rows_that_are_there_so_often(target: str, capsys: Captured) -> None:
    train_price(*QUICK)
    train_size(*QUICK)
    model = "model.safetensors" if target == "price" else "size"
    header, *rows = read(Path("houses.csv").read_text(encoding="utf-8"))
    write("weighted.csv", [*header, "w"], [[*row, i % 3] for i, row in enumerate(rows)])
    write("repeated.csv", header, [row for i, row in enumerate(rows) for _ in range(i % 3)])
    weighted = results(capsys, "evaluate", model, "weighted.csv", "--weights", "w")
    repeated = results(capsys, "evaluate", model, "repeated.csv")
    for name in ("metrics", "plainest_guess"):
        assert weighted[name] == pytest.approx(repeated[name])
    assert weighted["metrics"] != results(capsys, "evaluate", model, "houses.csv")["metrics"]
    write("bad.csv", [*header, "w"], [[*row, i - 1] for i, row in enumerate(rows)])
    assert "bad.csv, line 2, column 'w': -1 is negative" in error_of(
        capsys, "evaluate", model, "bad.csv", "--weights=w"
    )
    write("bad.csv", [*header, "w"], [[*row, 0] for row in rows])
    assert "column 'w': all weights are 0" in error_of(capsys, "evaluate", model, "bad.csv", "--weights=w")


def test_predictions_as_parquet(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    train_size(*QUICK)
    options = ("predict", "size", "houses.csv", "--probabilities", "--output")
    assert code(*options, "out.csv") == code(*options, "out.parquet") == 0
    table = parquet.read_table("out.parquet")
    header, *rows = read(Path("out.csv").read_text(encoding="utf-8"))
    assert table.column_names == header
    assert [[str(cell) for cell in row.values()] for row in table.to_pylist()] == rows
    assert [str(field.type) for field in table.schema] == ["string", "double", "double", "double"]
    assert "leave out one of them" in error_of(capsys, *options, "out.parquet", "--json")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'fastmlp[parquet]'" in error_of(capsys, *options, "more.parquet")


def test_evaluation_of_classes(capsys: Captured) -> None:
    train_size("--epochs", "30")
    told = results(capsys, "evaluate", "size", "houses.csv")
    assert code("predict", "size", "houses.csv", "--probabilities", "--output", "out.csv") == 0
    header, *rows = read(Path("out.csv").read_text())
    sizes = reading.read_table("houses.csv").cells("size")
    p = [float(row[header.index(f"probability_{size}")]) for row, size in zip(rows, sizes, strict=True)]
    assert told["metrics"]["log_loss"] == pytest.approx(-np.log(p).mean())
    assert told["metrics"]["accuracy"] == np.mean([row[0] == size for row, size in zip(rows, sizes, strict=True)])
    pairs = [(size, row[0]) for row, size in zip(rows, sizes, strict=True)]
    names = ["large", "medium", "small"]
    assert told["confusion"] == [[pairs.count((a, b)) for b in names] for a in names]
    assert told["plainest_guess"]["log_loss"] > told["metrics"]["log_loss"]
    assert code("evaluate", "size", "houses.csv") == 0
    out = capsys.readouterr().out
    assert "always '" in out
    assert out.splitlines()[-4].split() == names
    assert [int(word) for word in out.splitlines()[-1].split()[1:]] == told["confusion"][2]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (("--at-least", "R2=-1e9", "--at-most", "rmse=1e9"), 0),
        (("--at-least", "R2=1.1"), 1),
        (("--at-most", "RMSE=0", "--at-most", "MAE=0"), 1),
    ],
)
def test_limits_of_metrics(limits: tuple[str, ...], expected: int, capsys: Captured) -> None:
    train_price(*QUICK)
    capsys.readouterr()
    assert code("evaluate", "model.safetensors", "houses.csv", *limits) == expected
    assert capsys.readouterr().out.count("FAILED: ") == (0 if expected == 0 else limits.count("--at-most") or 1)
    assert code("evaluate", "model.safetensors", "houses.csv", *limits, "--json") == expected
    assert bool(json.loads(capsys.readouterr().out)["failures"]) == bool(expected)


def test_what_is_in_a_model(capsys: Captured) -> None:
    train_price(*QUICK, "--ordinal", "size=small,medium,large", "--impute", "median", "--l2", "0.01", "--seed", "5")
    told = results(capsys, "info", "model.safetensors")
    assert told["layer_sizes"] == [6, 8, 1]
    assert told["activations"] == ["relu", "linear"]
    assert told["dtype"] == "float32"
    assert told["parameters"] == 65
    assert told["bytes"] == Path("model.safetensors").stat().st_size
    area, city, size, baths = told["features"]
    assert (area["name"], area["kind"], baths["kind"]) == ("area", "number", "number")
    assert city == {"name": "city", "kind": "one_hot", "values": ["Bergen", "Oslo", "Tromsø"], "fill": city["fill"]}
    assert size["values"] == ["small", "medium", "large"]
    training = told["training"]
    assert (training["epochs"], training["l2"], training["seed"]) == (3, 0.01, 5)
    assert (training["optimizer"], training["batch_size"], training["rows_trained_on"]) == ("adam", 32, 96)
    assert code("info", "model.safetensors") == 0
    out = capsys.readouterr().out
    for text in ("6-8-1, relu, linear, float32", "price, regression by squared_error", "small, medium, large", "adam"):
        assert text in out


def test_a_model_is_kept_whatever_its_metrics_are(capsys: Captured) -> None:
    train_price(*QUICK)
    model = layout.load("model.safetensors")
    model.training["validation_loss"] = np.inf
    model.training["metrics"]["test"].update(RMSE=np.inf, R2=np.nan, rows=1234567)
    layout.save(model, "model.safetensors")
    training = results(capsys, "info", "model.safetensors")["training"]
    assert training["validation_loss"] is training["metrics"]["test"]["R2"] is None
    assert code("info", "model.safetensors") == 0
    assert re.search(r"^test rows +rows 1234567, MAE \S+\n", capsys.readouterr().out, re.MULTILINE)


def test_what_is_in_a_network_without_columns(capsys: Captured) -> None:
    fastmlp.Network([2, 3, 1], bias=False).save("net")
    assert results(capsys, "info", "net")["layer_sizes"] == [2, 3, 1]
    assert code("info", "net") == 0
    assert "a network without columns" in capsys.readouterr().out


def test_a_network_without_columns_is_exported(capsys: Captured) -> None:
    from safetensors.numpy import load_file

    net = fastmlp.Network([2, 3, 1], random_state=0)
    net.save("net.safetensors")
    assert results(capsys, "export", "net.safetensors", "out.safetensors")["outputs"] == 1
    np.testing.assert_array_equal(load_file("out.safetensors")["W1"], net.weights[0])
    for ending in ("onnx", "h"):
        assert code("export", "net.safetensors", f"net.{ending}") == 0


def test_an_estimator_and_its_scaling_are_told_and_exported(capsys: Captured) -> None:
    pytest.importorskip("sklearn")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    estimator = fastmlp.MLPClassifier((3,), solver="lbfgs", max_iter=50, random_state=0)
    model = make_pipeline(StandardScaler(), estimator).fit([[0.0], [10.0], [20.0]], ["low", "low", "high"])
    fastmlp.save(model, "model.safetensors")
    found = results(capsys, "info", "model.safetensors")
    assert (found["estimator"], found["classes"]) == ("MLPClassifier after StandardScaler", ["high", "low"])
    assert code("info", "model.safetensors") == 0
    assert "MLPClassifier after StandardScaler\n" in capsys.readouterr().out
    assert results(capsys, "export", "model.safetensors", "model.onnx")["outputs"] == ["label", "probabilities"]
    assert code("export", "model.safetensors", "model.h") == 0
    fastmlp.to_c(model, "same.h")
    assert Path("model.h").read_bytes() == Path("same.h").read_bytes()
    assert "export onnx or c" in error_of(capsys, "export", "model.safetensors", "out.safetensors")


def test_exports_with_options_and_to_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    train_price(*QUICK)
    assert code("export", "model.safetensors", "a.h", "--name", "house", "--arithmetic", "float64") == 0
    assert "house_predict" in Path("a.h").read_text()
    assert "double" in Path("a.h").read_text()
    assert code("export", "model.safetensors", "b.h", "--arithmetic", "int8", "--calibration", "houses.csv") == 0
    assert "int8_t" in Path("b.h").read_text()
    capsysbinary.readouterr()
    for kind, ending in (("c", "h"), ("onnx", "onnx"), ("safetensors", "safetensors")):
        assert code("export", "model.safetensors", "-", "--to", kind) == 0
        out, err = capsysbinary.readouterr()
        assert code("export", "model.safetensors", f"out.{ending}") == 0
        assert out == Path(f"out.{ending}").read_bytes()
        assert not err
        capsysbinary.readouterr()


MISTAKES = [
    (("predict", "none", "houses.csv"), "none: No such file"),
    (("predict", ".", "houses.csv"), ".: "),
    (("predict", "houses.csv", "houses.csv"), "houses.csv: not a fastmlp model"),
    (("predict", "net", "houses.csv"), "net: a network without the names of its columns"),
    (("predict", "model.safetensors", "none.csv"), "none.csv: No such file"),
    (("predict", "model.safetensors", "other.csv"), "other.csv: no columns 'city', 'size', 'baths'; the columns are"),
    (("predict", "model.safetensors", "large.csv"), "large.csv, line 3, column 'area': 1e+60 is too large for float32"),
    (("predict", "model.safetensors", "houses.csv", "--output", "none/out.csv"), "none/out.csv: there is no folder"),
    (
        ("predict", "model.safetensors", "houses.csv", "--output", "model.safetensors"),
        "model.safetensors: this is what",
    ),
    (("predict", "model.safetensors", "houses.csv", "--probabilities"), "model.safetensors: this model has no --prob"),
    (("evaluate", "model.safetensors", "other.csv"), "other.csv: no column 'price'"),
    (("evaluate", "model.safetensors", "houses.csv", "--at-least", "accuracy=1"), "there is no metric 'accuracy' of"),
    (("evaluate", "size", "sizes.csv"), "sizes.csv, line 3, column 'size': 'huge' is none of the 3 classes"),
    (("info", "none"), "none: No such file"),
    (("info", "houses.csv"), "houses.csv: not a fastmlp model"),
    (("export", "model.safetensors", "model"), "model: say as what with --to, or end the name in .onnx, .h, .c"),
    (("export", "model.safetensors", "none/model.h"), "none/model.h: there is no folder"),
    (("export", "model.safetensors", "model.safetensors"), "model.safetensors: this is what is read from"),
    (("export", "model.safetensors", "m.onnx", "--name", "x"), "--name is for C, and this export is to onnx"),
    (("export", "model.safetensors", "m.h", "--arithmetic", "int8"), "--arithmetic int8 needs --calibration DATA"),
    (("export", "model.safetensors", "-", "--to", "c", "--json"), "--json and an output of - would both be on"),
    (("export", "none", "m.onnx"), "none: No such file"),
    (("export", "houses.csv", "m.safetensors"), "houses.csv: not a fastmlp model"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with models and tables to make mistakes with."""
    place = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        train_price(*QUICK)
        train_size(*QUICK)
        write("other.csv", ["area", "x"], [[1, 2], [3, 4]])
        write("large.csv", ["area", "city", "size", "baths"], [[1, "Oslo", "small", 1], [1e60, "Oslo", "small", 1]])
        header = ["area", "city", "baths", "dear", "price", "size"]
        write("sizes.csv", header, [[60, "Oslo", 1, "no", 1, "small"], [900, "Oslo", 1, "no", 1, "huge"]])
        fastmlp.Network([1, 1]).save("net")
    return place


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes(
    arguments: tuple[str, ...], message: str, models: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(models)
    before = files_of(models)
    assert error_of(capsys, *arguments).startswith(f"fastmlp: {message}")
    assert files_of(models) == before


def test_a_name_that_c_has_not(capsys: Captured) -> None:
    assert "argument --name: name '2' must be a C identifier" in error_of(capsys, "export", "m", "m.h", "--name", "2")


def test_a_limit_that_is_no_number(capsys: Captured) -> None:
    assert code("evaluate", "m", "d", "--at-least", "accuracy") == 2
    assert "'accuracy' is not a metric and a number" in capsys.readouterr().err


CHANGES: list[dict[str, Any]] = [
    {"version": 2},
    {"version": True},
    {"version": "1"},
    {"columns": None},
    {"columns": []},
    {"columns": ["a"]},
    {"columns": [{"name": 1, "kind": "number"}, {"name": "b", "kind": "number"}]},
    {"columns": [{"name": "a", "kind": "number"}]},
    {"columns": [{"name": "a", "kind": "number"}, {"name": "a", "kind": "number"}]},
    {"columns": [{"name": "a", "kind": "text"}, {"name": "b", "kind": "number"}]},
    {"columns": [{"name": "a", "kind": []}, {"name": "b", "kind": "number"}]},
    {"columns": [{"name": "a", "kind": "number", "fill": "x"}, {"name": "b", "kind": "number"}]},
    {"columns": [{"name": "a", "kind": "number", "fill": 10**400}, {"name": "b", "kind": "number"}]},
    {"columns": [{"name": "a", "kind": "one_hot", "values": ["x", 1]}]},
    {"columns": [{"name": "a", "kind": "one_hot", "values": ["x", "x"]}]},
    {"columns": [{"name": "a", "kind": "one_hot", "values": ["x", "y", "z"]}]},
    {"columns": [{"name": "a", "kind": "one_hot", "values": ["x", "y"], "fill": "z"}]},
    {"columns": [{"name": "a", "kind": "ordinal", "values": []}, {"name": "b", "kind": "number"}]},
    {"target": None},
    {"classes": ["a"] * 3},
    {"classes": ["a", "b"]},
    {"classes": {"a": 1}},
    {"inputs": None},
    {"inputs": {"mean": [0, 0], "scale": [1, 0]}},
    {"inputs": {"mean": [0, 0], "scale": [1]}},
    {"inputs": {"mean": [0, [0]], "scale": [1, 1]}},
    {"outputs": {"mean": ["x"], "scale": [1]}},
    {"outputs": {"mean": [10**400], "scale": [1]}},
    {"loss": None},
    {"loss": "log_loss"},
    {"loss": "poisson"},
    {"loss": "quantile(0.1, 0.9)"},
    {"loss": "huber(" + "(" * 300},
    {"guess": [1, 2]},
    {"guess": ["x"]},
    {"guess": 3},
    {"training": None},
    {"training": {"optimizer": ["adam"]}},
    {"training": {"metrics": 7}},
    {"training": {"metrics": {"test": 7}}},
    {"training": {"metrics": {"test": {"RMSE": "1"}}}},
    {"training": {"metrics": {"test": {"RMSE": 1.0, "plainest_guess": {"RMSE": [1]}}}}},
]


@pytest.mark.parametrize("changes", CHANGES, ids=range(len(CHANGES)))
def test_a_table_that_does_not_fit_is_refused(changes: dict[str, Any], capsys: Captured) -> None:
    write("t.csv", ["a", "b", "y"], [[i, i % 3, i] for i in range(20)])
    assert code("train", "t.csv", "--target", "y", *QUICK) == 0
    network, table = files.load("model.safetensors", fastmlp.Network)
    assert table is not None
    files.save(network, "model.safetensors", copy.deepcopy({**table, **changes}))
    with pytest.raises(UserError, match=r"^model\.safetensors: "):
        layout.load("model.safetensors")
    for command in (("info", "model.safetensors"), ("export", "model.safetensors", "m.h")):
        assert error_of(capsys, *command).startswith("fastmlp: model.safetensors: ")


@pytest.mark.parametrize("changes", [{"features": None}, {"features": 3}, {"features": ["a"]}, {"features": ["a", 1]}])
def test_a_first_table_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    network, table = files.load(FIRST / "regression.safetensors", fastmlp.Network)
    assert table is not None
    files.save(network, "model.safetensors", {**table, **changes})
    with pytest.raises(UserError, match=r"^model\.safetensors: the names of its columns"):
        layout.load("model.safetensors")
