"""What a run has other than the one whose checkpoint it is to go on from, in the words of the command line."""

from __future__ import annotations

import argparse

from ..errors import UserError
from ..reference.checkpoints import AnotherRunError
from .optimizers import OPTIMIZERS

# What options say, by what checkpoints call it.
OPTIONS = {
    "layer sizes": "--hidden, or other columns",
    "activations": "--activation, or other classes",
    "dtype": "--dtype",
    "optimizer": "--optimizer",
    "optimizer's learning_rate": "--learning-rate",
    "optimizer's schedule": "--schedule",
    "optimizer's l2": "--l2 or --alpha",
    "loss": "--loss",
    "batch size": "--batch-size",
    "number of rows": "number of rows, or another --test-fraction",
    "number of rows held out": "--validation-fraction",
    "dropout": "--dropout",
    "validation": "--validation-fraction",
    "callbacks with a state": "--early-stopping",
}

NAMES = {getattr(made, "__name__", ""): name for name, made in OPTIMIZERS.items()}


def told(args: argparse.Namespace, error: AnotherRunError) -> UserError:
    """Return the error of a run that cannot go on, which names the option that is in the way."""
    theirs, ours = (NAMES.get(str(value), value) for value in (error.theirs, error.ours))
    if error.what == "optimizer's schedule" and _kind(theirs) == _kind(ours):
        return UserError(
            f"{error.path}: the checkpoint of a run with other --epochs, and --schedule {args.schedule} is as long as "
            "the run: it goes on with those that it began with"
        )
    option = OPTIONS.get(error.what, error.what)
    values = f": {theirs} there, {ours} here" if all(isinstance(v, (str, int, float)) for v in (theirs, ours)) else ""
    return UserError(f"{error.path}: the checkpoint of a run with another {option}{values}")


def _kind(schedule: object) -> str:
    return str(schedule).partition("(")[0]
