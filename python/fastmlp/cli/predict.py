"""``fastmlp predict``: the predictions of a saved model for the rows of a CSV file."""

from __future__ import annotations

import argparse
import csv
import io
import sys

from ..errors import UserError
from ..reference import files
from ..reference.arrays import Array
from ..tables import read_csv
from . import arguments, tabular


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "predict",
        help="predict the rows of a CSV file with a saved model",
        description="Write a CSV of predictions, one line per row of the data: the target, or the class and the score "
        "of every class. Columns are found by their names, and those that the model does not need are ignored.",
    )
    command.add_argument("model", help="what `fastmlp train` saved")
    command.add_argument("data", help="CSV file with a header; - is standard input")
    command.add_argument("--output", metavar="FILE", help="where to write (default: standard output)")
    arguments.add_threads(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Predict, and write the CSV."""
    if args.output is not None:
        arguments.check_output(args.output, args.model, args.data)
    model = tabular.load(args.model)
    table = read_csv(args.data)
    raw = table.matrix(model.features)
    X = tabular.standardise(model.inputs, table, model.features, raw, model.network.dtype)
    text = _to_csv(model, model.predict(X, args.threads)).encode()
    if args.output is None:
        sys.stdout.buffer.write(text)  # UTF-8 like a file, whatever the terminal's encoding
        return 0
    try:
        files.write_atomically(args.output, [text])
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {args.output}: {error}") from None
    return 0


def _to_csv(model: tabular.TabularModel, Y_hat: Array) -> str:
    """Return a header and one line per row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not model.classes:
        writer.writerow([model.target])
        writer.writerows(Y_hat.tolist())
        return text.getvalue()
    writer.writerow([model.target, *(f"score_{name}" for name in model.classes)])
    best = Y_hat.argmax(axis=1).tolist()
    writer.writerows([model.classes[k], *scores] for k, scores in zip(best, Y_hat.tolist(), strict=True))
    return text.getvalue()
