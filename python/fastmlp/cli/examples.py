"""``fastmlp examples``: the textbook examples, checked number by number, traced and drawn."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import UserError
from ..examples import EXAMPLES, N_STARTS, N_STARTS_REFERENCE, Example, Row, check, network
from . import arguments
from .drawing import drawing
from .output import print_json, write
from .pictures import draw

Format = Literal["text", "markdown", "html"]

DESCRIPTION = f"""\
Run the seven examples of a textbook on neural networks in float64, with the reference and with the \
compiled core, and hold both to the printed numbers. "After n" means after n updates of the parameters. \
The exit code is 1 if a number is off.

  1-4  the start is printed: rounding or truncating our number to the printed
       decimals gives the printed one
  5-6  the start is ours: the output comes as close to the targets as the
       printed one does
  7    the starts are random ({N_STARTS} with the core, the first {N_STARTS_REFERENCE} with the
       reference): the printed outputs lie inside the range of outcomes, and the
       nearest outcome is near to all of them
"""


def add(commands: Any) -> None:
    """Declare the command and its arguments."""
    command = arguments.add_command(
        commands,
        "examples",
        "run the textbook examples and compare the results with the printed ones",
        DESCRIPTION,
        "fastmlp examples 3 --trace",
    )
    command.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help="which examples; by default all")
    command.add_argument("--trace", action="store_true", help="print every quantity of the first step")
    command.add_argument(
        "--format",
        choices=get_args(Format),
        help="with --trace, and of one example: print the step alone, in Markdown with LaTeX or as a page of HTML",
    )
    command.add_argument("--plot", type=Path, metavar="DIR", help="draw the examples into the folder DIR")
    arguments.add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, trace and draw the chosen examples; return 1 if a number is off."""
    chosen = [_find(number) for number in args.numbers] or list(EXAMPLES.values())
    if args.format and (args.json or not args.trace or args.plot is not None or len(chosen) != 1):
        raise UserError("--format goes with --trace and the number of one example, and with nothing else")
    if args.format:
        write(None, f"{trace(chosen[0], args.format).rstrip()}\n".encode())
        return 0
    if args.json:
        return report_json(chosen, args)
    if args.trace:
        print("A textbook that counts the input as layer 1 calls W[1] w^2.\n")
        for example in chosen:
            print(f"Example {example.number}, the first step\n\n{trace(example)}\n\n")
    passed = report(chosen)
    if args.plot is not None:
        with drawing(args.plot):
            for path in draw(chosen, args.plot):
                print(f"wrote {path}")
    return 0 if passed else 1


def report_json(chosen: list[Example], args: argparse.Namespace) -> int:
    """Print the comparisons as one JSON object; return the exit code."""
    rows = [{"example": example.number, **asdict(row)} for example in chosen for row in check(example)]
    result: dict[str, Any] = {"passed": all(row["passed"] for row in rows), "comparisons": rows}
    if args.trace:
        result["traces"] = {example.number: trace(example) for example in chosen}
    if args.plot is not None:
        with drawing(args.plot):
            result["plots"] = [str(path) for path in draw(chosen, args.plot)]
    print_json(result)
    return 0 if result["passed"] else 1


def _find(number: int) -> Example:
    if number not in EXAMPLES:
        raise UserError(f"there is no example {number}: known are {', '.join(map(str, EXAMPLES))}")
    return EXAMPLES[number]


def report(chosen: list[Example]) -> bool:
    """Print the comparison of each example; return whether every row passed."""
    print(f"{'textbook example':38} {'printed':>10} {'reference':>18} {'core':>18}")
    n_rows = n_failed = 0
    for example in chosen:
        print(f"\n{example.number}  {example.title}: {setup(example)}")
        rows = check(example)
        for row in rows:
            print(_format(row))
        n_rows += len(rows)
        n_failed += sum(not row.passed for row in rows)
    print(f"\n{n_rows - n_failed} of {n_rows} comparisons pass")
    return n_failed == 0


def _format(row: Row) -> str:
    verdict = "pass" if row.passed else "FAIL"
    return f"   {row.quantity:35} {row.printed:>10} {row.reference:>18} {row.core:>18}  {verdict}"


def setup(example: Example) -> str:
    """Return the network and the step size of an example in a few words."""
    net = network(example)
    starts = {
        "value": "the printed start",
        "closeness": "a start of ours (see --trace)",
        "spread": f"Glorot's random starts 0 .. {N_STARTS - 1} (reference 0 .. {N_STARTS_REFERENCE - 1})",
    }
    sizes = "-".join(map(str, net.layer_sizes))
    biases = "biases" if net.bias else "no biases"
    return f"{sizes}, {example.activation}, {biases}, h = {example.learning_rate:g}, {starts[example.held_by]}"


def trace(example: Example, format: Format = "text") -> str:
    """Return the first step of an example, quantity by quantity."""
    step = network(example).trace(example.X, example.Y)
    return step.explain(format, digits=6, learning_rate=example.learning_rate)
