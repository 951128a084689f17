"""Runs of the command line that end early, and go on."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from command_runs import (
    PRICE,
    QUICK,
    Captured,
    code,
    error_of,
    read,
    results,
    write,
    write_houses,
)

from fastmlp.reference.checkpoints import read as read_checkpoint
from fastmlp.tabular import layout

pytestmark = pytest.mark.usefixtures("folder")


def test_early_stopping(capsys: Captured) -> None:
    write_houses()
    base = (*PRICE, "--quiet", "--epochs", "100000", "--hidden", "16", "--learning-rate", "0.02")
    told = results(capsys, *base, "--early-stopping")
    assert "validation_loss has not improved for 20 epochs" in told["end"]
    assert 20 < told["epochs"] < 100_000
    short = results(capsys, *base, "--patience", "2", "--validation-fraction", "0.3")
    assert "has not improved for 2 epochs" in short["end"]
    assert short["epochs"] < told["epochs"]
    training = layout.load("model.safetensors").training
    assert training["epochs"] == short["epochs"]
    assert training["validation_loss"] > 0


def test_a_limit_of_time(capsys: Captured) -> None:
    write_houses()
    told = results(capsys, *PRICE, "--quiet", "--epochs", "100000000", "--max-time", "0.3")
    assert told["end"].startswith("max_time of 0.3 s was over")
    assert 0.25 < told["seconds"] < 5


def test_a_limit_of_time_within_the_first_epoch(capsys: Captured) -> None:
    write("t.csv", ["x", "y"], [[i, i] for i in range(20_000)])
    options = ("--hidden", "500,500,500", "--batch-size", "2", "--max-time", "0.2")
    told = results(capsys, "train", "t.csv", "--target", "y", "--quiet", *options)
    assert (told["epochs"], told["loss"]) == (0, None)
    assert told["end"] == "max_time of 0.2 s was over after epoch 0"


def test_a_run_that_goes_on_is_one_that_was_never_interrupted(capsys: Captured) -> None:
    write_houses()
    base = (*PRICE, "--quiet", "--dropout", "0.1", "--validation-fraction", "0.2", "--schedule", "exponential")
    checkpoint = ("--checkpoint", "run", "--checkpoint-every", "0")
    assert code(*base, "--epochs", "12", *checkpoint, "--output", "whole") == 0
    assert code(*base, "--epochs", "5", *checkpoint, "--output", "half") == 0
    assert read_checkpoint("run")["epoch"] == 5
    assert code(*base, "--epochs", "12", "--resume", "run", "--output", "resumed") == 0
    assert Path("resumed").read_bytes() == Path("whole").read_bytes() != Path("half").read_bytes()
    write("houses.csv", *_changed(read(Path("houses.csv").read_text(encoding="utf-8"))))
    message = error_of(capsys, *base, "--epochs", "12", "--resume", "run")
    assert "run: the checkpoint of a run with other data" in message


OTHER_RUNS = [
    (("--optimizer", "sgd"), "--optimizer: adam there, sgd here"),
    (("--learning-rate", "0.1"), "--learning-rate: 0.001 there, 0.1 here"),
    (("--l2", "0.1"), "--l2 or --alpha: 0.0 there, 0.1 here"),
    (("--batch-size", "8"), "--batch-size: 32 there, 8 here"),
    (("--hidden", "5"), "--hidden, or other columns"),
    (("--activation", "tanh"), "--activation, or other classes"),
    (("--dropout", "0.1"), "--dropout"),
    (("--loss", "huber"), "--loss: squared_error there, huber here"),
    (("--dtype", "float64"), "--dtype: float32 there, float64 here"),
    (("--test-fraction", "0.3"), "number of rows, or another --test-fraction: 96 there, 84 here"),
    (("--validation-fraction", "0.2"), "--validation-fraction: 0 there, 19 here"),
    (("--schedule", "constant"), "--schedule"),
    (("--early-stopping",), "--validation-fraction: 0 there, 10 here"),
]


def test_what_another_run_has_other_is_told_by_its_option(capsys: Captured) -> None:
    write_houses()
    assert code(*PRICE, *QUICK, "--schedule", "cosine", "--checkpoint", "run") == 0
    message = error_of(capsys, *PRICE, "--hidden", "8", "--quiet", "--schedule", "cosine", "--resume", "run")
    assert message.startswith("fastmlp: run: the checkpoint of a run with other --epochs, and --schedule cosine is as")
    assert code(*PRICE, *QUICK, "--checkpoint", "run") == 0
    for options, told in OTHER_RUNS:
        message = error_of(capsys, *PRICE, *QUICK, *options, "--resume", "run")
        assert message.startswith(f"fastmlp: run: the checkpoint of a run with another {told}")


def _changed(rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    header, first, *others = rows
    return header, [["77", *first[1:]], *others]


@pytest.mark.skipif(os.name == "nt", reason="no signal reaches one thread there")
def test_ctrl_c_saves_what_is_there(capsys: Captured) -> None:
    write_houses()
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        assert code(*PRICE, "--epochs", "100000000", "--quiet") == 130
    finally:
        timer.cancel()
    assert capsys.readouterr().err == "fastmlp: stopped; the network as it stands is in model.safetensors\n"
    assert code("predict", "model.safetensors", "houses.csv") == 0
    assert layout.load("model.safetensors").training["end"] == "stopped by Ctrl-C"


@pytest.mark.skipif(os.name == "nt", reason="no signal reaches one thread there")
def test_ctrl_c_leaves_a_checkpoint_that_goes_on(capsys: Captured) -> None:
    write_houses()
    base = (*PRICE, "--quiet", "--dropout", "0.1", "--hidden", "8")
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        assert code(*base, "--epochs", "100000000", "--checkpoint", "run", "--checkpoint-every", "1000") == 130
    finally:
        timer.cancel()
    assert capsys.readouterr().err.endswith("is in model.safetensors; --resume run goes on\n")
    done = read_checkpoint("run")["epoch"]
    assert code(*base, "--epochs", str(done + 5), "--resume", "run", "--output", "resumed") == 0
    assert code(*base, "--epochs", str(done + 5), "--output", "whole") == 0
    assert Path("resumed").read_bytes() == Path("whole").read_bytes()
