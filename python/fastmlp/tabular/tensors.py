"""Export to plain safetensors: every number of a model as a named tensor, for programs that know nothing of fastmlp.

``W1, b1, W2, b2, ...`` are those of the model file. Around them stand ``input_mean``, ``input_scale``, ``output_mean``
and ``output_scale``, as float64: with inputs x in the order of ``input_names`` of the file's metadata, the network is
given (x - input_mean) / input_scale, and its outputs y stand for y * output_scale + output_mean. ``input_fill``, if it
is there, has what stands in for missing x, and NaN where nothing does. The metadata has one entry, ``model``: JSON.
"""

from __future__ import annotations

import os
from typing import Any

from .. import tensors
from ..network import Network
from ..reference import files
from ..reference.atomic import write_atomically
from ..reference.sealed import to_json
from .model import TabularModel


def to_safetensors(network: Network, model: TabularModel | None, path: str | os.PathLike[str]) -> None:
    """Write a network, and what is around it if it is that of a table; OSError if the file cannot be written."""
    metadata: dict[str, Any] = {"layer_sizes": network.layer_sizes, "activations": network.activations}
    named = files.named_parameters(network)
    if model is not None:
        for name, scaling in (("input", model.inputs), ("output", model.outputs)):
            named |= {f"{name}_mean": scaling.mean, f"{name}_scale": scaling.scale}
        if model.input_fill is not None:
            named["input_fill"] = model.input_fill
        metadata |= {"input_names": model.input_names, "target": model.target, "classes": model.classes}
    write_atomically(path, [tensors.save(named, {"model": to_json(metadata)})])
