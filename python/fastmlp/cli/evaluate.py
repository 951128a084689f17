"""``fastmlp evaluate``: how good a saved model is on rows whose target is known."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import UserError
from ..reference.arrays import Array
from ..tabular import layout
from ..tabular.evaluation import Metrics, confusion, evaluate, name_of_guess, plainest_guess
from ..tabular.model import TabularModel
from ..tabular.reading import read_table
from ..tabular.table import Table
from ..tabular.targets import places_of
from . import arguments
from .output import print_json
from .report import print_metrics, warn_of_unknown

DESCRIPTION = """\
Compare the predictions of a model with the target of a table: accuracy, log loss and the confusion matrix of classes; \
root mean squared error, mean absolute error and R2 of numbers. Below them are those of the plainest guess, which is \
the mean, or the most frequent class, of the rows that the model was trained on. The exit code is 1 if a metric is not \
as good as --at-least or --at-most ask for."""

# Larger confusion matrices are for --json.
MOST_CLASSES = 20


def add(commands: Any) -> None:
    """Declare the command."""
    command = arguments.add_command(
        commands,
        "evaluate",
        "measure a saved model on a table with the target",
        DESCRIPTION,
        "fastmlp evaluate model.safetensors houses.csv --at-least R2=0.5",
    )
    command.add_argument("model", help="what `fastmlp train` saved")
    command.add_argument("data", help="CSV or Parquet file; - is standard input")
    for option, word in (("--at-least", "below"), ("--at-most", "above")):
        command.add_argument(
            option,
            type=limit,
            action="append",
            default=[],
            metavar="METRIC=VALUE",
            help=f"fail if a metric is {word} this; may be given several times",
        )
    command.add_argument("--weights", metavar="COLUMN", help="column with the weight of each row in the metrics")
    arguments.add_format(command)
    arguments.add_json(command)
    arguments.add_quiet(command, "warnings")
    arguments.add_threads(command)
    command.set_defaults(run=run)


def limit(text: str) -> tuple[str, float]:
    """Convert "accuracy=0.9" for argparse."""
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a metric and a number, such as accuracy=0.9") from None


def run(args: argparse.Namespace) -> int:
    """Predict, compare, and print."""
    model = layout.load(args.model)
    table = read_table(args.data, args.format)
    y = places_of(table, model.target, model.classes) if model.classes else table.numbers(model.target)
    weight = _weights(args, table)
    X, unknown = model.encode(table)
    warn_of_unknown(unknown, "rows", args.quiet)
    Y_hat = model.predict(X, args.threads)
    metrics, plainest = evaluate(model, Y_hat, y, weight), plainest_guess(model, y, weight)
    failures = _failures(args, metrics)
    matrix = confusion(model.points(Y_hat), y, len(model.classes)) if model.classes else None
    if args.json:
        results: dict[str, Any] = {"task": model.task, "rows": len(y), "metrics": metrics, "plainest_guess": plainest}
        if matrix is not None:
            results.update(classes=model.classes, confusion=matrix.tolist())
        print_json({**results, "failures": failures})
        return 1 if failures else 0
    print_metrics({args.data: {"rows": len(y), **metrics, "plainest_guess": plainest}}, name_of_guess(model, y))
    if matrix is not None:
        _print_confusion(model, matrix)
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


def _weights(args: argparse.Namespace, table: Table) -> Array | None:
    """Return the weights of the rows, if there is a column for them."""
    if args.weights is None:
        return None
    weights = table.weights(args.weights)
    if not weights.any():
        raise UserError(f"{table.source}, column {args.weights!r}: all weights are 0")
    return weights


def _failures(args: argparse.Namespace, metrics: Metrics) -> list[str]:
    """Say which limits are not kept; UserError if there is no such metric."""
    found = {name.lower(): (name, value) for name, value in metrics.items()}
    failures = []
    for word, sign, limits in (("at least", 1, args.at_least), ("at most", -1, args.at_most)):
        for asked, bound in limits:
            if asked.lower() not in found:
                raise UserError(f"there is no metric {asked!r} of this model: it has {', '.join(metrics)}")
            name, value = found[asked.lower()]
            if not sign * value >= sign * bound:
                failures.append(f"{name} is {value:.6g}, and should be {word} {bound:g}")
    return failures


def _print_confusion(model: TabularModel, matrix: Array) -> None:
    """Print how many rows of each class were taken for which."""
    if len(model.classes) > MOST_CLASSES:
        print(f"{len(model.classes)} classes: --json has how often each was taken for which")
        return
    print("rows of each class, by the class that was predicted:")
    label = max(len(name) for name in model.classes)
    width = max(len(str(matrix.max())), label) + 2
    print(" " * (label + 2) + "".join(f"{name:>{width}}" for name in model.classes))
    for name, counts in zip(model.classes, matrix.tolist(), strict=True):
        print(f"  {name:<{label}}" + "".join(f"{count:>{width}}" for count in counts))
