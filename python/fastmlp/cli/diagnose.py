"""``fastmlp diagnose``: why a saved model has not learnt more."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from ..errors import UserError
from ..reference.arrays import Array
from ..tabular import layout
from ..tabular.model import TabularModel
from ..tabular.reading import read_table
from ..tabular.table import Table
from ..tabular.targets import places_of
from . import arguments
from .output import print_json
from .report import warn_of_unknown

DESCRIPTION = """\
Say in words what keeps a model from learning more: columns that are constant, copies, or far from those it was \
trained on; rare classes, and numbers of classes taken for amounts; neurons that are dead, saturated or all the same; \
gradients that vanish or explode; a network that is no better than the mean. It looks at the model as it stands, with \
the rows of a table that has the target, best those that it was trained on. Numbers are those that the network is \
given, which are standardised. The exit code is 1 if something of severity "error" is found."""


def add(commands: Any) -> None:
    """Declare the command."""
    command = arguments.add_command(
        commands,
        "diagnose",
        "say why a saved model has not learnt more",
        DESCRIPTION,
        "fastmlp diagnose model.safetensors houses.csv",
    )
    command.add_argument("model", help="what `fastmlp train` saved")
    command.add_argument("data", help="CSV or Parquet file; - is standard input")
    arguments.add_format(command)
    arguments.add_json(command)
    arguments.add_quiet(command, "warnings")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look, and print."""
    from ..diagnosis import examine  # here, as the other commands need not wait for it
    from ..diagnosis.remedies import COMMAND
    from ..diagnosis.report import ERROR
    from ..diagnosis.subjects import Given, case_of

    model = layout.load(args.model)
    table = read_table(args.data, args.format)
    X, unknown = model.encode(table)
    warn_of_unknown(unknown, "rows", args.quiet)
    try:
        case = case_of(model.network, Given(X, _targets(model, table), loss=model.loss, names=model.input_names))
    except ValueError as error:  # targets outside the domain of the loss
        raise UserError(f"{args.data}, column {model.target!r}: {error}") from None
    case.audience, case.classes, case.integers = COMMAND, model.classes or None, _integers(model, table)
    diagnosis = examine(case)
    if args.json:
        print_json(diagnosis.to_dict())
    else:
        print(diagnosis)
    return 1 if any(finding.severity == ERROR for finding in diagnosis.findings) else 0


def _integers(model: TabularModel, table: Table) -> Array | None:
    """Return the numbers that the target has in the table, if all of them are integers."""
    numbers = None if model.classes else table.numbers(model.target)
    return numbers if numbers is not None and (numbers == np.round(numbers)).all() else None


def _targets(model: TabularModel, table: Table) -> Array:
    """Return the target as the network learnt it."""
    if not model.classes:
        return model.standardise_target(table, table.numbers(model.target))
    places = places_of(table, model.target, model.classes)
    if model.network.layer_sizes[-1] == 1:
        return places.astype(model.network.dtype)
    one_hot: Array = np.eye(len(model.classes), dtype=model.network.dtype)[places]
    return one_hot
