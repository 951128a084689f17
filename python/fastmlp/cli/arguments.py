"""What several commands share: types of arguments, and files to write to."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable

from ..errors import UserError


def integer(low: int) -> Callable[[str], int]:
    """Return a type for argparse: an integer of at least ``low``."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None
        if value < low:
            raise argparse.ArgumentTypeError(f"must be at least {low}, not {value}")
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


def add_threads(command: argparse.ArgumentParser) -> None:
    """Declare --threads."""
    command.add_argument(
        "--threads", type=integer(1), metavar="N", help="threads to use (default: as many as make it faster)"
    )


def check_output(path: str, *inputs: str) -> None:
    """Raise UserError if no file can be written there, or one of the inputs would be lost: before the work."""
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
