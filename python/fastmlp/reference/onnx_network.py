"""Networks as ONNX models."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import files
from .activations import output_activation_of
from .atomic import write_atomically
from .onnx_activations import add_activation
from .onnx_graph import Graph
from .sealed import to_json

if TYPE_CHECKING:
    from onnx import ModelProto

    from .layers import Layers

# A protocol buffer ends at 2 GiB; what is no parameter takes far less than the rest.
MAX_BYTES = 2**31 - 2**20


def add_network(graph: Graph, network: Layers, X: str) -> str:
    """Add a network that reads X, and return the name of its outputs."""
    files.check_parameters(network)
    if network.parameters.nbytes > MAX_BYTES:
        raise ValueError(
            f"the parameters take {network.parameters.nbytes} bytes, and an ONNX file has room for {MAX_BYTES}"
        )
    A = X
    for l, (W, spec) in enumerate(zip(network.weights, network.activations, strict=True), 1):
        Z = graph.add("MatMul", A, graph.constant(W, f"W{l}"))
        if network.bias:
            # A Gemm would be both in one, but before 1.18 ONNX Runtime could not run those of float64.
            Z = graph.add("Add", Z, graph.constant(network.biases[l - 1], f"b{l}"))
        Z = graph.rename(Z, f"Z{l}")
        A = graph.rename(add_activation(graph, Z, output_activation_of(spec)), f"A{l}")
    return A


def network_model(network: Layers) -> ModelProto:
    """Return a network as a model: input X, output Y_hat."""
    graph = Graph(network.dtype)
    A = add_network(graph, network, graph.input("X", network.layer_sizes[0], network.dtype))
    graph.output(A, "Y_hat", network.dtype, network.layer_sizes[-1])
    return graph.model(network=to_json(files.spec(network)))


def written(model: ModelProto, path: str | os.PathLike[str] | None) -> ModelProto:
    """Write a model to a file, if there is a path for it, and return it."""
    if path is not None:
        write_atomically(path, [model.SerializeToString()])
    return model
