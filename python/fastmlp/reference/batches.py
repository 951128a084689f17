"""Which rows make up which batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .arrays import Array


def permutation(n: int, rng: np.random.Generator) -> Array:
    """Return 0..n-1 in random order: a Fisher-Yates shuffle that draws n - 1 numbers with ``rng.random``.

    The compiled core draws the same numbers from the same generator, so the order is the same
    there. (``Generator.permutation`` may change between NumPy versions; this does not.)
    """
    order = list(range(n))
    for i, u in zip(range(n - 1, 0, -1), rng.random(max(n - 1, 0)).tolist(), strict=True):
        j = int(u * (i + 1))
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64)


def batches(n: int, batch_size: int, rng: np.random.Generator | None) -> Iterator[Array | slice]:
    """Yield the rows of each batch of one epoch, shuffled if there is a generator; the last one holds what is left."""
    order = None if rng is None else permutation(n, rng)
    for start in range(0, n, batch_size):
        rows = slice(start, start + batch_size)
        yield rows if order is None else order[rows]
