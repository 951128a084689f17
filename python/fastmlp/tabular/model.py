"""A network together with the columns that it was trained on: what ``train`` saves, and the other commands load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import UserError
from ..network import Network
from ..reference.arrays import Array
from ..reference.loss_choice import loss_of
from ..reference.losses import Quantile
from .columns import Column, OneHot
from .scaling import Scaling
from .table import Table


@dataclass
class TabularModel:
    """A network, and what is around it.

    Attributes
    ----------
    network : Network
        Its outputs are standardised targets, or probabilities of classes: of the second of two with a single sigmoid
        output, of all with softmax.
    columns : list of Column
        What it reads, and how.
    target : str
        Name of the column that it predicts.
    classes : list of str
        What is predicted; empty for regression.
    inputs, outputs : Scaling
        Of the network's inputs and outputs.
    loss : str
        What it was trained by, which says what the outputs of a regression are.
    guess : list of float, optional
        The plainest guess, which uses no feature: the mean of the target, or the share of each class.
    training : dict
        How it was trained, for people to read.
    """

    network: Network
    columns: list[Column]
    target: str
    classes: list[str]
    inputs: Scaling
    outputs: Scaling
    loss: str
    guess: list[float] | None = None
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """Name of the task."""
        return "classification" if self.classes else "regression"

    @property
    def has_probabilities(self) -> bool:
        """Whether the outputs are probabilities; the first models had scores for classes."""
        return bool(self.classes) and self.network.activations[-1] in ("sigmoid", "softmax")

    @property
    def input_names(self) -> list[str]:
        """Names of the network's inputs."""
        return [name for column in self.columns for name in column.input_names]

    @property
    def input_fill(self) -> Array | None:
        """What stands in for NaN in each of the network's inputs, before they are scaled; None if nothing does."""
        fill = np.array([fill for column in self.columns for fill in column.input_fill])
        return None if np.isnan(fill).all() else fill

    @property
    def output_names(self) -> list[str]:
        """Names of the columns that a regression predicts: the target, its quantiles, or it and its deviation."""
        if self.network.activations[-1] == "mean_variance":
            return [self.target, f"{self.target}_std"]
        levels = quantile_levels(self.loss)
        return [self.target] if len(levels) < 2 else [f"{self.target}_{level:g}" for level in levels]

    def encode(self, table: Table) -> tuple[Array, dict[str, int]]:
        """Return the network's inputs for the rows of a table, and for each column how many values it did not know.

        Raises
        ------
        UserError
            If a column is not there, or a cell has no place; it names the cell.
        """
        raw = encode_columns(self.columns, table)
        return self.standardise(table, raw), unknown_values(self.columns, raw)

    def standardise(self, table: Table, raw: Array) -> Array:
        """Return encoded columns as inputs of the network; UserError names the cell that does not fit its dtype."""
        X, dtype = self.inputs.apply(raw), self.network.dtype
        if (cell := _beyond(X, dtype)) is not None:
            row, i = cell
            owners = [column.name for column in self.columns for _ in column.input_names]
            raise table.error(row, owners[i], f"{raw[row, i]} is too large for {dtype.name}")
        return X.astype(dtype)

    def standardise_target(self, table: Table, values: Array) -> Array:
        """Return a regression's target as the network learns it; UserError names the cell that does not fit."""
        y: Array = (values - self.outputs.mean[0]) / self.outputs.scale[0]
        dtype = self.network.dtype
        if (cell := _beyond(y.reshape(-1, 1), dtype)) is not None:
            raise table.error(cell[0], self.target, f"{values[cell[0]]} is too large for {dtype.name}")
        learned: Array = y.astype(dtype)
        return learned

    def predict(self, X: Array, n_threads: int | None = None) -> Array:
        """Return the network's outputs in their units, as float64, of standardised inputs."""
        return self.outputs.undo(self.network.predict(X, n_threads=n_threads))

    def probabilities(self, Y_hat: Array) -> Array:
        """Return the probability of each class, or its score, of what ``predict`` gave."""
        return np.hstack([1 - Y_hat, Y_hat]) if Y_hat.shape[1] == 1 else Y_hat

    def points(self, Y_hat: Array) -> Array:
        """Return one number per row of what ``predict`` gave: the class's place, or the prediction in the middle."""
        if self.classes:
            places: Array = self.probabilities(Y_hat).argmax(axis=1)
            return places
        levels = quantile_levels(self.loss)
        middle = min(range(len(levels)), key=lambda k: abs(levels[k] - 0.5)) if levels else 0
        point: Array = Y_hat[:, middle]
        return point

    def predicted(self, Y_hat: Array) -> Array:
        """Return the columns of ``output_names`` of what ``predict`` gave."""
        if self.network.activations[-1] != "mean_variance":
            return Y_hat
        both: Array = np.column_stack([Y_hat[:, 0], np.sqrt(Y_hat[:, 1])])
        return both


def quantile_levels(loss: str) -> tuple[float, ...]:
    """Return the levels of a loss of quantiles, and none of another."""
    if not loss.lstrip().startswith(Quantile.name):
        return ()
    made = loss_of(loss, "linear")
    return made.levels if isinstance(made, Quantile) else ()


def encode_columns(columns: Sequence[Column], table: Table) -> Array:
    """Return the inputs of all columns side by side, as float64; UserError names the cell that has no place."""
    table.check_names([column.name for column in columns])
    return np.hstack([column.encode(table) for column in columns])


def unknown_values(columns: Sequence[Column], raw: Array) -> dict[str, int]:
    """Return for each column how many rows of encoded columns have a value that it does not know, where there are."""
    counts, start = {}, 0
    for column in columns:
        stop = start + len(column.input_names)
        n = int((~raw[:, start:stop].any(axis=1)).sum()) if isinstance(column, OneHot) else 0
        if n:
            counts[column.name] = n
        start = stop
    return counts


def scaling_of_inputs(columns: Sequence[Column], raw: Array, source: str) -> Scaling:
    """Return the scaling of encoded columns: of their rows, but for inputs of 0 and 1, which stay so."""
    scaling = Scaling.fit(raw)
    scaled = np.array([column.is_scaled for column in columns for _ in column.input_names])
    scaling = Scaling(np.where(scaled, scaling.mean, 0.0), np.where(scaled, scaling.scale, 1.0))
    return checked(scaling, f"{source}: a feature column")


def scaling_of_outputs(output_activation: str, n_out: int, y: Array, what: str) -> Scaling:
    """Return the scaling of a regression's outputs: what its loss does not mind."""
    if output_activation == "exp":  # a mean: it may be measured in units of its own
        mean, scale = 0.0, float(y.mean()) or 1.0
    else:
        fitted = checked(Scaling.fit(y.reshape(-1, 1)), what)
        mean, scale = float(fitted.mean[0]), float(fitted.scale[0])
    if output_activation == "mean_variance":
        return checked(Scaling(np.array([mean, 0.0]), np.array([scale, scale**2])), what)
    return checked(Scaling(np.full(n_out, mean), np.full(n_out, scale)), what)


def checked(scaling: Scaling, what: str) -> Scaling:
    """Return a scaling; UserError if a float64 cannot hold the deviation of a column."""
    if not scaling.is_finite():
        raise UserError(f"{what} holds numbers too large, or too close to each other, to standardise")
    return scaling


def _beyond(X: Array, dtype: np.dtype[Any]) -> tuple[int, int] | None:
    """Return the first element that a dtype cannot hold."""
    bad = ~(np.abs(X) <= np.finfo(dtype).max)
    if not bad.any():
        return None
    row, column = divmod(int(bad.argmax()), X.shape[1])
    return row, column
