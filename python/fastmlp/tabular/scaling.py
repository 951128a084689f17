"""Scaling of columns to a mean of 0 and a standard deviation of 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..reference.arrays import Array


@dataclass
class Scaling:
    """Shifts and scales each column.

    Attributes
    ----------
    mean, scale : ndarray, shapes (number of columns,)
        What is subtracted from a column, and what it is divided by then.
    """

    mean: Array
    scale: Array

    @classmethod
    def fit(cls, a: Array) -> Scaling:
        """Return the scaling that standardises the columns of ``a``; a constant column is only shifted."""
        with np.errstate(over="ignore", invalid="ignore"):
            constant = a.min(axis=0) == a.max(axis=0)
            mean = np.where(constant, a[0], a.mean(axis=0))
            return cls(mean, np.where(constant, 1.0, a.std(axis=0)))

    @classmethod
    def none(cls, n: int) -> Scaling:
        """Return the scaling that leaves n columns as they are."""
        return cls(np.zeros(n), np.ones(n))

    def apply(self, a: Array) -> Array:
        """Standardise the columns of ``a``."""
        with np.errstate(over="ignore"):
            scaled: Array = (a - self.mean) / self.scale
        return scaled

    def undo(self, a: Array) -> Array:
        """Bring standardised columns back to their units, as float64."""
        original: Array = a.astype(np.float64) * self.scale + self.mean
        return original

    def is_finite(self) -> bool:
        """Tell whether the columns could be scaled at all."""
        return bool(np.isfinite(self.mean).all() and np.isfinite(self.scale).all() and (self.scale > 0).all())
