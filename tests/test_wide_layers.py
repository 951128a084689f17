"""Layers too wide for the caches: however a run lays out its numbers, it agrees with the reference."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from conftest import randomize_biases, relative_error

import fastmlp
from fastmlp import reference
from fastmlp.reference.arrays import Array

# Layers, rows of a batch, and rows: the last batch is a short one.
CASES: dict[str, tuple[list[int], int, int]] = {
    "inputs in panels": ([700, 20, 3], 128, 300),
    "all in panels": ([9, 530, 520, 4], 150, 310),
    "a layer of one neuron on top": ([600, 700, 1], 130, 200),
    "blocks of a batch": ([6, 300, 310, 2], 1100, 1300),
    "few rows, so W has no transpose": ([9, 520, 300, 17, 2], 8, 20),
    "few rows, odd widths": ([9, 257, 161, 241, 33], 5, 12),
    "parameters past the cache": ([11, 810, 777, 5], 16, 40),
}
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


def samples(case: str) -> tuple[Array, Array]:
    sizes, _, n = CASES[case]
    rng = np.random.default_rng(5)
    X = rng.standard_normal((n, sizes[0]))
    X[rng.random(X.shape) < 0.5] = 0
    return X, rng.standard_normal((n, sizes[-1]))


def train(network: Any, case: str, activation: str, dtype: str, inputs: Any = None, **options: Any) -> tuple[Any, Any]:
    """Return a network that has made some steps, and its optimizer."""
    sizes, batch_size, _ = CASES[case]
    X, Y = samples(case)
    net = network(sizes, activation, dtype=dtype, random_state=3)
    randomize_biases(net, np.random.default_rng(4))
    rule = fastmlp.Adam(0.001, epsilon=1e-3)  # gradients of zero and of almost zero move parameters alike
    net.train(
        X if inputs is None else inputs,
        Y,
        epochs=2,
        batch_size=batch_size,
        optimizer=rule,
        random_state=6,
        **options,
    )
    return net, rule


@cache
def expected(case: str, activation: str, dtype: str, dropout: float) -> Array:
    net, _ = train(reference.Network, case, activation, dtype, dropout=dropout)
    return net.parameters.copy()


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("case", CASES)
def test_training(simd: str, case: str, activation: str, dtype: str, n_threads: int) -> None:
    net, _ = train(fastmlp.Network, case, activation, dtype, n_threads=n_threads)
    assert relative_error(net.parameters, expected(case, activation, dtype, 0.0)) < TOLERANCE[dtype]


@pytest.mark.parametrize("case", CASES)
def test_training_with_dropout(simd: str, case: str) -> None:
    net, _ = train(fastmlp.Network, case, "relu", "float64", dropout=0.3)
    assert relative_error(net.parameters, expected(case, "relu", "float64", 0.3)) < TOLERANCE["float64"]


@pytest.mark.parametrize("case", CASES)
def test_sparse_inputs_give_the_bits_of_dense_ones(case: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    dense, _ = train(fastmlp.Network, case, "tanh", "float32")
    net, _ = train(fastmlp.Network, case, "tanh", "float32", sparse.csr_array(samples(case)[0]))
    assert np.array_equal(net.parameters, dense.parameters)


@pytest.mark.parametrize("case", CASES)
def test_any_number_of_threads_gives_the_same_bits(simd: str, case: str) -> None:
    ends = [train(fastmlp.Network, case, "tanh", "float32", n_threads=n) for n in (1, 2, 3, 4)]
    for net, rule in ends[1:]:
        assert np.array_equal(net.parameters, ends[0][0].parameters)
        assert all(np.array_equal(a, b) for a, b in zip(rule.slots, ends[0][1].slots, strict=True))
