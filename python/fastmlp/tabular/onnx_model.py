"""A model of the command line as an ONNX model, with its columns as inputs and its classes as outputs.

If all columns are numbers, they are one input, X, a matrix. Otherwise each column is an input of its own, of shape
(n, 1) and with its name: float64, or strings. What stands in for missing numbers takes the place of NaN. Text that has
no place in its column's order gives NaN, as no error can be raised there.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ..reference import files
from ..reference.onnx_graph import Graph
from ..reference.onnx_network import add_network
from ..reference.sealed import to_json
from .columns import Column, Number, OneHot, Valued
from .model import TabularModel
from .table import MISSING, is_missing

if TYPE_CHECKING:
    from onnx import ModelProto

# Names that outputs and the network's tensors have: a column with such a name gets underscores at its end.
TAKEN = re.compile(r"label|probabilities|scores|variable|std|[WbZA]\d+")

# Missing values in all capitals and small letters, as what looks them up knows no rule for those.
WORDS = sorted({"".join(letters) for word in MISSING for letters in product(*zip(word, word.upper(), strict=True))})


def onnx_model(model: TabularModel) -> ModelProto:
    """Return the model; ImportError if onnx is not installed."""
    net = model.network
    graph = Graph(net.dtype)
    # Scaling is done in float64, as the command line does it.
    scaled = graph.add("Div", graph.add("Sub", _inputs(graph, model), model.inputs.mean), model.inputs.scale)
    Y_hat = add_network(graph, net, graph.cast(scaled, np.float64, net.dtype))
    Y_hat = graph.cast(Y_hat, net.dtype, np.float64)
    if not model.has_probabilities:
        Y_hat = graph.add("Add", graph.add("Mul", Y_hat, model.outputs.scale), model.outputs.mean)
    if model.classes:
        _add_classes(graph, model, Y_hat)
    else:
        _add_numbers(graph, model, Y_hat)
    names = to_json([column.name for column in model.columns])
    return graph.model(network=to_json(files.spec(net)), features=names, target=model.target)


def _inputs(graph: Graph, model: TabularModel) -> str:
    """Declare the inputs, and return those of the network, not scaled yet."""
    if all(isinstance(column, Number) for column in model.columns):
        X = graph.input("X", len(model.columns), np.float64)
        return _filled(graph, X, [column.fill for column in model.columns])
    # All names have to be known before nodes are given theirs.
    names = [column.name for column in model.columns]
    declared = [
        graph.input(_free(column.name, names), 1, np.float64 if isinstance(column, Number) else object)
        for column in model.columns
    ]
    parts = [_encoded(graph, name, column) for name, column in zip(declared, model.columns, strict=True)]
    return graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def _free(name: str, names: list[str]) -> str:
    """Return a column's name, or one like it where that is taken, which no other column has."""
    free = name
    while TAKEN.fullmatch(free) or (free != name and free in names):
        free += "_"
    return free


def _filled(graph: Graph, X: str, fills: list[float | str | None]) -> str:
    """Put what stands in for missing numbers in the place of NaN."""
    if all(fill is None for fill in fills):
        return X
    stand_ins = np.array([np.nan if fill is None else float(fill) for fill in fills])
    return graph.add("Where", graph.add("IsNaN", X), stand_ins, X)


def _encoded(graph: Graph, name: str, column: Column) -> str:
    """Return the inputs of the network that a column becomes."""
    if not isinstance(column, Valued):
        return _filled(graph, name, [column.fill])
    keys, places = list(column.values), list(range(len(column.values)))
    if column.fill is not None:
        words = [word for word in WORDS if word not in keys and is_missing(word)]
        keys, places = keys + words, places + [keys.index(str(column.fill))] * len(words)
    place = graph.add_ml("LabelEncoder", name, keys_strings=keys, values_int64s=places, default_int64=-1)
    if isinstance(column, OneHot):
        return graph.cast(graph.add("Equal", place, np.arange(len(column.values))), np.bool_, np.float64)
    number = graph.cast(place, np.int64, np.float64)
    return graph.add("Where", graph.add("Less", place, np.array(0)), np.array(np.nan), number)


def _add_classes(graph: Graph, model: TabularModel, Y_hat: str) -> None:
    if model.network.layer_sizes[-1] == 1:
        Y_hat = graph.add("Concat", graph.add("Sub", np.array(1.0), Y_hat), Y_hat, axis=1)
    classes = np.array(model.classes, object)
    graph.output(graph.add("Gather", classes, graph.add("ArgMax", Y_hat, axis=1, keepdims=0)), "label", object)
    word = "probabilities" if model.has_probabilities else "scores"
    graph.output(graph.add("Identity", Y_hat), word, np.float64, len(classes))


def _add_numbers(graph: Graph, model: TabularModel, Y_hat: str) -> None:
    """Declare what a regression predicts: a number, several quantiles, or a number and its deviation."""
    n_out = model.network.layer_sizes[-1]
    if model.network.activations[-1] == "mean_variance":
        mean, variance = graph.halves(Y_hat)
        graph.output(graph.flat(mean), "variable", np.float64)
        graph.output(graph.flat(graph.add("Sqrt", variance)), "std", np.float64)
    elif n_out == 1:
        graph.output(graph.flat(Y_hat), "variable", np.float64)
    else:
        graph.output(graph.add("Identity", Y_hat), "variable", np.float64, n_out)
