"""``fastmlp activations``: the activation functions and their derivatives, as a table or a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from .. import plot
from ..errors import UserError
from ..reference.activations import ACTIVATIONS, activation_of
from .drawing import drawing


def add(commands: Any) -> None:
    """Declare the command and its arguments."""
    command: argparse.ArgumentParser = commands.add_parser(
        "activations",
        help="show the activation functions and their derivatives",
        description="Show the activation functions s(z) and their derivatives s'(z), as a table or as a picture.",
    )
    command.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw them to FILE, such as s.png or s.svg, instead of the table"
    )
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table, or draw the picture."""
    if args.plot is None:
        print(table())
    else:
        with drawing(args.plot):
            draw(args.plot)
        print(f"wrote {args.plot}")
    return 0


def table() -> str:
    """Return s(z) and s'(z) of every activation at a few z."""
    z = np.arange(-2.0, 3.0)
    lines = [_line("z", z)]
    for name in ACTIVATIONS:
        s = activation_of(name)
        a = s.value(z)
        lines += ["", _line(f"{name}  s", a), _line("s'", s.derivative(z, a))]
    return "\n".join(lines)


def _line(label: str, values: Any) -> str:
    return f"{label:>12}" + "".join(f"{v:10.4f}" for v in values)


def draw(path: Path) -> None:
    """Write the picture."""
    if not path.parent.is_dir():
        raise UserError(f"cannot write {path}: there is no folder {path.parent}")
    if path.suffix.lower().lstrip(".") not in plot.FILE_TYPES:
        raise UserError(f"cannot write {path}: its extension must be one of {', '.join(plot.FILE_TYPES)}")
    plot.save(plot.activations(), path)
