"""Schedules that rise, too: cosines with restarts, one cycle, four of them, a warm-up."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import checks
from ..arrays import Array
from .base import Schedule
from .decays import Constant


@dataclass
class CosineRestarts(Schedule):
    """Half a cosine from 1 down to ``lowest``, again and again.

    Parameters
    ----------
    period : float
        Epochs of the first descent, above 0.
    multiplier : float, default 1.0
        How many times longer each descent is than the one before, at least 1.
    lowest : float, default 0.0
        Factor at the end of a descent, in [0, 1).

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.schedules.CosineRestarts(4, multiplier=2)([0, 2, 4, 8]).round(6)
    array([1. , 0.5, 1. , 0.5])
    """

    period: float
    multiplier: float = 1.0
    lowest: float = 0.0

    def check(self) -> None:
        checks.number(self.period, "period", 0, math.inf, open_low=True)
        if checks.number(self.multiplier, "multiplier", 0, math.inf) < 1:
            raise ValueError(f"multiplier must be at least 1, not {self.multiplier!r}")
        checks.number(self.lowest, "lowest", 0, 1)

    def at(self, t: Array) -> Array:
        m = float(self.multiplier)
        if m == 1:
            start, length = np.floor(t / self.period) * self.period, np.array(self.period)
        else:
            # Descents begin at period * (1, 1 + m, 1 + m + m^2, ...).
            lengths, starts = [float(self.period)], [0.0]
            while starts[-1] + lengths[-1] <= t.max(initial=0):
                starts.append(starts[-1] + lengths[-1])
                lengths.append(lengths[-1] * m)
            which = np.searchsorted(starts, t, side="right") - 1
            start, length = np.array(starts)[which], np.array(lengths)[which]
        return np.asarray(self.lowest + (1 - self.lowest) * (1 + np.cos(np.pi * (t - start) / length)) / 2)


@dataclass
class OneCycle(Schedule):
    """Up to the full learning rate and down again, both linearly, and at last down to almost nothing.

    Parameters
    ----------
    epochs : float
        Epochs of the whole training, above 0. Afterwards the factor stays what it is at the end.
    start : float, default 0.1
        Factor at the beginning and at the end of the cycle, in (0, 1).
    final : float, default 0.001
        Factor at the end of training, not negative.
    annihilation : float, default 0.1
        Share of the epochs, after the cycle, in which the factor goes from start to final; in [0, 1).

    References
    ----------
    L. N. Smith, N. Topin, "Super-convergence: very fast training of neural networks using large learning
    rates", arXiv:1708.07120, 2018.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.schedules.OneCycle(epochs=10, annihilation=0.2)([0, 4, 8, 10])
    array([0.1  , 1.   , 0.1  , 0.001])
    """

    epochs: float
    start: float = 0.1
    final: float = 0.001
    annihilation: float = 0.1

    def check(self) -> None:
        checks.number(self.epochs, "epochs", 0, math.inf, open_low=True)
        checks.number(self.start, "start", 0, 1, open_low=True)
        checks.number(self.final, "final", 0, math.inf)
        checks.number(self.annihilation, "annihilation", 0, 1)

    def at(self, t: Array) -> Array:
        cycle = self.epochs * (1 - self.annihilation)
        times, factors = [0, cycle / 2, cycle, self.epochs], [self.start, 1, self.start, self.final]
        known = 4 if self.annihilation else 3
        return np.asarray(np.interp(t, times[:known], factors[:known]))


@dataclass
class CosLog4(Schedule):
    """Four periods, each longer than the one before: (1 - cos(2 pi log2(1 + 15 t / epochs))) / 2.

    Parameters
    ----------
    epochs : float
        Epochs of the whole training, above 0. The factor is 0 at their end, and stays 0: nothing moves
        any more.

    References
    ----------
    D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data", NeurIPS 2024.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.schedules.CosLog4(epochs=15)([0, 1, 3, 2**0.5 - 1]).round(6)
    array([0., 0., 0., 1.])
    """

    epochs: float

    def check(self) -> None:
        checks.number(self.epochs, "epochs", 0, math.inf, open_low=True)

    def at(self, t: Array) -> Array:
        share = np.minimum(t / self.epochs, 1)
        return np.asarray((1 - np.cos(2 * np.pi * np.log2(1 + 15 * share))) / 2)


@dataclass
class WarmUp(Schedule):
    """Linearly up to 1, and then another schedule, from its beginning.

    Parameters
    ----------
    epochs : float
        How long it takes, above 0.
    then : Schedule, default Constant()
        What follows: by default the factor stays 1.
    start : float, default 0.01
        Factor at the beginning, in [0, 1).

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.schedules.WarmUp(2, fastmlp.schedules.Exponential(0.5), start=0.0)([0, 1, 2, 3])
    array([0. , 0.5, 1. , 0.5])
    """

    epochs: float
    then: Schedule = field(default_factory=Constant)
    start: float = 0.01

    def check(self) -> None:
        checks.number(self.epochs, "epochs", 0, math.inf, open_low=True)
        checks.number(self.start, "start", 0, 1)
        if not isinstance(self.then, Schedule):
            raise TypeError(f"then must be one of fastmlp.schedules, not {self.then!r}")

    def at(self, t: Array) -> Array:
        rising = self.start + (1 - self.start) * t / self.epochs
        return np.where(t < self.epochs, rising, self.then.at(np.maximum(t - self.epochs, 0)))

    @property
    def watches_losses(self) -> bool:
        return self.then.watches_losses

    def end_epoch(self, epoch: int, loss: float) -> None:
        if epoch > self.epochs:
            self.then.end_epoch(epoch, loss)

    def state(self) -> dict[str, Any]:
        return self.then.state()

    def load_state(self, state: dict[str, Any]) -> None:
        self.then.load_state(state)

    def reset(self) -> None:
        self.then.reset()
