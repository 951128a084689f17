"""Commands and their tables: what the tests of the command line share."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp.cli import main

PRICE = ("train", "houses.csv", "--target", "price")
QUICK = ("--epochs", "3", "--hidden", "8", "--quiet")

Captured = pytest.CaptureFixture[str]


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file."""
    with open(name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def read(text: str) -> list[list[str]]:
    """Read a CSV file's text."""
    return list(csv.reader(io.StringIO(text)))


def code(*arguments: str) -> int:
    """Return the exit code of a command."""
    try:
        return main(arguments)
    except SystemExit as error:  # argparse ends the process itself
        return int(error.code or 0)


def results(capsys: Captured, *arguments: str) -> dict[str, Any]:
    """Run a command with --json that ends well, and return its object."""
    capsys.readouterr()
    assert code(*arguments, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def error_of(capsys: Captured, *arguments: str) -> str:
    """Run a command that ends for a mistake of its user, and return the one line that tells it."""
    capsys.readouterr()
    assert code(*arguments) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1, err
    assert "saved in" not in out
    return err.strip()


def metrics(out: str, part: str) -> list[float]:
    """Return the numbers of a line of the report."""
    line = next(line for line in out.splitlines() if line.startswith(part))
    return [float(word) for word in line.split()[1:]]


def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "fastmlp", *arguments], **options)


def run_script(script: str) -> None:
    """Run the lines of a shell script, those of fastmlp alone in this process, where Python has started already."""
    for line, words in lines_of(script):
        if words[0] == "fastmlp" and not {"<", ">", "|"} & set(words):
            assert code(*words[1:]) == 0, line
        else:
            done = subprocess.run(["sh", "-ec", line], env=environment(), capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr + done.stdout


def lines_of(script: str) -> Iterator[tuple[str, list[str]]]:
    """Return the lines of a shell script and their words; a line goes on where a quotation does."""
    text = ""
    for line in script.replace("\\\n", " ").splitlines():
        text += line + "\n"
        try:
            words = shlex.split(text, comments=True)
        except ValueError:  # the quotation has no end yet
            continue
        if words:
            yield text, words
        text = ""
    assert not text


def write_regression() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Write a smooth function of two of four columns, in units far from 0 and 1, to data.csv."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (400, 4)) * [1, 100, 1e-3, 1] + [0, 5000, 0, 0]
    X[:, 3] = 7.1  # a constant column
    y = 1000 + 50 * np.sin(3 * X[:, 0]) + 0.5 * (X[:, 1] - 5000)
    write("data.csv", ["a", "b", "c", "constant", "y"], np.column_stack([X, y]).tolist())
    return X, y


def write_houses(name: str = "houses.csv", n: int = 120) -> None:
    """Write a table of numbers, text and classes."""
    rng = np.random.default_rng(1)
    cities = ["Bergen", "Oslo", "Tromsø"]
    rows = []
    for i in range(n):
        area, city = float(rng.integers(30, 200)), cities[i % 3]
        size = "small" if area < 80 else "medium" if area < 140 else "large"
        price = round(area * (30 + 10 * (i % 3)) + 200 * float(rng.normal()), 1)
        rows.append([area, city, size, int(rng.integers(1, 4)), "yes" if price > 4000 else "no", price])
    write(name, ["area", "city", "size", "baths", "dear", "price"], rows)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def environment() -> dict[str, str]:
    """Return the environment with this Python's programs first on the path."""
    return {**os.environ, "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])}
