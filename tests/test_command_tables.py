"""Tables of the command line: what is read, what columns become, and the place of every mistake."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_runs import QUICK, Captured, code, error_of, read, results, write, write_houses

from fastmlp.tabular import layout, reading

pytestmark = pytest.mark.usefixtures("folder")


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
    table = reading.read_table("t.csv")
    assert table.names == ["a", "b"]
    assert [table.numbers(name).tolist() for name in "ba"] == [[2, 4], [1, 3]]


BROKEN = {
    b"": "t.csv: the file is empty",
    b"\n \n": "t.csv: the file is empty",
    b"a,y\n": "t.csv: there is a header and no rows",
    b"\na,y\n1,2\n": "t.csv, line 1: the line is empty",
    b"a,y\n1,2\n\n3,4\n": "t.csv, line 3: the line is empty, and more rows follow",
    b"a,y\n1,2\n1,2,3\n": "t.csv, line 3: 3 fields, and the header has 2 columns: '3' is after the last one, 'y'",
    b'a,y\n"1\n",2\n1\n': "t.csv, line 4: 1 fields, and the header has 2 columns: there is none for column 'y'",
    b"a,a,y\n1,2,3\n": "t.csv, line 1: there are two columns 'a'",
    b"a;y\n1;2\n": "t.csv, line 1: the fields must have commas between them",
    b"a,z\n1,2\n": "t.csv: no column 'y'; the columns are 'a', 'z'",
    b"a,yy\n1,2\n": "t.csv: no column 'y'; did you mean 'yy'?",
    b"y\n1\n2\n": "t.csv: there is no column besides the target 'y'",
    b",y\n1,2\n2,3\n": "t.csv, line 1: column 1 has no name",
    b"a,y\n1,2\nabc,4\n": "t.csv, line 3, column 'a': 'abc' is not a finite number, as '1' in line 2 is: --one-hot a",
    b"a,y\n1,2\n1_000,4\n": "t.csv, line 3, column 'a': '1_000' is not a finite number",
    b"a,y\n1,2\n ,4\n": "t.csv, line 3, column 'a': the cell is empty: fill it in, or let --impute mean or median or",
    b"a,y\nnan,2\n3,4\n": "t.csv, line 2, column 'a': 'nan' stands for a missing value: fill it in, or let --impute",
    b"a,y\nx,2\nNULL,4\n": "t.csv, line 3, column 'a': 'NULL' stands for a missing value",
    b"a,y\n1,2\n-inf,4\n": "t.csv, line 3, column 'a': '-inf' is not a finite number",
    b"a,y\n1,2\n1e999,4\n": "t.csv, line 3, column 'a': '1e999' is not a finite number",
    b"a,y\n1,2\n3,\n": "t.csv, line 3, column 'y': the cell is empty",
    b"a,y\n1,2\n3,NaN\n": "t.csv, line 3, column 'y': 'NaN' is no number, as others are",
    b"a,y\n1,x\n3,x\n": "t.csv, column 'y': the only class is 'x'",
    b"a,y\n1,lo\n2,hi\n3,n/a\n": "t.csv, line 4, column 'y': 'n/a' stands for a missing value: leave the row out",
    b"a,y\n1,2\n\xff,4\n": "t.csv, line 3: not UTF-8 text: byte 0xff",
    b"a,y\n1,2\n3,\x004\n": "t.csv, line 3: a NUL character",
    b'a,y\n1,2\n"3,4\n': "t.csv, line 3: unexpected end of data",
    b'a,y\n1,2\n"3"x,4\n': "t.csv, line 3: ',' expected after '\"'",
    b"a,y\n1e308,2\n-1e308,4\n1e308,5\n-1e308,2\n": "t.csv: a feature column holds numbers too large, or",
    b"a,y\n"
    + b"".join(b"v%d,1\n" % i for i in range(40)): "t.csv, column 'a': text of 32 different values, and 20 are "
    "the most for one input each: --ordinal a takes their order, --drop a leaves the column out",
}


@pytest.mark.parametrize(("text", "message"), BROKEN.items(), ids=range(len(BROKEN)))
def test_broken_tables(text: bytes, message: str, capsys: Captured, folder: Path) -> None:
    Path("t.csv").write_bytes(text)
    assert error_of(capsys, "train", "t.csv", "--target", "y", *QUICK).startswith(f"fastmlp: {message}")
    assert os.listdir(folder) == ["t.csv"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    text = "a,b\n" + "".join(f"{i},{i * i}\n" for i in range(50))
    for command in (["train", "-", "--target", "b", *QUICK], ["predict", "model.safetensors", "-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert code(*command) == 0
    out = capsys.readouterr().out
    assert out.startswith("standard input: 50 rows")
    assert "\nb\n" in out


def test_parquet_gives_the_model_that_csv_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    write("t.csv", ["x", "kind", "ok", "y"], [[i / 7, "ab"[i % 2], ["true", "false"][i % 3 > 0], i] for i in range(40)])
    columns: dict[str, Any] = {
        "x": pa.array([i / 7 for i in range(40)]),
        "kind": pa.array(["ab"[i % 2] for i in range(40)]).dictionary_encode(),
        "ok": [i % 3 == 0 for i in range(40)],
        "y": pa.array(range(40), pa.int16()),
    }
    parquet.write_table(pa.table(columns), "t.parquet")
    shutil.copy("t.parquet", "other")
    for data, options in (("t.csv", ()), ("t.parquet", ()), ("other", ("--format", "parquet"))):
        assert code("train", data, "--target", "y", *QUICK, *options, "--output", data + ".model") == 0
    assert Path("t.csv.model").read_bytes() == Path("t.parquet.model").read_bytes() == Path("other.model").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("t.parquet").read_bytes())))
    assert code("predict", "t.csv.model", "-", "--format", "parquet", "--output", "p.csv") == 0
    assert code("predict", "t.csv.model", "t.csv", "--output", "q.csv") == 0
    assert Path("p.csv").read_bytes() == Path("q.csv").read_bytes()


def test_mistakes_in_parquet(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    for columns, message in (
        ({"a": [1.0, None], "y": [1, 2]}, "t.pq, row 2, column 'a': the cell is empty"),
        ({"a": [1.0, float("nan")], "y": [1, 2]}, "t.pq, row 2, column 'a': 'nan' stands for a missing value"),
        ({"a": [[1], [2]], "y": [1, 2]}, "t.pq, column 'a': cells of type list"),
        ({"a": pa.array([], pa.int8()), "y": pa.array([], pa.int8())}, "t.pq: there are columns and no rows"),
    ):
        parquet.write_table(pa.table(columns), "t.pq")
        assert error_of(capsys, "train", "t.pq", "--target", "y", *QUICK).startswith(f"fastmlp: {message}")
    Path("t.pq").write_bytes(b"a,y\n1,2\n")
    assert "t.pq: not a Parquet file" in error_of(capsys, "train", "t.pq", "--target", "y")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'fastmlp[parquet]'" in error_of(capsys, "train", "t.pq", "--target", "y")


def test_text_becomes_one_input_per_value(capsys: Captured) -> None:
    write_houses()
    assert code("train", "houses.csv", "--target", "price", *QUICK, "--drop", "size,dear") == 0
    assert "  city: one input for each of 3 values: Bergen, Oslo, Tromsø\n" in capsys.readouterr().out
    model = layout.load("model.safetensors")
    assert model.input_names == ["area", "city=Bergen", "city=Oslo", "city=Tromsø", "baths"]
    X, unknown = model.encode(reading.read_table("houses.csv"))
    assert X[:3, 1:4].tolist() == np.eye(3).tolist()
    assert not unknown


def test_unknown_values(capsys: Captured) -> None:
    write_houses()
    write("new.csv", ["area", "city", "baths"], [[50, "Oslo", 1], [50, "Bodø", 1], [50, "Bodø", 2]])
    assert code("train", "houses.csv", "--target", "price", *QUICK, "--features", "area,city,baths") == 0
    capsys.readouterr()
    assert code("predict", "model.safetensors", "new.csv") == 0
    out, err = capsys.readouterr()
    assert err == (
        "fastmlp: warning: column 'city': 2 rows have a value that no training row has; their inputs are 0\n"
    )
    model = layout.load("model.safetensors")
    X, _ = model.encode(reading.read_table("new.csv"))
    assert X[1, 1:4].tolist() == [0, 0, 0]
    np.testing.assert_allclose(np.array(read(out)[1:], float), model.predict(X))
    assert code("predict", "model.safetensors", "new.csv", "--quiet") == 0
    assert capsys.readouterr().err == ""
    options = ("--features", "area,city,baths", "--ordinal", "city")
    assert code("train", "houses.csv", "--target", "price", *QUICK, *options) == 0
    message = error_of(capsys, "predict", "model.safetensors", "new.csv")
    assert message == (
        "fastmlp: new.csv, line 3, column 'city': 'Bodø' has no place in the order 'Bergen', 'Oslo', 'Tromsø'"
    )


def test_a_value_of_test_rows_alone_is_told(capsys: Captured) -> None:
    write("t.csv", ["x", "kind", "y"], [[i, "b" if i == 7 else "a", i] for i in range(20)])
    told = [
        code("train", "t.csv", "--target", "y", "--epochs", "1", "--seed", str(seed)) or capsys.readouterr().err
        for seed in range(12)
    ]
    warned = [err for err in told if "1 test row has a value that no training row has; its inputs are 0" in err]
    assert 0 < len(warned) < 12


def test_orders(capsys: Captured) -> None:
    write_houses()
    base = ("train", "houses.csv", "--target", "price", "--drop", "city,dear", *QUICK)
    assert code(*base, "--ordinal", "size=small,medium,large", "--ordinal", "baths") == 0
    size, baths = layout.load("model.safetensors").columns[1:]
    assert (size.kind, size.values) == ("ordinal", ["small", "medium", "large"])  # type: ignore[attr-defined]
    assert baths.values == ["1", "2", "3"]  # type: ignore[attr-defined]
    table = reading.read_table("houses.csv")
    places = size.encode(table)[:, 0]
    assert [["small", "medium", "large"][int(place)] for place in places] == table.cells("size")
    message = error_of(capsys, *base, "--ordinal", "size=small,large")
    assert message.endswith("column 'size': 'medium' has no place in the order 'small', 'large'")


def test_a_word_for_missing_values_is_a_value_of_an_order_that_has_it(capsys: Captured) -> None:
    write("t.csv", ["fence", "y"], [[word, i] for i, word in enumerate(["None", "low", "high", ""] * 5)])
    base = ("train", "t.csv", "--target", "y", *QUICK, "--ordinal", "fence=None,low,high")
    assert "line 5, column 'fence': the cell is empty" in error_of(capsys, *base)
    assert code(*base, "--impute", "median") == 0
    [fence] = layout.load("model.safetensors").columns
    stand_in = ["None", "low", "high"].index(str(fence.fill))
    assert fence.encode(reading.read_table("t.csv"))[:4, 0].tolist() == [0, 1, 2, stand_in]
    assert "'None' stands for a missing value" in error_of(capsys, "train", "t.csv", "--target", "y", *QUICK)


def test_numbers_as_one_input_per_value(capsys: Captured) -> None:
    write("t.csv", ["shop", "y"], [[i % 25, i] for i in range(200)])
    assert code("train", "t.csv", "--target", "y", *QUICK, "--one-hot", "shop") == 0
    assert layout.load("model.safetensors").input_names == [f"shop={i}" for i in range(25)]
    write("t.csv", ["shop", "y"], [[i, i] for i in range(1300)])
    message = error_of(capsys, "train", "t.csv", "--target", "y", *QUICK, "--one-hot", "shop")
    assert "1040 different values, and 1000 are the most" in message


@pytest.mark.parametrize(("how", "number"), [("mean", 2.75), ("median", 2), ("most_frequent", 1)])
def test_missing_values_are_filled(how: str, number: float, capsys: Captured) -> None:
    rows = [[1, "a", 1], ["", "b", 2], [1, "b", 3], [6, "NA", 4], [3, "b", 5], ["NaN", "b", 6]]
    write("t.csv", ["x", "kind", "y"], rows)
    assert code("train", "t.csv", "--target", "y", *QUICK, "--test-fraction", "0", "--impute", how) == 0
    model = layout.load("model.safetensors")
    assert [column.fill for column in model.columns] == [number, "b"]
    X, unknown = model.encode(reading.read_table("t.csv"))
    np.testing.assert_allclose(X[1, 0] * model.inputs.scale[0] + model.inputs.mean[0], number, rtol=1e-6)
    assert X[3, 1:].tolist() == [0, 1]
    assert not unknown
    write("new.csv", ["kind", "x"], [["", ""], ["b", number]])
    capsys.readouterr()
    assert code("predict", "model.safetensors", "new.csv") == 0
    _, first, second = capsys.readouterr().out.splitlines()
    assert first == second


def test_a_missing_value_of_a_model_without_imputation(capsys: Captured) -> None:
    write("t.csv", ["x", "kind", "y"], [[i, "ab"[i % 2], i] for i in range(9)])
    assert code("train", "t.csv", "--target", "y", *QUICK) == 0
    for row, message in (([1, "NA"], "column 'kind': 'NA' stands"), (["", "a"], "column 'x': the cell is empty")):
        write("new.csv", ["x", "kind"], [[1, "a"], row])
        told = error_of(capsys, "predict", "model.safetensors", "new.csv")
        assert told.startswith(f"fastmlp: new.csv, line 3, {message}")
        assert "trained without --impute" in told
    write("new.csv", ["x", "kind"], [["one", "a"]])
    assert "line 2, column 'x': 'one' is not a finite number" in error_of(
        capsys, "predict", "model.safetensors", "new.csv"
    )


def test_a_column_without_any_value(capsys: Captured) -> None:
    write("t.csv", ["x", "none", "y"], [[i, "", i] for i in range(9)])
    message = error_of(capsys, "train", "t.csv", "--target", "y", *QUICK, "--impute", "mean")
    assert message == "fastmlp: t.csv, column 'none': no row to train on has a value: --drop none leaves it out"
    assert code("train", "t.csv", "--target", "y", *QUICK, "--drop", "none") == 0


def test_columns_are_found_by_name(capsys: Captured) -> None:
    write_houses()
    assert code("train", "houses.csv", "--target", "price", *QUICK, "--features", "area,size") == 0
    write("one.csv", ["area", "size"], [[70, "small"]])
    write("other.csv", ["text", "size", "area"], [["?", "small", 70]])
    capsys.readouterr()
    assert code("predict", "model.safetensors", "one.csv") == code("predict", "model.safetensors", "other.csv") == 0
    _, first, _, second = capsys.readouterr().out.splitlines()
    assert first == second


def test_a_target_of_few_whole_numbers_may_be_classes(capsys: Captured) -> None:
    write_houses()
    assert code("train", "houses.csv", "--target", "baths", *QUICK) == 0
    assert "regression (inferred from its cells; --task classification takes its numbers" in capsys.readouterr().out
    told = results(capsys, "train", "houses.csv", "--target", "baths", *QUICK, "--task", "classification")
    assert told["classes"] == ["1", "2", "3"]
    assert json.dumps(told["metrics"])


def test_a_missing_class_may_be_asked_for() -> None:
    write("t.csv", ["x", "y"], [[i, ["lo", "nan"][i % 2]] for i in range(20)])
    assert code("train", "t.csv", "--target", "y", *QUICK, "--task", "classification") == 0
    assert layout.load("model.safetensors").classes == ["lo", "nan"]
