"""``fastmlp predict``: the predictions of a saved model for the rows of a table."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from ..errors import UserError
from ..reference.arrays import Array
from ..tabular import layout, parquet_files
from ..tabular.model import TabularModel
from ..tabular.reading import kind_of, read_table
from . import arguments
from .output import utf_8, write
from .report import warn_of_unknown

DESCRIPTION = """\
Write the predictions of a model, one row for each row of the data: the target, or its class, and with --probabilities \
that of every class. They are CSV, or Parquet in a file that ends in .parquet or .pq. Columns are found by their \
names, and those that the model does not need are ignored. A value of text that no training row had becomes inputs of \
0, and a warning counts such rows; in a column of --ordinal it is an error."""


def add(commands: Any) -> None:
    """Declare the command."""
    command = arguments.add_command(
        commands,
        "predict",
        "predict the rows of a table with a saved model",
        DESCRIPTION,
        "fastmlp predict model.safetensors houses.csv --output prices.csv",
        "fastmlp predict city.safetensors - --probabilities < houses.csv",
    )
    command.add_argument("model", help="what `fastmlp train` saved")
    command.add_argument("data", help="CSV or Parquet file; - is standard input")
    command.add_argument("--output", metavar="FILE", help="where to write (default: -, standard output)")
    command.add_argument("--probabilities", action="store_true", help="also those of every class")
    command.add_argument("--json", action="store_true", help="one JSON object for each row instead of CSV")
    arguments.add_format(command)
    arguments.add_quiet(command, "warnings")
    arguments.add_threads(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Predict, and write."""
    to_parquet = args.output is not None and kind_of(args.output) == "parquet"
    if args.output not in (None, arguments.STANDARD):
        arguments.check_output(args.output, args.model, args.data)
    if to_parquet:
        if args.json:
            raise UserError(f"{args.output}: this name is that of Parquet, and --json is text: leave out one of them")
        parquet_files.check_installed(args.output)
    model = layout.load(args.model)
    if args.probabilities and not model.has_probabilities:
        why = "its outputs are scores" if model.classes else f"it is a regression of {model.target!r}"
        raise UserError(f"{args.model}: this model has no --probabilities: {why}")
    X, unknown = model.encode(read_table(args.data, args.format))
    warn_of_unknown(unknown, "rows", args.quiet)
    names, rows = _results(model, model.predict(X, args.threads), args.probabilities)
    if to_parquet:
        write(args.output, parquet_files.written(names, [list(column) for column in zip(*rows, strict=True)]))
    else:
        write(args.output, utf_8(_to_json(names, rows) if args.json else _to_csv(names, rows)))
    return 0


def _results(model: TabularModel, Y_hat: Array, probabilities: bool) -> tuple[list[str], Iterator[list[Any]]]:
    """Return the names of the columns to write, and their rows."""
    if not model.classes:
        return model.output_names, iter(model.predicted(Y_hat).tolist())
    labels = [model.classes[k] for k in model.points(Y_hat).tolist()]
    # The first models had scores, and wrote them always.
    word = "probability" if model.has_probabilities else "score"
    if model.has_probabilities and not probabilities:
        return [model.target], ([label] for label in labels)
    numbers = model.probabilities(Y_hat).tolist()
    names = [model.target, *(f"{word}_{name}" for name in model.classes)]
    return names, ([label, *row] for label, row in zip(labels, numbers, strict=True))


def _to_csv(names: list[str], rows: Iterator[list[Any]]) -> str:
    """Return a header and one line per row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()


def _to_json(names: list[str], rows: Iterator[list[Any]]) -> str:
    """Return one object per row, each on a line."""
    return "".join(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)
