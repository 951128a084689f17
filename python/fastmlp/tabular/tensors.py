"""Export to plain safetensors: every number of a model as a named tensor, for programs that know nothing of fastmlp.

``W1, b1, W2, b2, ...`` are those of the model file. Around them stand ``input_mean``, ``input_scale``, ``output_mean``
and ``output_scale``, as float64: with inputs x in the order of ``input_names`` of the file's metadata, the network is
given (x - input_mean) / input_scale, and its outputs y stand for y * output_scale + output_mean.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..network import Network
from ..reference import files
from ..reference.arrays import Array
from .model import TabularModel

NAMES = {"float32": "F32", "float64": "F64"}


def to_safetensors(network: Network, model: TabularModel | None, path: str | os.PathLike[str]) -> None:
    """Write a network, and what is around it if it is that of a table; OSError if the file cannot be written."""
    metadata: dict[str, Any] = {"layer_sizes": network.layer_sizes, "activations": network.activations}
    tensors: dict[str, Array] = {}
    for l, W in enumerate(network.weights, 1):
        tensors[f"W{l}"] = W
        if network.bias:
            tensors[f"b{l}"] = network.biases[l - 1]
    if model is not None:
        for name, scaling in (("input", model.inputs), ("output", model.outputs)):
            tensors |= {f"{name}_mean": scaling.mean, f"{name}_scale": scaling.scale}
        metadata |= {"input_names": model.input_names, "target": model.target, "classes": model.classes}
    files.write_atomically(path, _file(tensors, {name: files.to_json(value) for name, value in metadata.items()}))


def _file(tensors: dict[str, Array], metadata: dict[str, Any]) -> list[bytes]:
    """Return the parts of a safetensors file: the header's length, the header, and the bytes of each tensor."""
    header: dict[str, Any] = {"__metadata__": metadata}
    contents, start = [], 0
    for name, tensor in tensors.items():
        contents.append(np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<")).tobytes())
        stop = start + len(contents[-1])
        header[name] = {"dtype": NAMES[tensor.dtype.name], "shape": tensor.shape, "data_offsets": [start, stop]}
        start = stop
    text = files.to_json(header).encode("ascii")
    text += b" " * (-len(text) % 8)
    return [len(text).to_bytes(8, "little"), text, *contents]
