"""A network in fixed point: its C code. What it computes is in fixed.py."""

from __future__ import annotations

import numpy as np

from .. import specs
from ..arrays import Array
from . import forms, text
from .fixed import FixedLayer, quantise, quantised
from .model import KINDS, Model, Program

FLOAT32 = np.dtype(np.float32)


class FixedProgram(Program):
    """Predicts in integers of 8 or 16 bits, whose formats follow from calibration data."""

    def __init__(self, model: Model, calibration: Array) -> None:
        self.model, self.bits = model, KINDS[model.kind]
        self.fixed = quantise(model.network, model.scaled(calibration), self.bits)
        self.c_type, self.sum_type = f"int{self.bits}_t", "int32_t" if self.bits == 8 else "int64_t"
        self.sizes = model.network.layer_sizes
        self.tables: dict[bytes, int] = {}  # the layer that a table is named after: layers may share one
        for l, layer in enumerate(self.fixed.layers, 1):
            if layer.table:
                self.tables.setdefault(layer.table.values.tobytes(), l)

    def measure(self, X: Array) -> tuple[Array, Array]:
        given = self._quantised(X)
        return given, self.fixed.outputs(given)

    def real_outputs(self, y: Array) -> Array:
        """Return what integer outputs stand for, as the C code computes it."""
        factor, mean = self._output_factors()
        out: Array = y.astype(np.float32) * factor
        return out if mean is None else out + mean

    def _quantised(self, X: Array) -> Array:
        """Return inputs as the C code quantises them, in float32."""
        x = self.model.filled(X.astype(np.float32))
        if not self.model.input_scaling:
            return quantised(x, self.fixed.input_bits, self.bits).astype(np.int64)
        mean, factor = self._input_factors()
        return quantised((x - mean) * factor, 0, self.bits).astype(np.int64)

    def _input_factors(self) -> tuple[Array, Array]:
        mean, factor = self.model.input_factors
        return mean.astype(np.float32), np.ldexp(factor.astype(np.float32), self.fixed.input_bits)

    def _output_factors(self) -> tuple[Array, Array | None]:
        unit = np.ldexp(np.float32(1), -self.fixed.out_bits)
        if not self.model.output_scaling:
            return np.asarray(unit), None
        mean, scale = self.model.output_scaling
        return scale.astype(np.float32) * unit, mean.astype(np.float32)

    @property
    def stack_bytes(self) -> int:
        return sum(self._buffers().values()) * self.bits // 8

    @property
    def data_bytes(self) -> int:
        tables = sum(len(table) for table in self.tables)
        weights = sum(layer.W.size for layer in self.fixed.layers) * self.bits // 8
        biases = sum(layer.b.size for layer in self.fixed.layers if layer.b is not None)
        return weights + biases * (4 if self.bits == 8 else 8) + tables

    def notes(self) -> list[str]:
        lines = [
            f"Computes in {self.c_type} with sums in {self.sum_type}, which cannot overflow whatever the inputs are.",
            "A number q with n fraction bits stands for q * 2**-n. Fraction bits, chosen on the calibration data:",
            f"  inputs {self.fixed.input_bits}",
        ]
        for l, layer in enumerate(self.fixed.layers, 1):
            looked_up = f", in a table of {len(layer.table.values)} values" if layer.table else ""
            lines.append(
                f"  layer {l}: weights {layer.weight_bits}, sums {layer.scales.sum_bits}, outputs "
                f"{layer.scales.out_bits}; {specs.text(layer.activation)}{looked_up}"
            )
        if self.model.gives_net_inputs:
            lines.append(f"The outputs are the net inputs of {self.model.activation.name!r}, which is left out.")
        return lines

    def macros(self) -> dict[str, str]:
        return {
            "INPUT_FRACTION_BITS": str(self.fixed.input_bits),
            "OUTPUT_FRACTION_BITS": str(self.fixed.out_bits),
        }

    def definitions(self) -> str:
        arrays = []
        for l, layer in enumerate(self.fixed.layers, 1):
            arrays.append(text.array(self.c_type, f"PREFIX_W{l}", layer.W.T))
            if layer.b is not None:
                arrays.append(text.array(self.sum_type, f"PREFIX_b{l}", layer.b))
            if layer.table and self.tables[layer.table.values.tobytes()] == l:
                arrays.append(text.array("int16_t", f"PREFIX_table{l}", layer.table.values))
        if self.model.input_scaling:
            mean, factor = self._input_factors()
            arrays.append(text.array("float", "PREFIX_input_mean", mean))
            arrays.append(text.array("float", "PREFIX_input_factor", factor))
        if self.model.output_scaling:
            factor, offset = self._output_factors()
            arrays.append(text.array("float", "PREFIX_output_factor", factor))
            arrays.append(text.array("float", "PREFIX_output_mean", np.asarray(offset)))
        return "\n".join(arrays)

    def functions(self) -> str:
        predict = [f"{self._signature('predict', self.c_type, self.c_type)} {{\n"]
        predict += [f"  {self.c_type} {name}[{n}];\n" for name, n in self._buffers().items()]
        predict += [self._layer(l, layer) for l, layer in enumerate(self.fixed.layers, 1)]
        return "\n".join([*self._helpers(), "".join(predict) + "}\n", self._quantize(), self._dequantize()])

    def _signature(self, name: str, x_type: str, y_type: str) -> str:
        return f"static inline void PREFIX_{name}(const {x_type} x[{self.sizes[0]}], {y_type} y[{self.sizes[-1]}])"

    def _helpers(self) -> list[str]:
        names = {layer.activation.name for layer in self.fixed.layers}
        wide = "int64_t" if names & {"leaky_relu", "softsign"} else self.sum_type
        low, high = -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        saturate = f"""\
/* Saturation: what is beyond the ends becomes them. */
static inline {self.c_type} PREFIX_saturate({wide} v) {{
  return ({self.c_type})(v < {low} ? {low} : v > {high} ? {high} : v);
}}
"""
        functions = [saturate]
        functions += [f.replace("SUM", self.sum_type) for name, f in forms.INTEGER_FUNCTIONS.items() if name in names]
        table = next((layer.table for layer in self.fixed.layers if layer.table), None)
        if table:
            end = table.largest
            functions.append(f"""\
/* The value of a table at a net input z, linear between its entries. */
static inline {self.c_type} PREFIX_look_up(const int16_t table[], int step_bits, {self.sum_type} z) {{
  const int32_t u = (int32_t)(z < {-end - 1} ? {-end - 1} : z > {end} ? {end} : z) + {end + 1};
  const int32_t i = u >> step_bits, rest = u & (((int32_t)1 << step_bits) - 1);
  const int32_t v = table[i] * ((int32_t)1 << step_bits) + ((int32_t)table[i + 1] - table[i]) * rest;
  const int shift = step_bits + {table.finer};
  return PREFIX_saturate((v + ((int32_t)1 << (shift - 1))) >> shift);
}}
""")
        return functions

    def _layer(self, l: int, layer: FixedLayer) -> str:
        n_out, n_in = layer.W.shape[::-1]
        x = "x" if l == 1 else _buffer(l - 1)
        y = "y" if l == len(self.fixed.layers) else _buffer(l)
        start = f"PREFIX_b{l}[j]" if layer.b is not None else "0"
        product = f"(int32_t)PREFIX_W{l}[j][i] * {x}[i]"
        return f"""
  /* layer {l}: {n_in} -> {n_out}, {specs.text(layer.activation)} */
  for (int j = 0; j < {n_out}; ++j) {{
    {self.sum_type} sum = {start};
    for (int i = 0; i < {n_in}; ++i) sum += {product};
    {y}[j] = {self._activated(layer)};
  }}
"""

    def _activated(self, layer: FixedLayer) -> str:
        def number(value: int) -> str:
            return str(value) if value < 2**31 else text.integer(value, "int64_t")

        if not layer.table:
            return f"PREFIX_saturate({forms.integer_form(layer.activation.name, layer.scales, number)})"
        table = f"PREFIX_table{self.tables[layer.table.values.tobytes()]}"
        shift = layer.scales.sum_bits - layer.table.z_bits
        z = f"(sum + {number(forms.rounding(shift))}) >> {shift}" if shift else "sum"
        return f"PREFIX_look_up({table}, {layer.table.step_bits}, {z})"

    def _quantize(self) -> str:
        low, high = (text.real(v, FLOAT32) for v in (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1))
        x = self.model.input
        v = f"{x} * {text.real(2.0**self.fixed.input_bits, FLOAT32)}"
        if self.model.input_scaling:
            v = f"({x} - PREFIX_input_mean[i]) * PREFIX_input_factor[i]"
        n = self.sizes[0]
        half = text.real(0.5, FLOAT32)
        return f"""\
{self.model.fill_code(FLOAT32)}\
/* The inputs of predict for {"unscaled " if self.model.input_scaling else ""}inputs in float. */
static inline void PREFIX_quantize(const float x[{n}], {self.c_type} q[{n}]) {{
  for (int i = 0; i < {n}; ++i) {{
    const float v = {v};
    q[i] = ({self.c_type})(v < {high} ? v > {low} ? floorf(v + {half}) : {low} : {high});
  }}
}}
"""

    def _dequantize(self) -> str:
        n = self.sizes[-1]
        v = f"(float)q[j] * {text.real(2.0**-self.fixed.out_bits, FLOAT32)}"
        if self.model.output_scaling:
            v = "(float)q[j] * PREFIX_output_factor[j] + PREFIX_output_mean[j]"
        return f"""\
/* What outputs of predict stand for, in float. */
static inline void PREFIX_dequantize(const {self.c_type} q[{n}], float y[{n}]) {{
  for (int j = 0; j < {n}; ++j) y[j] = {v};
}}
"""

    def failure(self, y: str, expected: str) -> str:
        return f"{y} != {expected}"

    def threshold(self) -> str:
        return str(round(2.0 ** (self.fixed.out_bits - 1)))

    def test_arrays(self, x: Array, y: Array) -> str:
        return "\n".join(text.array(self.c_type, f"PREFIX_test_{name}", a) for name, a in (("x", x), ("y", y)))

    def _buffers(self) -> dict[str, int]:
        """Return the sizes of the arrays that hidden layers write to in turn."""
        sizes: dict[str, int] = {}
        for l, n in enumerate(self.sizes[1:-1], 1):
            sizes[_buffer(l)] = max(n, sizes.get(_buffer(l), 0))
        return sizes


def _buffer(l: int) -> str:
    return "odd" if l % 2 else "even"
