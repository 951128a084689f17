"""What comes before training: rows and columns of a table become an untrained model and its samples."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import Network
from ..errors import UserError
from ..reference.arrays import Array
from ..reference.batches import permutation
from ..reference.loss_choice import loss_of
from ..tabular.choosing import Choices, choose
from ..tabular.evaluation import shares_of_classes
from ..tabular.model import (
    TabularModel,
    encode_columns,
    quantile_levels,
    scaling_of_inputs,
    scaling_of_outputs,
    unknown_values,
)
from ..tabular.scaling import Scaling
from ..tabular.table import Table
from ..tabular.targets import Target, find_target

# The output activations of losses that are taken through one.
LINKS = {"poisson": "exp", "gamma": "exp", "gaussian_nll": "mean_variance"}

# Initial weights that keep the spread of what goes through a layer; other activations start well with Glorot's.
HE = ("relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "mish")


@dataclass
class Samples:
    """All rows as the network takes them, and which of them it is trained on.

    Attributes
    ----------
    X, Y : ndarray
        Inputs and targets of all rows.
    weight : ndarray, optional
        Weights of the rows that are trained on.
    train, test : ndarray of int
        Rows to train on, and to report on.
    unknown : dict of str to int
        For each column how many test rows have a value that no training row has, where there are.
    """

    X: Array
    Y: Array
    weight: Array | None
    train: Array
    test: Array
    unknown: dict[str, int]


def prepare(args: argparse.Namespace, table: Table) -> tuple[TabularModel, Target, Samples, np.random.Generator]:
    """Return an untrained model, its target and samples, and the generator that training goes on with."""
    features = _features(args, table)
    target = find_target(table, args.target, args.task)
    loss = _loss(args, target)
    rng = np.random.default_rng(args.seed)
    order = permutation(len(table), rng)
    n_test = _n_test(len(table), args.test_fraction)
    test, train = order[:n_test], order[n_test:]
    columns = choose(table, features, Choices(args.one_hot, dict(args.ordinal), args.impute), train)
    raw = encode_columns(columns, table)
    output_activation, n_out = _outputs(loss, target)
    outputs = Scaling.none(n_out)
    if not target.classes:
        what = f"{table.source}: column {target.name!r}"
        outputs = scaling_of_outputs(output_activation, n_out, target.values[train], what)
    network = _network(args, raw.shape[1], output_activation, n_out, rng)
    inputs = scaling_of_inputs(columns, raw[train], table.source)
    model = TabularModel(network, columns, target.name, target.classes, inputs, outputs, loss, _guess(target, train))
    weight = _weights(args, table, target, train)
    X, Y = model.standardise(table, raw), _targets(model, table, target)
    return model, target, Samples(X, Y, weight, train, test, unknown_values(columns, raw[test])), rng


class SameSamples:
    """A callback that has checkpoints remember the samples, so that no run goes on with others."""

    def __init__(self, X: Array, Y: Array, weight: Array | None) -> None:
        digest = hashlib.sha256()
        for array in (X, Y, weight):
            digest.update(b"" if array is None else np.ascontiguousarray(array).view(np.uint8).data)
        self.digest = digest.hexdigest()

    def on_train_begin(self, state: Any) -> None:
        """Need nothing at the beginning."""

    def state(self) -> dict[str, Any]:
        """Return what checkpoints hold."""
        return {"digest": self.digest}

    def load_state(self, state: dict[str, Any]) -> None:
        """Compare with what a checkpoint holds."""
        if state["digest"] != self.digest:
            raise ValueError("the checkpoint of a run with other data, or another choice of rows and columns")


def _features(args: argparse.Namespace, table: Table) -> list[str]:
    """Return the columns to predict from."""
    asked: list[str] = args.features or []
    table.check_names([*asked, *args.drop, args.target, *filter(None, [args.weights])])
    for option, name in (("target", args.target), ("weights", args.weights)):
        for other, names in (("features", asked), ("drop", args.drop)):
            if name in names:
                raise UserError(f"--{other} names the column of --{option}, {name!r}")
    if args.weights == args.target:
        raise UserError(f"--weights names the target {args.target!r}")
    left_out = {args.target, args.weights, *args.drop}
    features = [name for name in asked or table.names if name not in left_out]
    if "" in features:
        number = table.names.index("") + 1
        raise UserError(f"{table.source}, line 1: column {number} has no name: say which ones to use with --features")
    if not features:
        raise UserError(f"{table.source}: there is no column besides the target {args.target!r}")
    return features


def _loss(args: argparse.Namespace, target: Target) -> str:
    """Return the loss; UserError if the one asked for does not go with the task."""
    loss: str = args.loss or ("log_loss" if target.classes else "squared_error")
    if loss.startswith("log_loss") != bool(target.classes):
        other = "regression" if target.classes else "classification"
        raise UserError(f"--loss {loss} is for {other}, and the target {target.name!r} makes this a {target.task}")
    if args.class_weight and not target.classes:
        raise UserError(f"--class-weight is for classification, and the target {target.name!r} makes this a regression")
    return loss


def _outputs(loss: str, target: Target) -> tuple[str, int]:
    """Return the output activation and the number of outputs."""
    if target.classes:
        return ("sigmoid", 1) if len(target.classes) == 2 else ("softmax", len(target.classes))
    link = LINKS.get(loss.split("(")[0].strip(), "linear")
    return link, 2 if link == "mean_variance" else max(len(quantile_levels(loss)), 1)


def _network(
    args: argparse.Namespace, n_in: int, output_activation: str, n_out: int, rng: np.random.Generator
) -> Network:
    several = isinstance(args.activation, list)
    if several and len(args.activation) != len(args.hidden):
        raise UserError(f"--activation has {len(args.activation)} names, and --hidden {len(args.hidden)} layers")
    if args.dropout and not args.hidden:
        raise UserError("--dropout drops hidden activations, and --hidden has no layer")
    first = args.activation[0] if several else args.activation
    init = "he_uniform" if first.split("(")[0] in HE else "glorot_uniform"
    sizes = [n_in, *args.hidden, n_out]
    try:
        return Network(sizes, args.activation, output_activation, init=init, dtype=args.dtype, random_state=rng)
    except ValueError as error:
        raise UserError(str(error)) from None


def _targets(model: TabularModel, table: Table, target: Target) -> Array:
    """Return the target as the network's loss takes it; UserError names the cell that is outside the loss's domain."""
    if target.classes:
        return target.values if len(target.classes) > 2 else target.values.astype(model.network.dtype)
    outside = loss_of(model.loss, model.network.activations[-1]).outside(target.values.reshape(-1, 1))
    if outside.any():
        row = int(outside.argmax())
        domain = loss_of(model.loss, model.network.activations[-1]).domain
        raise table.error(row, target.name, f"{target.values[row]:g}: targets of --loss {model.loss} are {domain}")
    return model.standardise_target(table, target.values)


def _weights(args: argparse.Namespace, table: Table, target: Target, train: Array) -> Array | None:
    """Return the weights of the rows to train on: those of their column times those that balance the classes."""
    weights = None
    if args.weights:
        weights = table.weights(args.weights)[train]
        if not weights.any():
            raise UserError(f"{table.source}, column {args.weights!r}: all weights of the rows to train on are 0")
    if args.class_weight:
        y = target.values[train]
        counts = np.bincount(y, minlength=len(target.classes))
        balance = len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
        weights = balance[y] if weights is None else balance[y] * weights
    return weights


def _guess(target: Target, train: Array) -> list[float]:
    y = target.values[train]
    return shares_of_classes(y, len(target.classes)) if target.classes else [float(y.mean())]


def _n_test(n: int, fraction: float) -> int:
    """Return how many rows to hold out: one at least, unless the fraction is 0 or no other is left."""
    return min(max(round(n * fraction), 1), n - 1) if fraction else 0
