"""What several commands share: types of arguments, options that mean the same everywhere, and files to write to."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from typing import Any

from ..errors import UserError
from ..reference.activations import activation_of
from ..reference.checks import MAX_THREADS
from ..tabular.reading import READERS

STANDARD = "-"  # as the name of a file: standard input, or standard output


def integer(low: int, high: int = 2**63 - 1) -> Callable[[str], int]:
    """Return a type for argparse: an integer from ``low`` to ``high``."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None
        if value < low:
            raise argparse.ArgumentTypeError(f"must be at least {low}, not {value}")
        if value > high:
            raise argparse.ArgumentTypeError(f"must be at most {high}, not {value}")
        return value

    return convert


def number(low: float, high: float, *, open_low: bool = False) -> Callable[[str], float]:
    """Return a type for argparse: a number in [low, high), or in (low, high) with open_low."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not (low < value < high if open_low else low <= value < high):
            span = f"at least {low}" if not open_low else f"above {low}"
            raise argparse.ArgumentTypeError(f"must be {span}{'' if math.isinf(high) else f' and below {high}'}")
        return value

    return convert


def sizes(text: str) -> list[int]:
    """Convert "64,64" for argparse; an empty text is an empty list."""
    return [integer(1)(part.strip()) for part in text.split(",")] if text.strip() else []


def names(text: str) -> list[str]:
    """Convert "a,b,c" for argparse to names, each there once."""
    parts = [part.strip() for part in text.split(",")]
    if "" in parts:
        raise argparse.ArgumentTypeError(f"{text!r} has an empty name")
    for part in parts:
        if parts.count(part) > 1:
            raise argparse.ArgumentTypeError(f"{part!r} is named twice")
    return parts


def activations(text: str) -> str | list[str]:
    """Convert "relu" or "relu,tanh" for argparse to one activation for all hidden layers, or one for each."""
    specs = [part.strip() for part in text.split(",")]
    for spec in specs:
        try:
            activation_of(spec)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return specs if len(specs) > 1 else specs[0]


def order(text: str) -> tuple[str, list[str]]:
    """Convert "size=small,large" for argparse to a column and its values in order; without values to none."""
    name, equals, values = text.partition("=")
    return name.strip(), names(values) if equals else []


def add_command(commands: Any, name: str, help: str, description: str, *examples: str) -> argparse.ArgumentParser:
    """Declare a command whose help page has examples at its end."""
    lines = "".join(f"\n  {example}" for example in examples)
    word = "example" if len(examples) == 1 else "examples"
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=description, epilog=f"{word}:{lines}", formatter_class=HelpPage, allow_abbrev=False
    )
    return command


class HelpPage(argparse.HelpFormatter):
    """Wraps text, but for lines that are indented."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(
            line if line.startswith(" ") else super(HelpPage, self)._fill_text(line, width, indent)
            for line in text.splitlines()
        )


def add_threads(command: Any) -> None:
    """Declare --threads."""
    command.add_argument(
        "--threads",
        type=integer(1, MAX_THREADS),
        metavar="N",
        help="threads to use (default: as many as make it faster)",
    )


def add_format(command: Any) -> None:
    """Declare --format."""
    command.add_argument(
        "--format",
        choices=tuple(READERS),
        help="of the data (default: Parquet if its name ends in .parquet or .pq, else CSV)",
    )


def add_json(command: Any) -> None:
    """Declare --json."""
    command.add_argument("--json", action="store_true", help="print the results as one JSON object, for programs")


def add_quiet(command: Any, what: str = "progress and warnings") -> None:
    """Declare --quiet."""
    command.add_argument("--quiet", action="store_true", help=f"no {what} on standard error")


def check_output(path: str, *inputs: str) -> None:
    """Raise UserError if no file can be written there, or one of the inputs would be lost: before the work."""
    if path == STANDARD:
        raise UserError("this output goes into a file, and not to standard output: give it a name")
    for source in inputs:
        if os.path.exists(path) and os.path.exists(source) and os.path.samefile(path, source):
            raise UserError(f"{path}: this is what is read from, and would be overwritten; name another --output")
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if os.path.isdir(target):
        raise UserError(f"{path}: this is a folder, and the output is a file")
    if os.path.exists(target) and not os.path.isfile(target):
        raise UserError(f"{path}: not a regular file")
    if not os.path.isdir(folder):
        raise UserError(f"{path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise UserError(f"{path}: the folder {folder} cannot be written to")
