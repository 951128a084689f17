"""Dropout: in each step some activations of hidden layers are 0, and the others larger, so that their mean stays.

Which ones is a function of the step's seed and of their place, not of the order in which they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import checks
from .arrays import Array


def check_rates(dropout: float | Sequence[float], n_hidden: int) -> tuple[float, ...] | None:
    """Return the share of each hidden layer's activations to drop; None where nothing is dropped."""
    rates = [dropout] * n_hidden if isinstance(dropout, (int, float, np.number)) else dropout
    if isinstance(rates, (str, bytes)) or not isinstance(rates, (Sequence, np.ndarray)):
        raise TypeError(f"dropout must be a rate, or one rate per hidden layer; not {dropout!r}")
    if len(rates) != n_hidden:
        raise ValueError(f"dropout has {len(rates)} rates, and there are {n_hidden} hidden layers")
    if not n_hidden:
        checks.number(dropout, "dropout", 0, 1)
    checked = tuple(checks.number(rate, "dropout", 0, 1) for rate in rates)
    if not n_hidden and dropout:
        raise ValueError("dropout needs a hidden layer: inputs and outputs are not dropped")
    return checked if any(checked) else None


def draw_seed(rng: np.random.Generator) -> int:
    """Return a step's seed."""
    return int(rng.random() * 2**32)


@dataclass
class Dropout:
    """What is dropped in one step: Srivastava et al. (JMLR 2014), with the scaling in training."""

    rates: Sequence[float]
    seed: int

    def mask(self, l: int, a: Array) -> Array:
        """Return 0 for what is dropped of hidden layer l, and 1 / (1 - rate) for what stays, as an array like ``a``."""
        rate = self.rates[l - 1]
        key = (self.seed * 0x9E3779B9 + l * 0x85EBCA6B) % 2**32
        place = (np.arange(a.size, dtype=np.uint64) + np.uint64(key)).astype(np.uint32).reshape(a.shape)
        stays = (_mix(place) >> np.uint32(8)) >= int(rate * 2**24)
        mask: Array = np.where(stays, a.dtype.type(1 / (1 - rate)), a.dtype.type(0))
        return mask


def _mix(x: Array) -> Array:
    """Map 32-bit numbers, one to one, to numbers that look drawn at random: rounds of xor-shift and multiply."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    mixed: Array = x ^ (x >> np.uint32(16))
    return mixed
