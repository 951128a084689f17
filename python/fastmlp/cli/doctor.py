"""``fastmlp doctor``: what this installation is, and whether it computes what it should."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from typing import Any

import numpy as np

from .. import Adam, Network, __version__, _core, reference
from ..reference.activations import ACTIVATIONS
from ..reference.arrays import Array
from . import arguments
from .output import print_json

DTYPES = ("float32", "float64")

# Vectors of every instruction set leave a remainder in these sizes. Errors are relative to the
# largest element: float32 sums of some 40 terms are good to about 1e-6, float64 to 1e-15.
LAYER_SIZES, N_ROWS = (5, 33, 19, 3), 37
TOLERANCE = {"float32": 1e-4, "float64": 1e-11}


def add(commands: Any) -> None:
    """Declare the command."""
    command = arguments.add_command(
        commands,
        "doctor",
        "check this installation",
        "Print versions, instruction sets and threads, and compare the compiled core with the NumPy reference for "
        "every instruction set of this machine. The exit code is 1 if a check fails.",
        "fastmlp doctor",
    )
    arguments.add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the facts, then one line per check."""
    facts, checks = _facts(), []
    if not args.json:
        for name, fact in facts.items():
            print(f"{name:24}{fact}")
    for isa in _core.simd_available():
        for dtype in DTYPES:
            checks.append(_check(isa, dtype))
            if not args.json:
                print(_told(checks[-1]), flush=True)
    n_failed = sum(not check["agrees"] for check in checks)
    if args.json:
        print_json({**facts, "checks": checks})
    else:
        print(f"FAILED: {n_failed} of {len(checks)} checks" if n_failed else "all is well")
    return 1 if n_failed else 0


def _facts() -> dict[str, str]:
    """Return what this installation is made of."""
    return {
        "fastmlp": f"{__version__}, in {os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}",
        "Python": f"{platform.python_version()}, {sys.executable}",
        "NumPy": np.__version__,
        "platform": platform.platform(),
        "compiler": _core.compiler(),
        "instruction sets built": ", ".join(_core.simd_built()),
        "available": ", ".join(_core.simd_available()),
        "in use": _core.simd() + (f" (FASTMLP_SIMD={forced})" if (forced := os.environ.get("FASTMLP_SIMD")) else ""),
        "threads": f"{_core.n_threads()} may be used, of {os.cpu_count()} processors",
    }


def _check(isa: str, dtype: str) -> dict[str, Any]:
    """Compare the core with the reference on one instruction set; return what was found."""
    before = _core.simd()
    _core.use_simd(isa)
    try:
        # The maximum of NumPy, unlike that of Python, is NaN if one of the numbers is.
        tests = (_value_error, _gradient_error, _training_error)
        errors = {name: float(np.max([test(name, dtype) for test in tests])) for name in ACTIVATIONS}
    finally:
        _core.use_simd(before)
    worst = max(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
    return {
        "simd": isa,
        "dtype": dtype,
        "agrees": all(error <= TOLERANCE[dtype] for error in errors.values()),
        "difference": errors[worst],
        "worst": worst,
        "allowed": TOLERANCE[dtype],
    }


def _told(check: dict[str, Any]) -> str:
    verdict = "agree" if check["agrees"] else "DISAGREE"
    return (
        f"{check['simd'] + ' ' + check['dtype']:24}activations, gradients and training {verdict} with NumPy: "
        f"difference {check['difference']:.1e} ({check['worst']}), allowed {check['allowed']:.0e}"
    )


def _pair(activation: str, dtype: str) -> tuple[Network, reference.Network]:
    """Return the same network twice."""
    core = Network(LAYER_SIZES, activation, activation, dtype=dtype, random_state=1)
    return core, reference.Network(LAYER_SIZES, activation, activation, dtype=dtype, random_state=1)


def _samples(dtype: str) -> tuple[Array, Array]:
    """Return inputs and targets."""
    rng = np.random.default_rng(2)
    X = rng.uniform(-1, 1, (N_ROWS, LAYER_SIZES[0]))
    return X.astype(dtype), rng.uniform(-1, 1, (N_ROWS, LAYER_SIZES[-1])).astype(dtype)


def _value_error(activation: str, dtype: str) -> float:
    """Return the largest difference of the activation's values, from tiny to huge net inputs."""
    magnitudes = np.logspace(-8, 30, 300)
    Z = np.concatenate([-magnitudes, magnitudes]).astype(dtype).reshape(-1, 1)
    nets = (cls.from_parameters([np.ones((1, 1), dtype)], None, [], activation) for cls in (Network, reference.Network))
    core, twin = (net.predict(Z) for net in nets)
    difference = np.subtract(core, twin, where=core != twin, out=np.zeros_like(core))  # both may be inf
    return float((np.abs(difference) / np.maximum(1, np.minimum(np.abs(twin), np.finfo(dtype).max))).max())


def _gradient_error(activation: str, dtype: str) -> float:
    """Return the largest difference between the two gradients, relative to the largest element of each layer's."""
    X, Y = _samples(dtype)
    core, twin = (net.gradients(X, Y) for net in _pair(activation, dtype))
    pairs = zip((*core.weights, *core.biases), (*twin.weights, *twin.biases), strict=True)
    return float(np.max([_relative(a, b) for a, b in pairs]))


def _training_error(activation: str, dtype: str) -> float:
    """Return the largest difference between the two networks' parameters after a few epochs, relative likewise."""
    X, Y = _samples(dtype)
    nets = _pair(activation, dtype)
    for net in nets:
        net.train(X, Y, epochs=3, batch_size=8, optimizer=Adam(), random_state=3)
    return _relative(nets[0].parameters, nets[1].parameters)


def _relative(a: Array, b: Array) -> float:
    """Return the largest difference of two arrays over the largest element of the second."""
    return float(np.abs(a - b).max() / np.abs(b).max())
