"""The command line as a whole: help pages, exit codes, streams and pipes."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_runs import QUICK, Captured, code, results, run_script, start, write_houses

import fastmlp
from fastmlp import cli

pytestmark = pytest.mark.usefixtures("folder")

NAMES = [module.__name__.rpartition(".")[2] for module in cli.COMMANDS]


def help_page(capsys: Captured, *command: str) -> str:
    capsys.readouterr()
    assert code(*command, "--help") == 0
    return capsys.readouterr().out


def test_the_help_names_commands_and_exit_codes(capsys: Captured) -> None:
    text = help_page(capsys)
    assert all(f"    {name}" in text for name in NAMES)
    assert all(f"\n  {number} " in text for number in ("0", "1", "2", "130"))
    assert code("--version") == 0
    assert capsys.readouterr().out == f"fastmlp {fastmlp.__version__}\n"


@pytest.mark.parametrize("name", NAMES)
def test_every_help_page_ends_with_examples(name: str, capsys: Captured) -> None:
    text = help_page(capsys, name)
    _, examples = re.split(r"\nexamples?:\n", text)
    assert all(line.startswith(f"  fastmlp {name} ") or line == f"  fastmlp {name}" for line in examples.splitlines())
    body = text.partition("\n\n")[2].split("\nexample")[0]
    assert max(map(len, body.splitlines())) <= 80


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
def test_the_examples_of_help_pages_run(capsys: Captured) -> None:
    write_houses()
    commands = []
    for name in NAMES:  # train is the first: others take its models
        commands += re.findall(
            r"^  (fastmlp .*)$", re.split(r"\nexamples?:\n", help_page(capsys, name))[1], re.MULTILINE
        )
    assert len(commands) >= len(NAMES)
    commands.remove("fastmlp demo --threads 1")  # which test_demo.py runs
    run_script("\n".join(commands))


def test_options_are_grouped(capsys: Captured) -> None:
    text = help_page(capsys, "train")
    titles = re.findall(r"^(\w[\w ]*):$", text, re.MULTILINE)
    groups = ["columns", "network", "training", "validation and ends", "results"]
    assert titles == ["positional arguments", "options", *groups, "examples"]


@pytest.mark.parametrize("arguments", [(), ("trian",), ("train",), ("predict", "m"), ("bench", "--layers", "3")])
def test_mistakes_are_told_in_one_line(arguments: tuple[str, ...], capsys: Captured) -> None:
    assert code(*arguments) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert "--help tells more" in err


JSON = [
    ("train", "houses.csv", "--target", "price", *QUICK),
    ("evaluate", "model.safetensors", "houses.csv"),
    ("diagnose", "model.safetensors", "houses.csv"),
    ("info", "model.safetensors"),
    ("export", "model.safetensors", "model.onnx"),
    ("bench", "--seconds", "0.1", "--layers", "3,4,1"),
    ("examples", "1", "--trace"),
    ("activations",),
    ("doctor",),
]


def test_reports_as_json(capsys: Captured) -> None:
    write_houses()
    assert {command[0] for command in JSON} == {*NAMES} - {"demo", "predict"}  # tested by themselves
    for command in JSON:
        assert results(capsys, *command), command


def test_what_the_reports_of_machines_say(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert results(capsys, "activations")["relu"]["s"] == [0, 0, 0, 1, 2]
    assert all(check["agrees"] for check in results(capsys, "doctor")["checks"])
    told = results(capsys, "examples", "1", "2", "--trace")
    assert told["passed"]
    assert {row["example"] for row in told["comparisons"]} == {1, 2}
    assert list(told["traces"]) == ["1", "2"]
    monkeypatch.setattr(cli.demo, "EPOCHS", 1)
    assert code("demo", "--json", "--quiet", "--output", "net") == 1
    out, err = capsys.readouterr()
    assert not err
    assert len(json.loads(out)["failures"]) == 1
    monkeypatch.setattr(cli.doctor, "_gradient_error", lambda *_: float("nan"))
    assert code("doctor", "--json") == 1
    assert json.loads(capsys.readouterr().out)["checks"][0]["difference"] is None


def test_bench(capsys: Captured) -> None:
    base = ("bench", "--seconds", "0.2", "--threads", "1")
    options = ("--layers", "64,128,10", "--batch", "64", "--activation", "tanh", "--optimizer", "sgd")
    told = results(capsys, *base, *options, "--dtype", "float64")
    assert (told["layers"], told["batch"], told["dtype"], told["threads"]) == ([64, 128, 10], 64, "float64", 1)
    for name, flops in (("step", 64 * (6 * (64 * 128 + 1280) - 2 * 64 * 128)), ("predict_one", 2 * (64 * 128 + 1280))):
        row = told[name]
        assert row["gflops"] == pytest.approx(flops / row["microseconds"] / 1e3, rel=1e-3)
        assert row["share_of_peak"] == pytest.approx(row["gflops"] / told["peak_gflops"])
        assert 0.001 < row["share_of_peak"] < 1.5
    assert code(*base, "--batch", "1") == 0
    out = capsys.readouterr().out
    assert "step of 1 row, adam" in out
    assert out.count("predict, 1 row") == 1


def test_results_and_progress_have_streams_of_their_own(capsys: Captured) -> None:
    write_houses()
    assert code("train", "houses.csv", "--target", "price", "--epochs", "2") == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"epoch 2/2  loss \S+  \S+ s\n", err)
    assert "epoch 2/2" not in out
    assert code("train", "houses.csv", "--target", "price", "--epochs", "2", "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_exit_codes_of_processes() -> None:
    write_houses()
    train = ("train", "houses.csv", "--target", "price", *QUICK)
    limits = ("evaluate", "model.safetensors", "houses.csv", "--at-least", "R2=2")
    for command, expected in ((train, 0), (limits, 1), ((*train, "--epochs", "x"), 2), (("predict", "x", "y"), 2)):
        done = start(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert done.wait() == expected, command


@pytest.mark.skipif(os.name == "nt", reason="processes are interrupted in another way there")
def test_ctrl_c_in_a_process() -> None:
    write_houses()
    train = ("train", "houses.csv", "--target", "price", "--epochs", "100000000", "--checkpoint", "run")
    process = start(*train, "--checkpoint-every", "0.01", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not Path("run").exists():  # then it is in the middle of training
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"fastmlp: stopped; the network as it stands is in model.safetensors; --resume run goes on\n" in err
    assert code("info", "model.safetensors") == 0


def test_letters_that_a_terminal_does_not_show() -> None:
    write_houses()
    assert code("train", "houses.csv", "--target", "city", *QUICK, "--output", "ø.safetensors") == 0
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for options, expected in (((), "Bergen, Oslo, Troms\\xf8"), (("--json",), "Tromsø")):
        process = start("info", "ø.safetensors", *options, stdout=subprocess.PIPE, env=ascii_only)
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert expected in out.decode()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
@pytest.mark.parametrize("command", ["info net", "export net - --to c", "activations"])
def test_an_output_that_is_full_is_told_in_one_line(command: str) -> None:
    fastmlp.Network([2, 3, 1]).save("net")
    with open("/dev/full", "wb") as full:
        process = start(*shlex.split(command), stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (2, b"fastmlp: standard output: No space left on device\n")


@pytest.mark.skipif(os.name == "nt", reason="there are no such pipes")
@pytest.mark.parametrize(
    "command", ["predict model.safetensors houses.csv", "activations", "export model.safetensors - --to c"]
)
def test_a_reader_that_goes_away_is_no_trouble(command: str) -> None:
    write_houses(n=30_000)
    assert code("train", "houses.csv", "--target", "price", "--epochs", "1", "--quiet") == 0
    process = start(*shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 1
    process.stderr.close()


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
def test_pipes_from_and_to_commands() -> None:
    write_houses()
    script = f"""
    set -e
    cat houses.csv | {sys.executable} -m fastmlp train - --target price --quiet --epochs 2 > report
    cat houses.csv | {sys.executable} -m fastmlp predict model.safetensors - > piped.csv
    {sys.executable} -m fastmlp predict model.safetensors houses.csv --output file.csv
    cmp piped.csv file.csv
    """
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("report").read_text().endswith("saved in model.safetensors\n")
