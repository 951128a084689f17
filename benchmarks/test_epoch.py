"""Batch-mode training: core and reference, batch (BGD), mini-batch (MBGD) and stochastic (SGD) descent.

Run with ``python -m pytest benchmarks``; compare runs with ``--benchmark-save`` and ``--benchmark-compare``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import reference

NETWORKS: dict[str, Any] = {"core": fastmlp.Network, "reference": reference.Network}

# Layer sizes, rows, and the batch sizes of one epoch.
SHAPES = {
    "tiny": ([1, 4, 4, 4, 4, 1], 50),
    "tabular": ([20, 64, 64, 1], 2000),
    "digits": ([64, 100, 10], 1797),
}
DESCENTS = {"BGD": None, "MBGD": 32, "SGD": 1}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("descent", DESCENTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_epoch(benchmark: Any, shape: str, descent: str, network: str) -> None:
    sizes, rows = SHAPES[shape]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, sizes[0])).astype(np.float32)
    Y = rng.standard_normal((rows, sizes[-1])).astype(np.float32)
    net = NETWORKS[network](sizes, random_state=0)
    optimizer = fastmlp.Adam()
    benchmark.group = f"{shape}, {descent}"
    benchmark.extra_info["samples"] = rows

    def epoch() -> None:
        net.train(X, Y, epochs=1, batch_size=DESCENTS[descent], optimizer=optimizer, random_state=0, n_threads=1)

    benchmark.pedantic(epoch, rounds=5, warmup_rounds=1)
