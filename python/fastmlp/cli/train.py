"""``fastmlp train``: a network for the columns of a CSV file."""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import SGD, Adam, DivergenceWarning, Network
from ..errors import UserError
from ..reference.activations import ACTIVATIONS
from ..reference.arrays import Array
from ..reference.batches import permutation
from ..reference.optimizers import Optimizer
from ..tables import Table, is_finite_number, read_csv, shortened
from . import arguments
from .tabular import Scaling, TabularModel, standardise

# One output, and one column of targets, per class: more of them is a column of identifiers.
MAX_CLASSES = 1000

# What programs write for a value that is not there; --task classification takes them as names.
MISSING = {"nan", "na", "n/a", "null", "none"}


OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {
    "adam": lambda learning_rate: Adam(learning_rate),
    "sgd": lambda learning_rate: SGD(learning_rate, momentum=0.9),
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "train",
        help="train a network on a CSV file",
        description="Train a network to predict one column of a CSV file from others, and save it for "
        "`fastmlp predict`. Some rows are held out to test it. Columns are standardised with the mean and the "
        "deviation of the training rows.",
    )

    def option(name: str, help: str, **keywords: Any) -> None:
        default = " (default: %(default)s)" if "default" in keywords else ""
        command.add_argument(name, help=help + default, **keywords)

    one, zero = arguments.integer(1), arguments.integer(0)
    rate, share = arguments.number(0, math.inf, open_low=True), arguments.number(0, 1)
    tasks, dtypes = ("auto", "regression", "classification"), ("float32", "float64")
    option("data", "CSV file with a header; - is standard input")
    option("--target", "column to predict", required=True, metavar="COLUMN")
    option("--features", "columns to predict from (default: all others)", type=arguments.names, metavar="A,B")
    option("--task", "auto classifies a target of text and regresses one of numbers", choices=tasks, default="auto")
    option("--hidden", 'sizes of the hidden layers, "" for none', type=arguments.sizes, default="64,64", metavar="N,N")
    option("--activation", "of the hidden layers", choices=tuple(ACTIVATIONS), default="relu")
    option("--epochs", "passes over the training rows", type=one, default=200, metavar="N")
    option("--batch-size", "rows per step", type=one, default=32, metavar="N")
    option("--optimizer", "sgd has a momentum of 0.9", choices=tuple(OPTIMIZERS), default="adam")
    option("--learning-rate", "size of the steps", type=rate, default=0.001, metavar="ETA")
    option("--test-fraction", "share of the rows held out", type=share, default=0.2, metavar="F")
    option("--seed", "of the split, the initial weights and the batches", type=zero, default=0, metavar="N")
    option("--dtype", "precision of the network", choices=dtypes, default="float32")
    option("--output", "where to save the model", default="model.safetensors", metavar="FILE")
    option("--quiet", "show no progress", action="store_true")
    arguments.add_threads(command)
    command.set_defaults(run=run)


@dataclass
class Target:
    """The column to predict: its values, or for classification the index of each row's class."""

    values: Array
    classes: list[str]

    def columns(self) -> Array:
        """Return the one column of numbers, or one column per class."""
        return np.eye(len(self.classes))[self.values] if self.classes else self.values.reshape(-1, 1)


def run(args: argparse.Namespace) -> int:
    """Train, report and save."""
    arguments.check_output(args.output, args.data)
    table = read_csv(args.data)
    features = args.features or _all_features(table, args.target)
    if args.target in features:
        raise UserError(f"--features names the target {args.target!r}")
    target = _target(table, args.target, args.task)
    rng = np.random.default_rng(args.seed)
    order = permutation(len(table), rng)
    n_test = _n_test(len(table), args.test_fraction)
    test, train = order[:n_test], order[n_test:]
    model, X, Y = _model(args, table, features, target, train, rng)
    _introduce(args, table, model)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DivergenceWarning)
            history = model.network.train(
                X[train],
                Y[train],
                epochs=args.epochs,
                batch_size=args.batch_size,
                optimizer=OPTIMIZERS[args.optimizer](args.learning_rate),
                progress=not args.quiet,
                random_state=rng,
                n_threads=args.threads,
            )
    except DivergenceWarning:
        raise UserError(
            f"training diverged, nothing is saved: try a --learning-rate below {args.learning_rate}"
        ) from None
    except KeyboardInterrupt:
        model.save(args.output)
        print(f"fastmlp: stopped; the network as it stands is in {args.output}", file=sys.stderr)
        return 130
    model.save(args.output)
    print(f"{args.epochs} epochs in {history.seconds:.2f} s")
    _report(target, model.predict(X, args.threads), train, test)
    print(f"saved in {args.output}")
    return 0


def _model(
    args: argparse.Namespace,
    table: Table,
    features: list[str],
    target: Target,
    train: Array,
    rng: np.random.Generator,
) -> tuple[TabularModel, Array, Array]:
    """Return an untrained model, and the standardised features and target of all rows."""
    X, Y, dtype = table.matrix(features), target.columns(), np.dtype(args.dtype)
    inputs = _fit(X[train], table.source, "a feature column")
    outputs = Scaling.none(Y.shape[1]) if target.classes else _fit(Y[train], table.source, f"column {args.target!r}")
    X = standardise(inputs, table, features, X, dtype)
    Y = standardise(outputs, table, target.classes or [args.target], Y, dtype)
    network = Network(
        [X.shape[1], *args.hidden, Y.shape[1]],
        activation=args.activation,
        init="he_uniform" if args.activation == "relu" else "glorot_uniform",
        dtype=dtype,
        random_state=rng,
    )
    return TabularModel(network, features, args.target, target.classes, inputs, outputs), X, Y


def _all_features(table: Table, target: str) -> list[str]:
    """Return all columns but the target."""
    features = [name for name in table.names if name != target]
    if "" in features:
        number = table.names.index("") + 1
        raise UserError(f"{table.source}, line 1: column {number} has no name: say which ones to use with --features")
    if not features:
        raise UserError(f"{table.source}: there is no column besides the target {target!r}")
    return features


def _target(table: Table, name: str, task: str) -> Target:
    """Read the target and say what was made of it."""
    cells = table.text(name)
    if task == "auto":
        n_numbers = sum(map(is_finite_number, cells))
        if 0 < n_numbers < len(cells):
            row = next(i for i, cell in enumerate(cells) if not is_finite_number(cell))
            raise table.error(row, name, f"{cells[row]!r} is no number, as others are (--task classification takes it)")
        task = "regression" if n_numbers else "classification"
        missing = [row for row, cell in enumerate(cells) if cell.strip().lower() in MISSING]
        if missing:
            raise table.error(missing[0], name, f"{cells[missing[0]]!r} stands for a missing value")
    if task == "regression":
        return Target(table.numbers(name), [])
    classes = sorted(set(cells))
    if all(map(is_finite_number, classes)):
        classes.sort(key=float)
    if len(classes) < 2:
        raise UserError(f"{table.source}, column {name!r}: the only class is {classes[0]!r}; there must be two")
    if len(classes) > MAX_CLASSES:
        raise UserError(f"{table.source}, column {name!r}: {len(classes)} classes, and {MAX_CLASSES} are the most")
    index = {label: k for k, label in enumerate(classes)}
    return Target(np.array([index[cell] for cell in cells]), classes)


def _n_test(n: int, fraction: float) -> int:
    """Return how many rows to hold out: one at least, unless the fraction is 0 or no other is left."""
    return min(max(round(n * fraction), 1), n - 1) if fraction else 0


def _fit(a: Array, source: str, what: str) -> Scaling:
    """Return the scaling of columns; UserError if a float64 cannot hold their deviation."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaling = Scaling.fit(a)
    if not scaling.is_finite():
        raise UserError(f"{source}: {what} holds numbers too large, or too close to each other, to standardise")
    return scaling


def _introduce(args: argparse.Namespace, table: Table, model: TabularModel) -> None:
    """Say what will be trained."""
    task = f"classification, classes {shortened(model.classes)}" if model.classes else "regression"
    how = "inferred from its cells" if args.task == "auto" else "as asked for"
    print(f"{table.source}: {len(table)} rows; features {shortened(model.features)}")
    print(f"target {model.target}: {task} ({how})")
    sizes = "-".join(map(str, model.network.layer_sizes))
    print(f"network {sizes}, {args.activation}, {args.dtype}: {model.network.parameters.size} parameters", flush=True)


def _report(target: Target, Y_hat: Array, train: Array, test: Array) -> None:
    """Print the metrics of the training and the test rows, each above those of the plainest guess."""
    y = target.values
    if target.classes:
        metrics, y_hat, guess = _classification, Y_hat.argmax(axis=1), np.bincount(y[train]).argmax()
        label = f"  always {target.classes[guess]!r}"
    else:
        metrics, y_hat, guess = _regression, Y_hat[:, 0], y[train].mean()
        label = "  always the mean"
    print(f"{'rows':>32}", *(f"{name:>10}" for name in metrics(y, y)))
    for part, rows in (("train", train), ("test", test)):
        if len(rows):
            plainest = metrics(np.full(len(rows), guess), y[rows])
            print(f"{part:22}{len(rows):>10}", *(f"{number:>10}" for number in metrics(y_hat[rows], y[rows]).values()))
            print(f"{label:32}", *(f"{number:>10}" for number in plainest.values()))


def _regression(y_hat: Array, y: Array) -> dict[str, str]:
    """Return the root mean squared error, the mean absolute error and the coefficient of determination."""
    error, spread = y_hat - y, y - y.mean()
    total = float(spread @ spread)
    r2 = 1 - float(error @ error) / total if total else math.nan
    return {
        "RMSE": f"{math.sqrt(error @ error / len(y)):.5g}",
        "MAE": f"{np.abs(error).mean():.5g}",
        "R2": f"{round(r2, 4) + 0.0:.4f}",  # the sum turns -0.0 into 0.0
    }


def _classification(y_hat: Array, y: Array) -> dict[str, str]:
    """Return the share of rows whose class was found."""
    return {"accuracy": f"{np.mean(y_hat == y):.4f}"}
