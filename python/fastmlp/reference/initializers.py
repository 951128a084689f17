"""Initial weights: how they are drawn. Biases start at zero."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .arrays import Array

Initializer = Callable[[int, int, np.random.Generator], Array]


def glorot_uniform(n_in: int, n_out: int, rng: np.random.Generator) -> Array:
    """Uniform in +-sqrt(6 / (n_in + n_out)): Glorot & Bengio (AISTATS 2010)."""
    limit = math.sqrt(6 / (n_in + n_out))
    return rng.uniform(-limit, limit, (n_in, n_out))


def he_uniform(n_in: int, n_out: int, rng: np.random.Generator) -> Array:
    """Uniform in +-sqrt(6 / n_in), made for relu: He et al. (ICCV 2015)."""
    limit = math.sqrt(6 / n_in)
    return rng.uniform(-limit, limit, (n_in, n_out))


def zeros(n_in: int, n_out: int, rng: np.random.Generator) -> Array:
    """All zero: for networks without hidden layers, and for tests."""
    return np.zeros((n_in, n_out))


INITIALIZERS: dict[str, Initializer] = {f.__name__: f for f in (glorot_uniform, he_uniform, zeros)}
