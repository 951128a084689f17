"""Graphs of ONNX's operators, which other runtimes run.

The operators are those of opset 13, of 2020, which ONNX Runtime has known since 1.6. Younger ones have nothing that
is needed here; older ones have Softmax, Split and Squeeze in forms that were given up with it.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import checks
from .arrays import Array

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 13
ML, OPSET_OF_ML = "ai.onnx.ml", 2  # of 2019: text is looked up there
IR_VERSION = 7  # of the file format, as old as the opset


def onnx() -> ModuleType:
    """Return the package, or raise naming the command that installs it."""
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ModuleNotFoundError:
        raise checks.missing_extra("onnx", "onnx") from None
    return onnx


class Graph:
    """A graph that is being built. Tensors are known by their names; Python's numbers become constants of ``dtype``.

    Attributes
    ----------
    dtype : numpy.dtype
        Of the network's numbers, float32 or float64.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._onnx = onnx()
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._names: set[str] = set()  # of the inputs
        self._uses_ml = False

    def add(self, op: str, *operands: str | float | Array, **attributes: Any) -> str:
        """Add a node, and return the name of its result."""
        return self._add(op, [self._next(op)], operands, attributes)[0]

    def add_ml(self, op: str, *operands: str, **attributes: Any) -> str:
        """Add a node of the domain for classical machine learning, and return the name of its result."""
        self._uses_ml = True
        return self._add(op, [self._next(op)], operands, {**attributes, "domain": ML})[0]

    def halves(self, tensor: str) -> tuple[str, str]:
        """Return the first and the second half of the columns."""
        results = [self._next("first"), self._next("second")]
        first, second = self._add("Split", results, [tensor], {"axis": 1})
        return first, second

    def flat(self, tensor: str) -> str:
        """Return a tensor of one column without the axis of the columns."""
        return self.add("Squeeze", tensor, np.array([1], np.int64))

    def cast(self, tensor: str, old: npt.DTypeLike, new: npt.DTypeLike) -> str:
        """Return a tensor in another type than its own."""
        return tensor if old == new else self.add("Cast", tensor, to=self._type(np.dtype(new)))

    def constant(self, value: npt.ArrayLike, name: str | None = None) -> str:
        """Return the name of a tensor that is always the same."""
        name = name or self._free(f"constant_{len(self._constants) + 1}")
        self._constants.append(self._onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def rename(self, tensor: str, name: str) -> str:
        """Give the result of a node another name, and return it."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if old == tensor else old for old in names]
        return name

    def input(self, name: str, n: int, dtype: npt.DTypeLike) -> str:
        """Declare an input of shape (n_rows, n), and return its name."""
        self._inputs.append(self._declared(name, np.dtype(dtype), [n]))
        self._names.add(name)
        return name

    def output(self, tensor: str, name: str, dtype: npt.DTypeLike, *shape: int) -> None:
        """Declare the result of a node to be an output of that name, of shape (n_rows, *shape)."""
        self._outputs.append(self._declared(self.rename(tensor, name), np.dtype(dtype), shape))

    def model(self, **metadata: str) -> ModelProto:
        """Return the model, with texts to keep in it."""
        from importlib.metadata import version  # slow to import

        helper = self._onnx.helper
        opsets = [helper.make_opsetid("", OPSET)]
        if self._uses_ml:
            opsets.append(helper.make_opsetid(ML, OPSET_OF_ML))
        graph = helper.make_graph(self._nodes, "network", self._inputs, self._outputs, self._constants)
        model: ModelProto = helper.make_model(
            graph,
            producer_name="fastmlp",
            producer_version=version("fastmlp"),
            opset_imports=opsets,
            ir_version=IR_VERSION,
        )
        helper.set_model_props(model, {f"fastmlp.{key}": text for key, text in metadata.items()})
        return model

    def _add(self, op: str, results: list[str], operands: Any, attributes: dict[str, Any]) -> list[str]:
        names = [x if isinstance(x, str) else self.constant(self._array(x)) for x in operands]
        self._nodes.append(self._onnx.helper.make_node(op, names, results, name=self._next(op), **attributes))
        return results

    def _next(self, word: str) -> str:
        """Return a name that no other node has, and no result of one."""
        return self._free(f"{word}_{len(self._nodes) + 1}")

    def _free(self, name: str) -> str:
        """Return a name that no input has."""
        while name in self._names:
            name += "_"
        return name

    def _array(self, value: float | Array) -> Array:
        return np.asarray(value, None if isinstance(value, (np.ndarray, np.generic)) else self.dtype)

    def _declared(self, name: str, dtype: np.dtype[Any], shape: Any) -> Any:
        return self._onnx.helper.make_tensor_value_info(name, self._type(dtype), ["n_rows", *shape])

    def _type(self, dtype: np.dtype[Any]) -> int:
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(dtype))
