"""What the tests share: the backends, data, and how to compare."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import fastmlp
from fastmlp import _core, reference
from fastmlp.data import load_digits
from fastmlp.reference.arrays import Array
from fastmlp.reference.layers import Layers

INSTRUCTION_SETS = _core.simd_available()


@pytest.fixture(params=INSTRUCTION_SETS)
def simd(request: pytest.FixtureRequest) -> Iterator[str]:
    """Use each instruction set that this processor runs, in turn."""
    before = _core.simd()
    _core.use_simd(request.param)
    yield request.param
    _core.use_simd(before)


@pytest.fixture(params=["reference", *INSTRUCTION_SETS])
def backend(request: pytest.FixtureRequest) -> Iterator[type]:
    """Give the network class of the reference, and of the core with each instruction set."""
    if request.param == "reference":
        yield reference.Network
        return
    before = _core.simd()
    _core.use_simd(request.param)
    yield fastmlp.Network
    _core.use_simd(before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def digits() -> tuple[Array, Array]:
    """Give the handwritten digits: pixels, and one column per class."""
    X, labels = load_digits()
    return X, np.eye(10, dtype=np.float32)[labels]


def relative_error(a: Array, b: Array) -> float:
    """Return the largest difference over the largest value of b."""
    return float(np.abs(a - b).max() / max(np.abs(b).max(), np.finfo(b.dtype).tiny))


def randomize_biases(net: Layers, rng: np.random.Generator) -> None:
    for b in net.biases:
        b[:] = 0.3 * rng.standard_normal(b.shape)
