"""Mistakes in what ``fastmlp train`` is given: one line that tells them, and nothing written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from command_runs import Captured, code, error_of, files_of, write_houses

pytestmark = pytest.mark.usefixtures("folder")

PRICE = ("train", "houses.csv", "--target", "price")
SIZE = ("train", "houses.csv", "--target", "size", "--drop", "dear")

MISTAKES = [
    (("train", "none.csv", "--target", "y"), "none.csv: No such file"),
    (("train", ".", "--target", "y"), ".: "),
    ((*PRICE, "--features", "area,b,c"), "houses.csv: no columns 'b', 'c'"),
    ((*PRICE, "--features", "area,price"), "--features names the column of --target, 'price'"),
    ((*PRICE, "--drop", "price"), "--drop names the column of --target, 'price'"),
    ((*PRICE, "--drop", "prize"), "houses.csv: no column 'prize'; did you mean 'price'"),
    ((*PRICE, "--weights", "price"), "--weights names the target 'price'"),
    ((*PRICE, "--weights", "size"), "houses.csv, line 2, column 'size': '"),
    ((*PRICE, "--features", "area", "--one-hot", "city"), "houses.csv: column 'city' is not among those"),
    ((*PRICE, "--one-hot", "city", "--ordinal", "city"), "column 'city' is in --one-hot and in --ordinal"),
    ((*PRICE, "--output", "none/model"), "none/model: there is no folder"),
    ((*PRICE, "--output", "."), ".: this is a folder"),
    ((*PRICE, "--output", "-"), "this output goes into a file"),
    ((*PRICE, "--output", "houses.csv"), "houses.csv: this is what is read from, and would be overwritten"),
    ((*PRICE, "--checkpoint", "none/run"), "none/run: there is no folder"),
    ((*PRICE, "--checkpoint", "model.safetensors"), "model.safetensors: the model and the checkpoint need a file each"),
    ((*PRICE, "--resume", "none"), "none: No such file"),
    ((*PRICE, "--resume", "houses.csv"), "houses.csv: "),
    (
        (*PRICE, "--optimizer", "sgd", "--learning-rate", "1e30"),
        "training diverged, nothing is saved: try a --learning",
    ),
    ((*PRICE, "--optimizer", "lm", "--learning-rate", "1"), "--optimizer lm finds its own steps: leave out --learning"),
    ((*PRICE, "--optimizer", "lbfgs", "--schedule", "step"), "--optimizer lbfgs finds its own steps: leave out --sch"),
    ((*PRICE, "--checkpoint-every", "3"), "--checkpoint-every is for a run with --checkpoint FILE"),
    (
        (*PRICE, "--optimizer", "rprop", "--schedule", "cosine"),
        "--optimizer rprop finds its own steps: leave out --schedule",
    ),
    ((*PRICE, "--optimizer", "rprop", "--batch-size", "8"), "--optimizer rprop takes all rows in each step: leave"),
    ((*PRICE, "--optimizer", "lm", "--dropout", "0.5"), "--optimizer lm has no --dropout"),
    ((*PRICE, "--optimizer", "lm", "--hidden", "2000,2000"), "not enough memory to train: --optimizer lm has"),
    ((*SIZE, "--optimizer", "lm"), "--optimizer lm is for --loss squared_error, and this is log_loss"),
    ((*PRICE, "--activation", "relu,tanh,relu"), "--activation has 3 names, and --hidden 2 layers"),
    ((*PRICE, "--hidden", "", "--dropout", "0.5"), "--dropout drops hidden activations"),
    ((*PRICE, "--optimizer", "rprop", "--learning-rate", "99"), "--learning-rate 99 is the first step of rprop"),
    ((*PRICE, "--loss", "log_loss"), "--loss log_loss is for classification, and the target 'price' makes this a regr"),
    ((*SIZE, "--loss", "huber"), "--loss huber is for regression, and the target 'size' makes this a classification"),
    ((*PRICE, "--class-weight", "balanced"), "--class-weight is for classification"),
    ((*PRICE, "--validation-fraction", "0.001"), "--validation-fraction 0.001 of 96 rows leaves none to validate"),
    ((*PRICE, "--task", "classification"), "houses.csv, column 'price'"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes(arguments: tuple[str, ...], message: str, capsys: Captured, folder: Path) -> None:
    write_houses(n=1200 if "--task" in arguments else 120)
    before = files_of(folder)
    capsys.readouterr()
    assert code(*arguments, "--quiet") == 2
    err = capsys.readouterr().err
    assert err.startswith(f"fastmlp: {message}")
    assert err.count("\n") == 1
    assert files_of(folder) == before


def test_a_solver_without_its_package(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    write_houses()
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    message = error_of(capsys, *PRICE, "--quiet", "--optimizer", "lbfgs")
    assert message.endswith("pip install 'fastmlp[scipy]'")


@pytest.mark.parametrize(
    "options",
    [
        ["--hidden", "64,x"],
        ["--hidden", "0"],
        ["--features", "a,,b"],
        ["--features", "a,a"],
        ["--drop", ""],
        ["--ordinal", "a=x,x"],
        ["--epochs", "0"],
        ["--batch-size", "-1"],
        ["--batch-size", "0"],
        ["--learning-rate", "0"],
        ["--learning-rate", "nan"],
        ["--test-fraction", "1"],
        ["--validation-fraction", "0"],
        ["--seed", "-1"],
        ["--threads", "0"],
        ["--threads", "2000"],
        ["--patience", "99999999999999999999"],
        ["--hidden", "99999999999999999999"],
        ["--activation", "softsine"],
        ["--activation", "relu(1)"],
        ["--loss", "square"],
        ["--loss", "huber(-1)"],
        ["--loss", "quantile(0.5, 0.5)"],
        ["--optimizer", "x"],
        ["--schedule", "x"],
        ["--dtype", "float16"],
        ["--task", "x"],
        ["--format", "xml"],
        ["--impute", "zero"],
        ["--dropout", "1"],
        ["--l2", "-1"],
        ["--l2=1", "--alpha=1"],
        ["--patience", "0"],
        ["--max-time", "0"],
        ["--checkpoint-every", "-1"],
        ["--class-weight", "x"],
        ["--unknown"],
        ["--epoch", "3"],
    ],
)
def test_options_outside_their_range(options: list[str], capsys: Captured, folder: Path) -> None:
    assert code("train", "t.csv", "--target", "y", *options) == 2
    err = capsys.readouterr().err
    assert options[0].split("=")[0] in err
    assert err.count("\n") == 1
    assert not os.listdir(folder)


def test_too_little_memory(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    write_houses()

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("fastmlp.cli.train.read_table", fail)
    assert error_of(capsys, *PRICE) == "fastmlp: not enough memory"
