"""Samples that a run is judged by, and not trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import checks
from .arrays import Array
from .batches import permutation
from .sparse import Inputs

Samples = tuple[Inputs, Array, "Array | None"]  # X, Y and weights


def check_validation(data: Any, n_rows: int, check: Callable[..., Samples]) -> tuple[Samples | None, int]:
    """Return the validation samples, or the number of rows to hold out for it, of n_rows."""
    if data is None:
        return None, 0
    if isinstance(data, (float, np.floating)):
        fraction = checks.number(data, "validation_data", 0, 1, open_low=True)
        n = round(fraction * n_rows)
        if not 0 < n < n_rows:
            side = "validate with" if n == 0 else "train on"
            raise ValueError(f"validation_data={data!r} of {n_rows} rows leaves none to {side}")
        return None, n
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise TypeError(
            "validation_data must be a pair (X, Y), or (X, Y, sample_weight), or the fraction of the rows to hold out"
        )
    names = ("validation_data[0]", "validation_data[1]", "validation_data[2]")
    X, Y, *weight = data
    return check(X, Y, weight[0] if weight else None, names=names), 0


def draw_rows(n_rows: int, n_held_out: int, rng: np.random.Generator) -> Array:
    """Return the rows to hold out, in their order: the first ones of a permutation."""
    return np.sort(permutation(n_rows, rng)[:n_held_out])


def split(X: Inputs, Y: Array, weight: Array | None, held_out: Array) -> tuple[Samples, Samples]:
    """Return the samples to train on, and those held out, both in their order and with weights of a mean of 1."""
    chosen = np.zeros(len(Y), bool)
    chosen[held_out] = True

    def part(rows: Array, what: str) -> Samples:
        if weight is not None and not weight[rows].any():
            raise ValueError(f"sample_weight is zero for every row {what}: hold out fewer, or pass them by yourself")
        weights = None if weight is None else checks.weights_of_samples(weight[rows], int(rows.sum()))
        return X[rows], Y[rows], None if weights is None else weights.astype(Y.dtype)

    return part(~chosen, "left to train on"), part(chosen, "held out")
