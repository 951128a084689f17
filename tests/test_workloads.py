"""The networks of benchmarks/compare_peers.py, cut short: the same bits whatever computes them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.reference.activations import ACTIVATIONS
from fastmlp.reference.arrays import Array

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from compare_peers import WORKLOADS, Workload

MULTIPLY_ADDS = 3e8  # of a run: enough that threads are started for it


def make_data(work: Workload) -> tuple[Array, Array]:
    pairs = zip(work.sizes[:-1], work.sizes[1:], strict=True)
    rows = int(MULTIPLY_ADDS / (3 * sum(n * m for n, m in pairs)))
    n = max(min(rows, work.rows), work.batch + 1)
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal((n, columns)).astype(np.float32) for columns in (work.sizes[0], work.sizes[-1]))


@pytest.mark.parametrize("name", WORKLOADS)
def test_same_bits_for_any_number_of_threads_and_from_run_to_run(simd: str, name: str) -> None:
    work = WORKLOADS[name]
    X, Y = make_data(work)
    ends = []
    for n_threads in (1, 2, 3, 4, 8, 8):
        net = fastmlp.Network(work.sizes, work.activation, random_state=0)
        optimizer = fastmlp.Adam() if work.rule == "adam" else fastmlp.SGD()
        history = net.train(
            X, Y, epochs=2, batch_size=work.batch, optimizer=optimizer, random_state=0, n_threads=n_threads
        )
        ends.append((history.loss, net.parameters.tobytes()))
    assert all(end == ends[0] for end in ends)


# Threads then have parameters of their own.
GROUPS = {
    "a last batch of fewer groups": ([20, 64, 64, 1], 400, 4030, {}),
    "a last batch that is not dealt": ([20, 64, 64, 1], 400, 4010, {}),
    "limits and penalties": ([30, 100, 60, 3], 256, 4000, {"clip_norm": 0.5, "l2": 1e-3, "max_norm": 0.3}),
    "slots of two steps, mostly padding": ([20_000, 2], 100, 200, {}),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GROUPS)
def test_groups_of_rows_have_the_same_bits_for_any_number_of_threads(simd: str, name: str, dtype: str) -> None:
    sizes, batch_size, rows, limits = GROUPS[name]
    rng = np.random.default_rng(0)
    X, Y = (rng.standard_normal((rows, columns)).astype(dtype) for columns in (sizes[0], sizes[-1]))
    ends = []
    for n_threads in (1, 2, 3, 4, 8):
        net = fastmlp.Network(sizes, dtype=dtype, random_state=0)
        assert net._core.kind_of_steps(batch_size, bool(limits)) == "groups"
        optimizer = fastmlp.Adam(**limits)
        for _ in range(3):
            net.train(X, Y, epochs=1, batch_size=batch_size, optimizer=optimizer, random_state=0, n_threads=n_threads)
        ends.append(net.parameters.tobytes())
    assert all(end == ends[0] for end in ends)


@pytest.mark.parametrize("sizes", [[1, 1], [4, 8, 1], [20, 17, 33, 1], [5, 65, 3], [28, 300, 300, 1], [64, 1024, 10]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_rows_prediction_is_the_same_in_any_company(simd: str, sizes: list[int], dtype: str) -> None:
    X = np.random.default_rng(0).standard_normal((500, sizes[0])).astype(dtype)
    net = fastmlp.Network(sizes, dtype=dtype, random_state=0)
    whole = net.predict(X)
    for n in (1, 2, 3, 7, 63, 64, 65, 499):
        for first in (0, (500 - n) // 2, 500 - n):
            for n_threads in (1, 8):
                rows = slice(first, first + n)
                assert np.array_equal(net.predict(X[rows], n_threads=n_threads), whole[rows])
    assert np.array_equal(net.predict(np.asfortranarray(X)), whole)
    assert np.array_equal(net.predict(X[::-2]), whole[::-2])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_activation_is_the_same_in_any_company(simd: str, activation: str, dtype: str) -> None:
    X = np.random.default_rng(0).normal(0, 3, (97, 5)).astype(dtype)
    for hidden in ([3], [16], [40, 17]):
        net = fastmlp.Network([5, *hidden, 2], activation, dtype=dtype, random_state=0)
        whole = net.predict(X)
        for n in range(1, 14):
            np.testing.assert_array_equal(net.predict(X[-n:]), whole[-n:])
