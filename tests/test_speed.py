"""Guards of the fast paths: how many times longer the NumPy reference takes for the same steps, in turns.

The floors are far below what is measured with the best instruction set, so that a busy machine does not fall below
them; what does is a network that no longer takes its fast path.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import _core, reference

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from compare_peers import WORKLOADS, Workload

# Epochs and rows of a measured run, and the least ratio.
GUARDED = {"tiny": (200, 5, 50), "online": (1, 1000, 90), "tabular": (1, 3200, 2.5), "matexp": (2, 10_000, 2.0)}


def seconds(network: Any, work: Workload, epochs: int, rows: int) -> float:
    rng = np.random.default_rng(0)
    X, Y = (rng.standard_normal((rows, n)).astype(np.float32) for n in (work.sizes[0], work.sizes[-1]))
    net = network(work.sizes, work.activation, random_state=0)
    optimizer = fastmlp.Adam() if work.rule == "adam" else fastmlp.SGD()
    start = time.perf_counter()
    net.train(X, Y, epochs=epochs, batch_size=work.batch, optimizer=optimizer, shuffle=False, n_threads=1)
    return time.perf_counter() - start


@pytest.fixture
def best_instruction_set() -> Iterator[None]:
    before = _core.simd()
    _core.use_simd(_core.simd_available()[-1])
    yield
    _core.use_simd(before)


@pytest.mark.usefixtures("best_instruction_set")
@pytest.mark.parametrize("name", GUARDED)
def test_the_core_is_ahead_of_numpy(name: str) -> None:
    epochs, rows, floor = GUARDED[name]

    def ratio() -> float:
        arguments = WORKLOADS[name], epochs, rows
        ratios = [seconds(reference.Network, *arguments) / seconds(fastmlp.Network, *arguments) for _ in range(5)]
        return statistics.median(ratios)

    found: list[float] = []
    while len(found) < 3 and (not found or found[-1] < floor):
        found.append(ratio())
    assert found[-1] >= floor, found
