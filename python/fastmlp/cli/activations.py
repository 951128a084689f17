"""``fastmlp activations``: the activation functions and their derivatives, as a table or a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from .. import plot
from ..errors import UserError
from ..plot.style import FILE_TYPES
from ..reference.activations import ACTIVATIONS, activation_of
from . import arguments
from .drawing import drawing
from .output import print_json

# Where the table has them.
Z = np.arange(-2.0, 3.0)


def add(commands: Any) -> None:
    """Declare the command and its arguments."""
    command = arguments.add_command(
        commands,
        "activations",
        "show the activation functions and their derivatives",
        "Show the activation functions s(z) and their derivatives s'(z), as a table or as a picture.",
        "fastmlp activations --plot activations.png",
    )
    command.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw them to FILE, such as s.png or s.svg, instead of the table"
    )
    arguments.add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table, or draw the picture."""
    if args.plot is not None:
        with drawing(args.plot):
            draw(args.plot)
    if args.json:
        print_json(values())
    else:
        print(f"wrote {args.plot}" if args.plot is not None else table())
    return 0


def values() -> dict[str, Any]:
    """Return z, and s(z) and s'(z) of every activation."""
    found: dict[str, Any] = {"z": Z.tolist()}
    for name in ACTIVATIONS:
        s = activation_of(name)
        a = s.value(Z)
        found[name] = {"s": a.tolist(), "derivative": s.derivative(Z, a).tolist()}
    return found


def table() -> str:
    """Return s(z) and s'(z) of every activation at a few z."""
    found = values()
    lines = [_line("z", found.pop("z"))]
    for name, s in found.items():
        lines += ["", _line(f"{name}  s", s["s"]), _line("s'", s["derivative"])]
    return "\n".join(lines)


def _line(label: str, values: Any) -> str:
    return f"{label:>12}" + "".join(f"{v:10.4f}" for v in values)


def draw(path: Path) -> None:
    """Write the picture."""
    if not path.parent.is_dir():
        raise UserError(f"cannot write {path}: there is no folder {path.parent}")
    if path.suffix.lower().lstrip(".") not in FILE_TYPES:
        raise UserError(f"cannot write {path}: its extension must be one of {', '.join(FILE_TYPES)}")
    plot.save(plot.activations(), path)
