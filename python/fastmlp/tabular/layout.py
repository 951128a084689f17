"""How a model file keeps the columns of its model: the ``extra`` of :mod:`fastmlp.reference.files`, checked when read.

    {"version": 1,
     "columns": [{"name": "carat", "kind": "number", "fill": null},
                 {"name": "cut", "kind": "one_hot", "values": ["Fair", ...], "fill": "Ideal"},
                 {"name": "clarity", "kind": "ordinal", "values": ["I1", ...], "fill": null}],
     "target": "price", "classes": [],
     "inputs": {"mean": [...], "scale": [...]}, "outputs": {"mean": [...], "scale": [...]},
     "loss": "squared_error", "guess": [3932.8], "training": {...}}

The first models had no version: ``features`` were the names of columns of numbers, and ``classes`` had one score each.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..errors import UserError
from ..network import Network
from ..reference import files, sealed
from ..reference.loss_choice import loss_of
from .columns import KINDS, Column, Number, OneHot, Ordinal, Valued
from .model import TabularModel
from .scaling import Scaling

VERSION = 1

# The version of tables without one.
FIRST = 0


def save(model: TabularModel, path: str) -> None:
    """Write a model to a file; UserError if that fails."""
    table = {
        "version": VERSION,
        "columns": [_stored(column) for column in model.columns],
        "target": model.target,
        "classes": model.classes,
        "inputs": {"mean": model.inputs.mean.tolist(), "scale": model.inputs.scale.tolist()},
        "outputs": {"mean": model.outputs.mean.tolist(), "scale": model.outputs.scale.tolist()},
        "loss": model.loss,
        "guess": model.guess,
        "training": sealed.finite(model.training),
    }
    try:
        files.save(model.network, path, table)
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or error
        raise UserError(f"cannot save the model to {path}: {what}") from None


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


def assemble(path: str | os.PathLike[str], network: Network, table: dict[str, Any]) -> TabularModel:
    """Return the model of a network and the table that its file has; UserError if they do not fit."""
    try:
        return _assemble(network, table)
    except sealed.REFUSED as error:
        raise UserError(str(sealed.refusal(path, error))) from None


def _stored(column: Column) -> dict[str, Any]:
    values = {"values": list(column.values)} if isinstance(column, Valued) else {}
    return {"name": column.name, "kind": column.kind, **values, "fill": column.fill}


def _assemble(network: Network, table: dict[str, Any]) -> TabularModel:
    version = table.get("version", FIRST)
    if version not in (FIRST, VERSION) or isinstance(version, bool):
        raise ValueError(f"its columns are kept in version {version!r}, and this fastmlp knows up to {VERSION}")
    if version == FIRST:
        columns: list[Column] = [Number(name) for name in _names(table.get("features"))]
    else:
        columns = [_column(stored) for stored in _list(table.get("columns"))]
    [target], classes = _names([table.get("target")]), _names(table.get("classes"))
    n_in, n_out = network.layer_sizes[0], network.layer_sizes[-1]
    inputs = [name for column in columns for name in column.input_names]
    if len(inputs) != n_in or len({column.name for column in columns}) < len(columns):
        raise ValueError("the names of its columns do not fit its network")
    model = TabularModel(
        network,
        columns,
        target,
        classes,
        _scaling(table.get("inputs"), n_in),
        _scaling(table.get("outputs"), n_out),
        "squared_error" if version == FIRST else _loss(table.get("loss"), network, bool(classes)),
        None if version == FIRST else _guess(table.get("guess"), len(classes) or 1),
        {} if version == FIRST else _training(table.get("training")),
    )
    if _n_outputs(model, version) != n_out:
        raise ValueError("the names of its columns do not fit its network")
    return model


def _n_outputs(model: TabularModel, version: int) -> int:
    """Return how many outputs the names in a table stand for."""
    if not model.classes:
        return len(model.output_names)
    if version != FIRST and model.network.activations[-1] == "sigmoid" and len(model.classes) == 2:
        return 1
    return len(model.classes)


def _list(stored: Any) -> list[Any]:
    if not isinstance(stored, list) or not stored:
        raise ValueError("the names of its columns are missing")
    return stored


def _names(stored: Any) -> list[str]:
    if not isinstance(stored, list) or not all(isinstance(name, str) for name in stored):
        raise ValueError("the names of its columns are missing")
    if len(set(stored)) < len(stored):
        raise ValueError("the names of its columns are there twice")
    return stored


def _column(stored: Any) -> Column:
    """Return a column of a table."""
    if not isinstance(stored, dict) or not isinstance(stored.get("name"), str):
        raise ValueError("the names of its columns are missing")
    name, kind, fill = stored["name"], stored.get("kind"), stored.get("fill")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"the names of its columns: {name!r} is of the unknown kind {kind!r}")
    if kind == Number.kind:
        if fill is not None and not _is_number(fill):
            raise ValueError(f"the names of its columns: {name!r} has {fill!r} for missing numbers")
        return Number(name, fill=fill if fill is None else float(fill))
    values = _names(stored.get("values"))
    if not values or not (fill is None or fill in values):
        raise ValueError(f"the names of its columns: {name!r} has no such value as {fill!r}, or none at all")
    made = OneHot if kind == OneHot.kind else Ordinal
    return made(name, values, fill=fill)


def _loss(stored: Any, network: Network, classifies: bool) -> str:
    """Return the name of a loss that goes with the network."""
    if not isinstance(stored, str):
        raise ValueError("the name of its loss is missing")
    loss_of(stored, network.activations[-1])
    if classifies != stored.lstrip().startswith("log_loss"):
        raise ValueError(f"its loss {stored!r} does not go with the names of its columns")
    return stored


def _guess(stored: Any, n: int) -> list[float] | None:
    if stored is None:
        return None
    if not isinstance(stored, list) or len(stored) != n or not all(map(_is_number, stored)):
        raise ValueError("its plainest guess does not fit its network")
    return [float(number) for number in stored]


def _training(stored: Any) -> dict[str, Any]:
    """Return how a model was trained: words and numbers, and the metrics of parts of the rows."""
    if not isinstance(stored, dict):
        raise ValueError("it does not tell how it was trained")
    parts = stored.get("metrics", {}).values()
    words = [value for name, value in stored.items() if name != "metrics"]
    metrics = [value for part in parts for name, value in part.items() if name != "plainest_guess"]
    guesses = [value for part in parts for value in part.get("plainest_guess", {}).values()]
    if not all(value is None or isinstance(value, (str, int, float)) for value in words) or not all(
        value is None or isinstance(value, (int, float)) for value in [*metrics, *guesses]
    ):
        raise ValueError("what it tells of its training is neither words nor numbers")
    return stored


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and bool(np.isfinite(float(value)))
    except OverflowError:
        return False


def _scaling(stored: Any, n: int) -> Scaling:
    """Return a scaling of a table."""
    try:
        scaling = Scaling(np.array(stored["mean"], np.float64), np.array(stored["scale"], np.float64))
    except (TypeError, ValueError, KeyError, OverflowError):
        raise ValueError("the scaling of its columns is no numbers") from None
    if scaling.mean.shape != (n,) or scaling.scale.shape != (n,) or not scaling.is_finite():
        raise ValueError("the scaling of its columns does not fit its network")
    return scaling
