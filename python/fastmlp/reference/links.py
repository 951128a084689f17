"""Output activations that look at all outputs of a sample at once.

Each class is the twin of the struct of the same name in ``cpp/ops/activations.h``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .arrays import Array


@dataclass(frozen=True)
class Link(ABC):
    """An output activation that looks at all outputs of a sample at once. Losses of its own are taken through it."""

    name: ClassVar[str]
    # An output, and dJ/dz in terms of a and of g = dJ/da, in column j of k targets.
    formula: ClassVar[str]
    pull_back_formula: ClassVar[str]

    @abstractmethod
    def value(self, z: Array) -> Array:
        """Return the outputs, shape (n, n_out), for net inputs of that shape."""

    @abstractmethod
    def pull_back(self, a: Array, slope: Array) -> Array:
        """Return dJ/dz for slope = dJ/da: the product with the Jacobian of ``value``, given a = value(z)."""


class Softmax(Link):
    """Probabilities of classes that exclude each other: exp(z_j) / sum over k of exp(z_k)."""

    name = "softmax"
    formula = "exp(z) / row_sum(exp(z))"
    pull_back_formula = "a * (g - row_sum(g * a))"

    def value(self, z: Array) -> Array:
        e = np.exp(z - z.max(axis=1, keepdims=True))
        a: Array = e / e.sum(axis=1, keepdims=True)
        return a

    def pull_back(self, a: Array, slope: Array) -> Array:
        dz: Array = a * (slope - (slope * a).sum(axis=1, keepdims=True))
        return dz


class MeanVariance(Link):
    """A mean and a variance for each target: first all means, z itself, then all variances, exp(z)."""

    name = "mean_variance"
    formula = "z if j <= k else exp(z)"
    pull_back_formula = "g if j <= k else g * a"

    def value(self, z: Array) -> Array:
        means, logarithms = np.hsplit(z, 2)
        with np.errstate(over="ignore"):
            return np.hstack([means, np.exp(logarithms)])

    def pull_back(self, a: Array, slope: Array) -> Array:
        half = a.shape[1] // 2
        return np.hstack([slope[:, :half], slope[:, half:] * a[:, half:]])


LINKS: dict[str, type[Link]] = {s.name: s for s in (Softmax, MeanVariance)}
