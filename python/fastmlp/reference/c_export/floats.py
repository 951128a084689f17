"""A network in floating point: its C code, and what that computes, in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..activations import activation_of, output_activation_of
from ..arrays import Array
from ..links import LINKS
from . import forms, text
from .model import Model, Program

if TYPE_CHECKING:
    from ..layers import Layers

# How far the self-check's outputs may be off, relative to max(1, |y|): libraries round functions differently.
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


class FloatProgram(Program):
    """Predicts in float or double, with plain loops that always add in the same order."""

    def __init__(self, model: Model) -> None:
        self.model, self.dtype = model, np.dtype(model.kind)
        self.network: Layers = model.network.as_dtype(self.dtype)
        self.c_type = "float" if self.dtype == np.float32 else "double"

    def measure(self, X: Array) -> tuple[Array, Array]:
        given = X.astype(self.dtype)
        A = self.model.filled(given)
        if self.model.input_scaling:
            mean, factor = (v.astype(self.dtype) for v in self.model.input_factors)
            A = (A - mean) * factor
        for l, W in enumerate(self.network.weights):
            sums = np.zeros((len(A), W.shape[1]), self.dtype)
            if self.network.bias:
                sums += self.network.biases[l]
            for i in range(len(W)):
                sums += A[:, i : i + 1] * W[i]
            A = output_activation_of(self.network.activations[l]).value(sums)
        if self.model.output_scaling:
            mean, scale = (v.astype(self.dtype) for v in self.model.output_scaling)
            A = A * scale + mean
        return given, A

    @property
    def stack_bytes(self) -> int:
        return sum(self._buffers().values()) * self.dtype.itemsize

    @property
    def data_bytes(self) -> int:
        scaling = 2 * sum(len(s[0]) for s in (self.model.input_scaling, self.model.output_scaling) if s)
        fill = 0 if self.model.input_fill is None else len(self.model.input_fill)
        return (self.network.parameters.size + scaling + fill) * self.dtype.itemsize

    def notes(self) -> list[str]:
        lines = [f"Computes in {self.c_type}; inputs and outputs are {self.c_type}."]
        if self.model.network.dtype != self.dtype:
            lines.append(f"The network is {self.model.network.dtype.name}: its parameters are {self._rounded()}.")
        return lines

    def _rounded(self) -> str:
        if self.dtype == np.float64:
            return "the same in double"
        rounding = np.abs(self.model.network.parameters - self.network.parameters).max()
        return f"rounded to float, by {rounding:.2g} at most"

    def macros(self) -> dict[str, str]:
        return {"TOLERANCE": text.real(TOLERANCES[self.dtype.name], self.dtype)}

    def definitions(self) -> str:
        network, arrays = self.network, []
        for l, W in enumerate(network.weights, 1):
            arrays.append(text.array(self.c_type, f"PREFIX_W{l}", W))
            if network.bias:
                arrays.append(text.array(self.c_type, f"PREFIX_b{l}", network.biases[l - 1]))
        arrays += self.model.scaling_arrays(self.dtype)
        return "\n".join(arrays)

    def functions(self) -> str:
        n_in, n_out = self.network.layer_sizes[0], self.network.layer_sizes[-1]
        lines = [self.model.fill_code(self.dtype)]
        lines += [f"static inline void PREFIX_predict(const {self.c_type} x[{n_in}], {self.c_type} y[{n_out}]) {{\n"]
        lines += [f"  {self.c_type} {name}[{n}];\n" for name, n in self._buffers().items()]
        for l in range(1, len(self.network.layer_sizes)):
            lines.append(self._layer(l))
        y = f"{_buffer(len(self.network.weights))}[j]"
        if self.model.output_scaling:
            y = f"{y} * PREFIX_output_scale[j] + PREFIX_output_mean[j]"
        lines.append(f"  for (int j = 0; j < {n_out}; ++j) y[j] = {y};\n}}\n")
        return "".join(lines)

    def failure(self, y: str, expected: str) -> str:
        f = "f" if self.dtype == np.float32 else ""
        size = f"fmax{f}({text.real(1, self.dtype)}, fabs{f}({expected}))"
        return f"!(fabs{f}({y} - {expected}) <= UPPER_TOLERANCE * {size})"

    def threshold(self) -> str:
        return text.real(0.5, self.dtype)

    def test_arrays(self, x: Array, y: Array) -> str:
        return "\n".join(text.array(self.c_type, f"PREFIX_test_{name}", a) for name, a in (("x", x), ("y", y)))

    def _buffers(self) -> dict[str, int]:
        """Return the sizes of the arrays that layers write to in turn."""
        sizes: dict[str, int] = {}
        for l, n in enumerate(self.network.layer_sizes[1:], 1):
            sizes[_buffer(l)] = max(n, sizes.get(_buffer(l), 0))
        return sizes

    def _layer(self, l: int) -> str:
        n_in, n_out = self.network.layer_sizes[l - 1 : l + 1]
        spec, a = self.network.activations[l - 1], _buffer(l)
        start = f"PREFIX_b{l}[j]" if self.network.bias else text.real(0, self.dtype)
        value = f"{_buffer(l - 1)}[i]" if l > 1 else self.model.input
        if l == 1 and self.model.input_scaling:
            value = f"({value} - PREFIX_input_mean[i]) * PREFIX_input_factor[i]"
        out = f"""
  /* layer {l}: {n_in} -> {n_out}, {spec} */
  for (int j = 0; j < {n_out}; ++j) {a}[j] = {start};
  for (int i = 0; i < {n_in}; ++i) {{
    const {self.c_type} v = {value};
    for (int j = 0; j < {n_out}; ++j) {a}[j] += v * PREFIX_W{l}[i][j];
  }}
"""
        if spec in LINKS:
            return out + forms.link_form(spec, self.dtype, n_out, a)
        if spec == "linear":
            return out
        form = forms.real_form(activation_of(spec), self.dtype)
        return (
            out
            + f"""\
  for (int j = 0; j < {n_out}; ++j) {{
    const {self.c_type} z = {a}[j];
    {a}[j] = {form};
  }}
"""
        )


def _buffer(l: int) -> str:
    return "odd" if l % 2 else "even"
