"""What is exported: a network, the scaling around it, and the names of inputs and classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..activations import output_activation_of
from ..arrays import Array
from . import text
from .fixed import left_out

if TYPE_CHECKING:
    from ..layers import Layers

KINDS = {"float32": 0, "float64": 0, "int16": 16, "int8": 8}

Scaling = tuple[Array, Array]


@dataclass(frozen=True)
class Model:
    """What is exported, checked.

    Attributes
    ----------
    network : Network
        The network.
    name, kind : str
        The prefix of all C names, and the arithmetic.
    input_scaling, output_scaling : (mean, scale) or None
        The network is given (x - mean) / scale, and y * scale + mean is what it gives.
    input_names, labels : list or None
        Names of the inputs, and labels of the classes.
    input_fill : ndarray or None
        What stands in for NaN in each input, and NaN for those in which nothing does.
    """

    network: Layers
    name: str
    kind: str
    input_scaling: Scaling | None
    output_scaling: Scaling | None
    input_names: list[str] | None
    labels: list[Any] | None
    input_fill: Array | None = None

    @classmethod
    def checked(
        cls,
        network: Layers,
        name: object,
        kind: object,
        input_scaling: Any,
        output_scaling: Any,
        input_names: Sequence[str] | None,
        labels: npt.ArrayLike | None,
        input_fill: npt.ArrayLike | None = None,
    ) -> Model:
        """Return what is exported, or raise an error that names what is wrong."""
        n_in, n_out = network.layer_sizes[0], network.layer_sizes[-1]
        checks.find(kind, KINDS, "kind")
        if (index := checks.find_nonfinite(network.parameters)) >= 0:
            raise ValueError(f"parameters[{index}] is {network.parameters[index]}: such a network is not exported")
        model = cls(
            network,
            text.check_name(name),
            str(kind),
            _scaling(input_scaling, "input_scaling", n_in, "input"),
            _scaling(output_scaling, "output_scaling", n_out, "output"),
            None if input_names is None else [str(v) for v in input_names],
            None if labels is None else np.asarray(labels).tolist(),
            _fill(input_fill, n_in),
        )
        model._check()
        return model

    def _check(self) -> None:
        n_in, n_out = self.network.layer_sizes[0], self.network.layer_sizes[-1]
        if self.input_names is not None and len(self.input_names) != n_in:
            raise ValueError(f"input_names has {len(self.input_names)} names, and the network {n_in} input(s)")
        if self.labels is not None:
            if np.ndim(self.labels) != 1 or len(self.labels) != max(n_out, 2):
                raise ValueError(f"labels must be {max(n_out, 2)} labels, one for each class, not {self.labels!r}")
            if n_out == 1 and self.network.activations[-1] != "sigmoid":
                raise ValueError("labels of two classes go with a single output whose activation is 'sigmoid'")
        if not self.output_scaling:
            return
        if self.is_classifier:
            raise ValueError("output_scaling is for regression: the outputs of this network are scores of classes")
        if KINDS[self.kind] and self.gives_net_inputs:
            raise ValueError(
                f"{self.kind} arithmetic gives the net inputs of {self.activation.name!r}, which the scaling of the "
                "outputs does not fit: take float32 or float64"
            )

    @property
    def activation(self) -> Any:
        """Activation of the outputs."""
        return output_activation_of(self.network.activations[-1])

    @property
    def is_classifier(self) -> bool:
        """Whether the outputs are scores of classes that exclude each other."""
        return self.labels is not None or self.activation.name == "softmax"

    @property
    def gives_net_inputs(self) -> bool:
        """Whether fixed point leaves out the activation of the outputs."""
        return left_out(self.network)

    @property
    def input_factors(self) -> Scaling:
        """What is subtracted from the inputs, and what they are multiplied by then."""
        assert self.input_scaling
        mean, scale = self.input_scaling
        return mean, 1 / scale

    @property
    def input(self) -> str:
        """Input i in C."""
        return "x[i]" if self.input_fill is None else "PREFIX_given(x, i)"

    def fill_code(self, dtype: np.dtype[Any]) -> str:
        """Return the C code that lets something stand in for missing inputs, if there is any."""
        if self.input_fill is None:
            return ""
        c_type = "float" if dtype == np.float32 else "double"
        return f"""\
/* Input i, or what stands in for it where it is NaN. */
{text.array(c_type, "PREFIX_input_fill", self.input_fill.astype(dtype))}\
static inline {c_type} PREFIX_given(const {c_type} x[], int i) {{
  return isnan(x[i]) ? PREFIX_input_fill[i] : x[i];
}}
"""

    def filled(self, X: Array) -> Array:
        """Return rows with what stands in for NaN."""
        return X if self.input_fill is None else np.where(np.isnan(X), self.input_fill.astype(X.dtype), X)

    def scaled(self, X: Array) -> Array:
        """Return the network's inputs for rows of given ones, as float64."""
        X = self.filled(X)
        if not self.input_scaling:
            return X
        mean, scale = self.input_scaling
        out: Array = (X - mean) / scale
        return out

    def chosen(self, Y: Array) -> Array:
        """Return the index of the class of each row of outputs: at a sigmoid above 0.5 the second of two."""
        return Y.argmax(axis=1) if Y.shape[1] > 1 else (Y[:, 0] > 0.5).astype(int)

    def scaling_arrays(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the definitions of the arrays of scaling."""
        c_type, arrays = "float" if dtype == np.float32 else "double", {}
        if self.input_scaling:
            arrays["input_mean"], arrays["input_factor"] = self.input_factors
        if self.output_scaling:
            arrays["output_mean"], arrays["output_scale"] = self.output_scaling
        return [text.array(c_type, f"PREFIX_{name}", a.astype(dtype)) for name, a in arrays.items()]


class Program(ABC):
    """The parts of a header that depend on the arithmetic. PREFIX and UPPER stand for the name in their text."""

    c_type: str

    @abstractmethod
    def measure(self, X: Array) -> tuple[Array, Array]:
        """Return rows as the C function takes them, and the outputs that it gives for them."""

    @property
    @abstractmethod
    def stack_bytes(self) -> int:
        """Bytes of the arrays on the stack of predict."""

    @property
    @abstractmethod
    def data_bytes(self) -> int:
        """Bytes of the const arrays that predict reads."""

    @abstractmethod
    def notes(self) -> list[str]:
        """Return lines of the opening comment."""

    @abstractmethod
    def macros(self) -> dict[str, str]:
        """Return macros, by their names without the prefix."""

    @abstractmethod
    def definitions(self) -> str:
        """Return the definitions of the const arrays."""

    @abstractmethod
    def functions(self) -> str:
        """Return the functions, ``predict`` among them."""

    @abstractmethod
    def failure(self, y: str, expected: str) -> str:
        """Return a condition that an output is wrong."""

    @abstractmethod
    def threshold(self) -> str:
        """Return the output above which a single sigmoid says the second class."""

    @abstractmethod
    def test_arrays(self, x: Array, y: Array) -> str:
        """Return the definitions of test vectors."""


def _fill(given: Any, n: int) -> Array | None:
    """Return what stands in for NaN as float64; None if nothing does."""
    if given is None:
        return None
    fill = np.asarray(given, np.float64)
    if fill.shape != (n,) or np.isinf(fill).any():
        raise ValueError(f"input_fill must be {n} number(s), one for each input, or NaN for none; got {given!r}")
    return None if np.isnan(fill).all() else fill


def _scaling(given: Any, name: str, n: int, what: str) -> Scaling | None:
    """Return mean and scale as float64; None for a scaling that changes nothing."""
    if given is None:
        return None
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise TypeError(f"{name} must be a pair (mean, scale), each with a number for every {what}")
    rows = [np.reshape(v, (1, -1)) for v in given]
    checked = [
        checks.matrix(v, f"{name}[{i}]", np.dtype(np.float64), n, f"{n} {what}(s)")[0] for i, v in enumerate(rows)
    ]
    mean, scale = checked
    if not scale.all():
        raise ValueError(f"{name}[1][{int((scale == 0).argmax())}] is 0: a scale is not")
    return None if not mean.any() and (scale == 1).all() else (mean, scale)
