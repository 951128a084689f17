"""A network together with the columns that it was trained on: what ``train`` saves and ``predict`` loads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import Network
from ..errors import UserError
from ..reference import files
from ..reference.arrays import Array
from ..tables import Table


@dataclass
class Scaling:
    """Shifts and scales each column so that it has mean 0 and standard deviation 1 in the training rows."""

    mean: Array
    scale: Array

    @classmethod
    def fit(cls, a: Array) -> Scaling:
        """Return the scaling of the columns of ``a``; a constant column is only shifted."""
        constant = a.min(axis=0) == a.max(axis=0)
        mean = np.where(constant, a[0], a.mean(axis=0))
        return cls(mean, np.where(constant, 1.0, a.std(axis=0)))

    @classmethod
    def none(cls, n: int) -> Scaling:
        """Return the scaling that leaves n columns as they are."""
        return cls(np.zeros(n), np.ones(n))

    def apply(self, a: Array) -> Array:
        """Standardise the columns of ``a``."""
        scaled: Array = (a - self.mean) / self.scale
        return scaled

    def undo(self, a: Array) -> Array:
        """Bring standardised columns back to their units, as float64."""
        original: Array = a * self.scale + self.mean
        return original

    def is_finite(self) -> bool:
        """Tell whether the columns could be scaled at all."""
        return bool(np.isfinite(self.mean).all() and np.isfinite(self.scale).all() and (self.scale > 0).all())


@dataclass
class TabularModel:
    """A network, and the names, scaling and classes of its columns.

    Attributes
    ----------
    network : Network
        Its outputs are standardised targets, or one score per class.
    features, target : list of str, str
        Names of the columns that it reads, and of the one that it predicts.
    classes : list of str
        What the outputs stand for; empty for regression.
    inputs, outputs : Scaling
        Of the features and of the target.
    """

    network: Network
    features: list[str]
    target: str
    classes: list[str]
    inputs: Scaling
    outputs: Scaling

    def predict(self, X: Array, n_threads: int | None = None) -> Array:
        """Return the target in its units, or the scores, of standardised inputs."""
        return self.outputs.undo(self.network.predict(X, n_threads=n_threads).astype(np.float64))

    def save(self, path: str) -> None:
        """Write the model to a file; UserError if that fails."""
        table = {
            "features": self.features,
            "target": self.target,
            "classes": self.classes,
            "inputs": {"mean": self.inputs.mean.tolist(), "scale": self.inputs.scale.tolist()},
            "outputs": {"mean": self.outputs.mean.tolist(), "scale": self.outputs.scale.tolist()},
        }
        try:
            files.save(self.network, path, table)
        except (OSError, ValueError) as error:
            raise UserError(f"cannot save the model to {path}: {error}") from None


def standardise(scaling: Scaling, table: Table, features: list[str], raw: Array, dtype: np.dtype[Any]) -> Array:
    """Return inputs for a network of ``dtype``; UserError names the cell that does not fit."""
    with np.errstate(over="ignore"):
        X = scaling.apply(raw)
    bad = ~(np.abs(X) <= np.finfo(dtype).max)
    if bad.any():
        row, column = divmod(int(bad.argmax()), len(features))
        raise table.error(row, features[column], f"{raw[row, column]} is too large for {dtype.name}")
    return X.astype(dtype)


def load(path: str) -> TabularModel:
    """Read a model that ``fastmlp train`` saved; UserError if it is none."""
    try:
        network, table = files.load(path, Network)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(str(error)) from None
    if table is None:
        raise UserError(f"{path}: a network without the names of its columns; use fastmlp.load(path).predict(X)")
    return assemble(path, network, table)


def assemble(path: str, network: Network, table: dict[str, Any]) -> TabularModel:
    """Return the model of a network and the table that its file has; UserError if they do not fit."""
    n_in, n_out = network.layer_sizes[0], network.layer_sizes[-1]
    features, classes = _names(path, table.get("features")), _names(path, table.get("classes"))
    [target] = _names(path, [table.get("target")])
    if len(features) != n_in or len(classes or [target]) != n_out:
        raise UserError(f"{path}: the names of its columns do not fit its network")
    inputs, outputs = _scaling(path, table.get("inputs"), n_in), _scaling(path, table.get("outputs"), n_out)
    return TabularModel(network, features, target, classes, inputs, outputs)


def _names(path: str, stored: Any) -> list[str]:
    """Return names from a file."""
    if not isinstance(stored, list) or not all(isinstance(name, str) for name in stored):
        raise UserError(f"{path}: the names of its columns are missing")
    return stored


def _scaling(path: str, stored: Any, n: int) -> Scaling:
    """Return a scaling from a file."""
    try:
        scaling = Scaling(np.array(stored["mean"], np.float64), np.array(stored["scale"], np.float64))
    except (TypeError, ValueError, KeyError, OverflowError):
        raise UserError(f"{path}: the scaling of its columns is no numbers") from None
    if scaling.mean.shape != (n,) or scaling.scale.shape != (n,) or not scaling.is_finite():
        raise UserError(f"{path}: the scaling of its columns does not fit its network")
    return scaling
