"""Schedules that fall, or stay: constant, in steps, by powers, where the loss asks for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from .. import checks
from ..arrays import Array
from .base import Schedule


@dataclass
class Constant(Schedule):
    """The same factor from beginning to end.

    Parameters
    ----------
    factor : float, default 1.0
        The factor, not negative.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.schedules.Constant(0.5)([0, 1, 2])
    array([0.5, 0.5, 0.5])
    """

    factor: float = 1.0

    def check(self) -> None:
        checks.number(self.factor, "factor", 0, math.inf)

    def at(self, t: Array) -> Array:
        return np.full(t.shape, float(self.factor))


@dataclass
class Step(Schedule):
    """Multiplied by ``factor`` every so many epochs: factor^floor(t / every).

    Parameters
    ----------
    every : float
        Epochs between two steps, above 0.
    factor : float, default 0.1
        What each step multiplies by, above 0.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.schedules.Step(every=2, factor=0.5)([0, 1, 2, 4])
    array([1.  , 1.  , 0.5 , 0.25])
    """

    every: float
    factor: float = 0.1

    def check(self) -> None:
        checks.number(self.every, "every", 0, math.inf, open_low=True)
        checks.number(self.factor, "factor", 0, math.inf, open_low=True)

    def at(self, t: Array) -> Array:
        return np.asarray(self.factor ** np.floor(t / self.every))


@dataclass
class Exponential(Schedule):
    """Multiplied by ``factor`` in each epoch, step by step: factor^t.

    Parameters
    ----------
    factor : float, default 0.95
        What an epoch multiplies by, above 0.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.schedules.Exponential(0.25)([0, 0.5, 1])
    array([1.  , 0.5 , 0.25])
    """

    factor: float = 0.95

    def check(self) -> None:
        checks.number(self.factor, "factor", 0, math.inf, open_low=True)

    def at(self, t: Array) -> Array:
        return np.asarray(float(self.factor) ** t)


@dataclass
class InverseScaling(Schedule):
    """Divided by a power of the epoch: 1 / (1 + t)^power.

    Parameters
    ----------
    power : float, default 0.5
        The power, not negative.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.schedules.InverseScaling(1)([0, 1, 3])
    array([1.  , 0.5 , 0.25])
    """

    power: float = 0.5

    def check(self) -> None:
        checks.number(self.power, "power", 0, math.inf)

    def at(self, t: Array) -> Array:
        return np.asarray((1 + t) ** -float(self.power))


@dataclass
class ReduceOnPlateau(Schedule):
    """Multiplied by ``factor`` where the loss has not fallen for a while.

    The loss is the validation loss where there is one, and the training loss otherwise.

    Parameters
    ----------
    factor : float, default 0.1
        What a plateau multiplies by, in (0, 1).
    patience : int, default 10
        Epochs without a better loss that make a plateau, at least 1.
    min_delta : float, default 0.0
        A loss is better if it is more than this below the best one, not negative.
    lowest : float, default 0.0
        The product of all factors does not fall below this, in [0, 1).

    Attributes
    ----------
    current : float
        The product of all factors so far.
    best : float or None
        The best loss so far.
    waited : int
        Epochs since then, or since the last reduction.

    Examples
    --------
    >>> import fastmlp
    >>> schedule = fastmlp.schedules.ReduceOnPlateau(0.5, patience=2)
    >>> for epoch, loss in enumerate([3.0, 3.0, 3.0], start=1):
    ...     schedule.end_epoch(epoch, loss)
    >>> schedule.current
    0.5
    """

    factor: float = 0.1
    patience: int = 10
    min_delta: float = 0.0
    lowest: float = 0.0
    current: float = field(default=1.0, init=False, repr=False)
    best: float | None = field(default=None, init=False, repr=False)
    waited: int = field(default=0, init=False, repr=False)

    def check(self) -> None:
        checks.number(self.factor, "factor", 0, 1, open_low=True)
        checks.integer(self.patience, "patience", 1)
        checks.number(self.min_delta, "min_delta", 0, math.inf)
        checks.number(self.lowest, "lowest", 0, 1)

    def at(self, t: Array) -> Array:
        return np.full(t.shape, self.current)

    @property
    def watches_losses(self) -> bool:
        return True

    def end_epoch(self, epoch: int, loss: float) -> None:
        if math.isfinite(loss) and (self.best is None or loss < self.best - self.min_delta):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited == self.patience:
            self.current = max(self.current * self.factor, self.lowest)
            self.waited = 0

    def state(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self) if not f.init}

    def reset(self) -> None:
        self.current, self.best, self.waited = 1.0, None, 0
