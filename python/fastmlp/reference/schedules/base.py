"""What every schedule has, and how schedules and functions of the epoch are asked."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import checks
from ..arrays import Array


class Schedule(ABC):
    """A course of the learning rate's factor, and what it has to remember."""

    def __post_init__(self) -> None:
        self.check()

    @abstractmethod
    def check(self) -> None:
        """Raise ValueError or TypeError if an argument is outside its range."""

    def __call__(self, positions: npt.ArrayLike) -> Array:
        """Return the factor at each position, counted in epochs from 0.

        Parameters
        ----------
        positions : array_like of float, not negative
            Where: 2.5 is the middle of the third epoch.

        Returns
        -------
        ndarray of float64, the shape of positions
        """
        return self.at(np.asarray(positions, np.float64))

    @abstractmethod
    def at(self, t: Array) -> Array:
        """Return the factor at each position of an array of float64."""

    @property
    def watches_losses(self) -> bool:
        """Whether factors depend on how the epochs before have ended."""
        return False

    def end_epoch(self, epoch: int, loss: float) -> None:  # noqa: B027  # most need not know
        """Be told that an epoch, the ``epoch``-th from 1, ended with this loss."""

    def state(self) -> dict[str, Any]:
        """Return what was remembered: numbers, None among them, that JSON can hold."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what ``state()`` of such a schedule gave."""
        if set(state) != set(self.state()):
            raise ValueError(f"the state of {self!r} has {list(self.state())}, and not {list(state)}")
        vars(self).update(state)

    def reset(self) -> None:  # noqa: B027  # most remember nothing
        """Forget what was remembered."""


def factors(schedule: Schedule | Callable[[int], float], first: int, epochs: int, n_batches: int) -> Array:
    """Return the factor of every step of some epochs, ``first`` and those after it, of n_batches steps each."""
    numbers = range(first, first + epochs)
    if not isinstance(schedule, Schedule):
        return np.repeat(np.array([ask(schedule, epoch) for epoch in numbers], np.float64), n_batches)
    positions = np.array(numbers, np.float64)[:, np.newaxis] + np.arange(n_batches) / n_batches
    return schedule.at(positions.ravel())


def ask(schedule: Callable[[int], float], epoch: int) -> float:
    """Return the factor that a function gives for an epoch."""
    factor = schedule(epoch)
    return checks.number(factor, f"the schedule's factor of epoch {epoch}", 0, math.inf)
