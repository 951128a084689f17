"""C headers, compiled and run: what the tests of C code share."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp.reference.arrays import Array

GCC, ARM_GCC = shutil.which("gcc"), shutil.which("arm-none-eabi-gcc")
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic")
SANITIZERS = ("-O0", "-fsanitize=undefined,address,float-cast-overflow", "-fno-sanitize-recover=all")
FLOATS, FIXED = ("float32", "float64"), ("int16", "int8")

needs_gcc = pytest.mark.skipif(GCC is None, reason="there is no gcc to compile the header with")
needs_arm_gcc = pytest.mark.skipif(ARM_GCC is None, reason="there is no arm-none-eabi-gcc to compile the header with")

# Reads rows of inputs, and prints a line of outputs for each; of a model that fails its self-check, only the vector.
MAIN = """
#include <stdio.h>
{includes}
static int read_row(int n, double row[]) {{
  for (int i = 0; i < n; ++i) if (scanf("%lf", row + i) != 1) return 0;
  return 1;
}}
int main(void) {{
  double row[1000];
  int n_rows;
{models}
  return 0;
}}
"""
FLOAT_MODEL = """
  if (NAME_self_check()) {{ printf("NAME %d\\n", NAME_self_check()); return 1; }}
  if (scanf("%d", &n_rows) != 1) return 2;
  while (n_rows-- > 0 && read_row(UPPER_N_INPUTS, row)) {{
    {type} x[UPPER_N_INPUTS], y[UPPER_N_OUTPUTS];
    for (int i = 0; i < UPPER_N_INPUTS; ++i) x[i] = ({type})row[i];
    NAME_predict(x, y);
    for (int j = 0; j < UPPER_N_OUTPUTS; ++j) printf("%.17g ", (double)y[j]);
    printf("\\n");
  }}
"""
FIXED_MODEL = """
  if (NAME_self_check()) {{ printf("NAME %d\\n", NAME_self_check()); return 1; }}
  if (scanf("%d", &n_rows) != 1) return 2;
  while (n_rows-- > 0 && read_row(UPPER_N_INPUTS, row)) {{
    {type} q[UPPER_N_INPUTS], p[UPPER_N_OUTPUTS];
    float x[UPPER_N_INPUTS], y[UPPER_N_OUTPUTS];
    for (int i = 0; i < UPPER_N_INPUTS; ++i) x[i] = (float)row[i];
    NAME_quantize(x, q);
    NAME_predict(q, p);
    NAME_dequantize(p, y);
    for (int j = 0; j < UPPER_N_OUTPUTS; ++j) printf("%d %.17g ", p[j], (double)y[j]);
    printf("\\n");
  }}
"""


def run(command: list[Any], **options: Any) -> str:
    """Return what a command prints; it has to succeed in silence."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    return done.stdout


def outputs_of(folder: Path, models: dict[str, tuple[str, Array]], *flags: str) -> dict[str, Array]:
    """Compile headers that are in a folder to one program, and return what each model gives for its rows."""
    blocks, rows = [], []
    for name, (kind, X) in models.items():
        block = FLOAT_MODEL if kind in FLOATS else FIXED_MODEL
        c_type = {"float32": "float", "float64": "double"}.get(kind, f"{kind}_t")
        blocks.append(block.format(type=c_type).replace("NAME", name).replace("UPPER", name.upper()))
        rows += [str(len(X)), *(" ".join(map(repr, row)) for row in X.astype(np.float64).tolist())]
    includes = "\n".join(f'#include "{name}.h"' for name in models)
    (folder / "main.c").write_text(MAIN.format(includes=includes, models="".join(blocks)))
    run([GCC, *WARNINGS, *(flags or ("-O2",)), folder / "main.c", "-o", folder / "main", "-lm"])
    printed = iter(run([folder / "main"], input="\n".join(rows)).splitlines())
    return {name: np.array([next(printed).split() for _ in X], float) for name, (_, X) in models.items()}
