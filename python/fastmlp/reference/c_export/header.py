"""The header file: what is the same for every arithmetic."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..arrays import Array
from ..atomic import write_atomically
from . import text
from .fixed import forward
from .floats import FloatProgram
from .integers import FixedProgram
from .model import KINDS, Model, Program
from .report import CReport

if TYPE_CHECKING:
    from ..layers import Layers

# Rows of the self-check, and drawn rows on which floating point is measured where no data is given.
TEST_VECTORS = 4
DRAWN_ROWS = 256

# Right shifts of negative numbers are the compiler's choice in C; all known ones choose this.
ARITHMETIC_SHIFTS = """
#if (-1 >> 1) != -1
#error "this code needs a compiler whose right shifts keep the sign"
#endif
"""


def export(
    network: Layers,
    path: str | os.PathLike[str],
    name: str = "model",
    kind: str = "float32",
    calibration: npt.ArrayLike | None = None,
    input_scaling: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    output_scaling: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    input_names: Sequence[str] | None = None,
    labels: npt.ArrayLike | None = None,
    input_fill: npt.ArrayLike | None = None,
) -> CReport:
    """Write a network as a C header; see :meth:`fastmlp.Network.to_c`."""
    model = Model.checked(network, name, kind, input_scaling, output_scaling, input_names, labels, input_fill)
    X, source = _calibration(model, calibration)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found, and named
        program: Program = FixedProgram(model, X) if KINDS[model.kind] else FloatProgram(model)
        x, y = program.measure(X)
        report = _report(model, program, X, y)
        rows = np.unique(np.linspace(0, len(X) - 1, TEST_VECTORS).round().astype(int))
        x, y = program.measure(_with_gaps(model, X[rows]))
    code = [
        _macros(model, program, len(x)),
        program.definitions(),
        program.functions(),
        *([_class(model, program)] if model.is_classifier else []),
        program.test_arrays(x, y),
        _self_check(model, program, len(x)),
    ]
    parts = [_opening(model, program, report, source), *(text.named(part, name) for part in code), "#endif\n"]
    if model.labels:
        parts.insert(2, text.labels(f"{name}_labels", model.labels))
    content = "\n".join(parts)
    write_atomically(path, [content.encode("ascii")])
    return report


def _calibration(model: Model, calibration: npt.ArrayLike | None) -> tuple[Array, str]:
    """Return rows to measure on as float64, not scaled yet, and what they are."""
    n_in = model.network.layer_sizes[0]
    if calibration is not None:
        X = checks.matrix(calibration, "calibration", np.dtype(np.float64), n_in, f"a network of {n_in} input(s)")
        if not len(X):
            raise ValueError("calibration has no rows: there is nothing to measure")
        return X, f"{len(X)} rows of calibration data"
    if KINDS[model.kind]:
        raise ValueError(f"kind {model.kind!r} needs calibration=X: rows of typical inputs, from which formats follow")
    X = np.random.default_rng(0).standard_normal((DRAWN_ROWS, n_in))
    if model.input_scaling:
        X = X * model.input_scaling[1] + model.input_scaling[0]
    return X, f"{DRAWN_ROWS} rows drawn from a standard normal distribution"


def _with_gaps(model: Model, rows: Array) -> Array:
    """Return rows, and one more that misses all that something stands in for, if there is any."""
    if model.input_fill is None:
        return rows
    return np.vstack([rows, np.where(np.isnan(model.input_fill), rows[-1], np.nan)])


def _report(model: Model, program: Program, X: Array, y: Array) -> CReport:
    """Measure what the C code gives against the network in float64."""
    if (index := checks.find_nonfinite(y)) >= 0:
        row, output = divmod(index, y.shape[1])
        raise ValueError(f"row {row} of calibration: output {output} overflows in {model.kind}")
    Z, A = forward(model.network, model.scaled(X))
    Y_hat = A[-1]
    real = y.astype(np.float64)
    if isinstance(program, FixedProgram):
        real = program.real_outputs(y).astype(np.float64)
        Y_hat = Z[-1] if model.gives_net_inputs else Y_hat
    agreement = float(np.mean(model.chosen(real) == model.chosen(Y_hat))) if model.is_classifier else None
    if model.output_scaling:
        Y_hat = Y_hat * model.output_scaling[1] + model.output_scaling[0]
    error = real - Y_hat
    return CReport(
        model.kind,
        len(X),
        float(np.abs(error).max()),
        float(np.sqrt(np.square(error).mean())),
        agreement,
        program.data_bytes,
        program.stack_bytes,
    )


def _opening(model: Model, program: Program, report: CReport, source: str) -> str:
    sizes = model.network.layer_sizes
    layers = " -> ".join(
        [str(sizes[0]), *(f"{n} {s}" for n, s in zip(sizes[1:], model.network.activations, strict=True))]
    )
    error = f"largest error {report.max_error:.3g}, root mean square {report.rms_error:.3g}"
    if report.agreement is not None:
        error += f", same class in {report.agreement:.2%} of the rows"
    lines = [
        f"A multilayer perceptron, {layers}. Written by fastmlp; C99 that C++ takes too.",
        "",
        f"  {program.c_type} x[UPPER_N_INPUTS], y[UPPER_N_OUTPUTS];",
        "  PREFIX_predict(x, y);         x and y must not overlap; reentrant",
        *(["  PREFIX_class(y)               index of the class"] if model.is_classifier else []),
        "  PREFIX_self_check()           0, or the number of the first test vector that fails",
        "",
        *program.notes(),
        f"Measured on {source}, against the network in float64:",
        f"  {error}",
        f"Memory: {report.data_bytes} bytes of constants; {report.stack_bytes} bytes of arrays on the stack, to which",
        "a compiler adds the registers that it saves and what functions of <math.h> take.",
    ]
    lines = [text.named(line, model.name) for line in lines]
    if model.input_names:
        lines += ["", "Inputs: " + ", ".join(f"{i} {name}" for i, name in enumerate(model.input_names))]
    if model.input_fill is not None:
        fills = [f"{i} {fill:g}" for i, fill in enumerate(model.input_fill) if not np.isnan(fill)]
        lines += ["", f"What stands in for NaN: {', '.join(fills)}"]
    if model.labels:
        lines += ["", "Classes: " + ", ".join(f"{i} {label}" for i, label in enumerate(model.labels))]
    return text.comment(lines)


def _macros(model: Model, program: Program, n_tests: int) -> str:
    sizes = model.network.layer_sizes
    macros: dict[str, Any] = {
        "N_INPUTS": sizes[0],
        "N_OUTPUTS": sizes[-1],
        "N_LAYERS": len(sizes) - 1,
        **({"N_CLASSES": max(sizes[-1], 2)} if model.is_classifier else {}),
        "STACK_BYTES": program.stack_bytes,
        "N_TEST_VECTORS": n_tests,
        **program.macros(),
    }
    lines = "".join(f"#define UPPER_{name} {value}\n" for name, value in macros.items())
    shifts = ARITHMETIC_SHIFTS if KINDS[model.kind] else ""
    guard = "#ifndef UPPER_FASTMLP_H\n#define UPPER_FASTMLP_H\n"
    return f"{guard}\n#include <math.h>\n#include <stdint.h>\n{shifts}\n{lines}"


def _class(model: Model, program: Program) -> str:
    n = model.network.layer_sizes[-1]
    opening = f"static inline int PREFIX_class(const {program.c_type} y[{n}]) {{\n"
    if n == 1:
        return f"/* Index of the class: the second one where the output is above one half. */\n{opening}" + (
            f"  return y[0] > {program.threshold()};\n}}\n"
        )
    return f"""\
/* Index of the class: that of the largest output. */
{opening}  int best = 0;
  for (int j = 1; j < {n}; ++j) best = y[j] > y[best] ? j : best;
  return best;
}}
"""


def _self_check(model: Model, program: Program, n_tests: int) -> str:
    n = model.network.layer_sizes[-1]
    return f"""\
/* Returns 0 if all test vectors give what they should, otherwise the number of the first, from 1, that does not. */
static inline int PREFIX_self_check(void) {{
  for (int k = 0; k < {n_tests}; ++k) {{
    {program.c_type} y[{n}];
    PREFIX_predict(PREFIX_test_x[k], y);
    for (int j = 0; j < {n}; ++j) {{
      if ({program.failure("y[j]", "PREFIX_test_y[k][j]")}) return k + 1;
    }}
  }}
  return 0;
}}
"""
