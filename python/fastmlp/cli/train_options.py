"""The options of ``fastmlp train``, in groups. Those that are left out do well for most tables."""

from __future__ import annotations

import argparse
import math
from typing import Any

from ..tabular.choosing import IMPUTATIONS, MAX_VALUES
from ..tabular.targets import TASKS
from . import arguments
from .optimizers import OPTIMIZERS, SCHEDULES, loss

DTYPES = ("float32", "float64")
BATCH_SIZE = 32
PATIENCE = 20
VALIDATION_FRACTION = 0.1
SECONDS_BETWEEN_CHECKPOINTS = 10.0

one, zero = arguments.integer(1), arguments.integer(0)
above_zero, from_zero = arguments.number(0, math.inf, open_low=True), arguments.number(0, math.inf)
share, share_above_zero = arguments.number(0, 1), arguments.number(0, 1, open_low=True)


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare them all."""
    command.add_argument("data", help="CSV or Parquet file; - is standard input")
    command.add_argument("--target", help="column to predict", required=True, metavar="COLUMN")
    _add_columns(command)
    _add_network(command)
    _add_training(command)
    _add_ends(command)
    _add_results(command)


class Group:
    """A group of options, whose help tells the defaults."""

    def __init__(self, command: argparse.ArgumentParser, title: str) -> None:
        self.options = command.add_argument_group(title)

    def add(self, name: str, help: str, **keywords: Any) -> None:
        """Declare an option."""
        default = " (default: %(default)s)" if keywords.get("default") not in (None, []) else ""
        self.options.add_argument(name, help=help + default, **keywords)


def batch_size(text: str) -> int:
    """Convert a number of rows for argparse; "all" is 0."""
    return 0 if text == "all" else one(text)


def _add_columns(command: argparse.ArgumentParser) -> None:
    group = Group(command, "columns")
    add = group.add
    arguments.add_format(group.options)
    add("--task", "auto classifies a target of text and regresses one of numbers", choices=TASKS, default="auto")
    add("--features", "columns to predict from (default: all others)", type=arguments.names, metavar="A,B")
    add("--drop", "columns to leave out", type=arguments.names, default=[], metavar="A,B")
    add(
        "--one-hot",
        f"columns that become one input for each value, as those of text with at most {MAX_VALUES} values do",
        type=arguments.names,
        default=[],
        metavar="A,B",
    )
    add(
        "--ordinal",
        "column that becomes the place of its value among the sorted ones, or among those given in order; "
        "may be given several times",
        type=arguments.order,
        default=[],
        action="append",
        metavar="COLUMN[=A,B,C]",
    )
    add("--impute", "what fills missing numbers; in text it is the most frequent value", choices=IMPUTATIONS)
    add("--weights", "column with the weight of each row in training", metavar="COLUMN")


def _add_network(command: argparse.ArgumentParser) -> None:
    add = Group(command, "network").add
    add("--hidden", 'sizes of the hidden layers, "" for none', type=arguments.sizes, default="64,64", metavar="N,N")
    add(
        "--activation",
        "of all hidden layers, or one for each (`fastmlp activations` lists them)",
        type=arguments.activations,
        default="relu",
        metavar="NAME",
    )
    add("--dtype", "precision", choices=DTYPES, default="float32")
    add("--seed", "of the split, the initial weights and the batches", type=zero, default=0, metavar="N")


def _add_training(command: argparse.ArgumentParser) -> None:
    group = Group(command, "training")
    add = group.add
    add(
        "--loss",
        "for regression squared_error, absolute_error, huber, log_cosh, quantile(0.1,0.5,0.9), poisson, gamma or "
        "gaussian_nll; for classification log_loss, with smoothed labels log_loss(0.1) (default: the first of each)",
        type=loss,
        metavar="NAME",
    )
    add(
        "--optimizer",
        f"{', '.join(OPTIMIZERS)}, which is Levenberg-Marquardt's",
        choices=tuple(OPTIMIZERS),
        default="adam",
        metavar="NAME",
    )
    add("--learning-rate", "size of the steps (default: the optimizer's own)", type=above_zero, metavar="ETA")
    add("--schedule", f"of the learning rate: {', '.join(SCHEDULES)}", choices=tuple(SCHEDULES), metavar="NAME")
    add("--epochs", "passes over the training rows", type=one, default=200, metavar="N")
    add(
        "--batch-size",
        f'rows per step, or "all" (default: {BATCH_SIZE}, or all where the optimizer needs them)',
        type=batch_size,
        metavar="N",
    )
    penalties = group.options.add_mutually_exclusive_group()
    penalties.add_argument(
        "--l2", type=from_zero, default=0.0, metavar="L", help="penalty: the objective gets L / 2 * sum of w^2"
    )
    penalties.add_argument(
        "--alpha",
        type=from_zero,
        metavar="A",
        help="the same in scikit-learn's measure: L = A / training rows, or A / 200",
    )
    add("--dropout", "share of each hidden layer that is dropped in a step", type=share, default=0.0, metavar="P")
    add("--class-weight", "balanced: each class weighs the same in training", choices=("balanced",))
    arguments.add_threads(group.options)


def _add_ends(command: argparse.ArgumentParser) -> None:
    add = Group(command, "validation and ends").add
    add("--test-fraction", "share of the rows held out for the report", type=share, default=0.2, metavar="F")
    add(
        "--validation-fraction",
        f"share of the other rows that watches training (default: none, or {VALIDATION_FRACTION} to stop early)",
        type=share_above_zero,
        metavar="F",
    )
    add("--early-stopping", "stop when the validation loss gets no better, and keep the best", action="store_true")
    add("--patience", f"stop early, after so many epochs (default: {PATIENCE})", type=one, metavar="N")
    add("--max-time", "stop after so many seconds", type=above_zero, metavar="S")
    add("--checkpoint", "file to write the state of the run to, now and then", metavar="FILE")
    add(
        "--checkpoint-every",
        f"seconds from one to the next; 0 writes after each epoch (default: {SECONDS_BETWEEN_CHECKPOINTS:g})",
        type=from_zero,
        metavar="S",
    )
    add(
        "--resume",
        "go on from a checkpoint; all else must be as it was, but for --epochs without a --schedule of their length",
        metavar="FILE",
    )


def _add_results(command: argparse.ArgumentParser) -> None:
    group = Group(command, "results")
    group.add("--output", "where to save the model", default="model.safetensors", metavar="FILE")
    arguments.add_json(group.options)
    arguments.add_quiet(group.options)
