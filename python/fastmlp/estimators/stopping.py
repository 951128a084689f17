"""When an estimator's run ends, and what it keeps of its epochs: a callback that goes on from call to call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..reference.arrays import Array
from ..reference.monitor import State
from ..reference.results import History

# learning_rate="adaptive" divides by this, and ends the run where the rate is no larger than the lowest.
ADAPTIVE_DIVISOR, LOWEST_RATE = 5.0, 1e-6


class Record:
    """Holds on to a run's history, so that it is there whatever ends the run."""

    def __init__(self) -> None:
        self.history: History | None = None

    def on_train_begin(self, state: State) -> None:
        self.history = state.history


class Stopping:
    """Ends a run whose loss, or validation score, has not improved by ``tol`` for some epochs.

    Parameters
    ----------
    tol : float
        What counts as an improvement.
    n_iter_no_change : int or inf
        Epochs without one that end the run: one more than so many.
    adaptive : bool
        Whether to divide the learning rate by 5 instead, down to 1e-6.
    score : callable, optional
        Gives the validation score, of which more is better; the parameters of the best one are put back. Without
        it the training loss is looked at, of which less is better.
    """

    def __init__(
        self, tol: float, n_iter_no_change: float, adaptive: bool, score: Callable[[State], float] | None = None
    ) -> None:
        self.tol, self.n_iter_no_change, self.adaptive, self.score = tol, n_iter_no_change, adaptive, score
        self.best, self.waited = -math.inf, 0
        self.scores: list[float] = []
        self._best_parameters: Array | None = None
        self._last_parameters: Array | None = None

    def on_train_begin(self, state: State) -> None:
        """Go on from the last epoch, and not from the best one, if the network was left as that."""
        best, last, parameters = self._best_parameters, self._last_parameters, state.network.parameters
        if best is not None and last is not None and np.array_equal(parameters, best):
            parameters[:] = last

    def on_epoch_end(self, state: State) -> str | None:
        """Compare the epoch with the best one before it."""
        value = self.score(state) if self.score else -state.history.loss[-1]
        if self.score:
            self.scores.append(value)
        self.waited = 0 if value >= self.best + self.tol else self.waited + 1
        if value > self.best:
            self.best = value
            if self.score:
                self._best_parameters = state.network.parameters.copy()
        if self.waited <= self.n_iter_no_change:
            return None
        return self._stop(state.optimizer)

    def on_train_end(self, state: State) -> None:
        """Put the parameters of the best score back."""
        if self._best_parameters is not None:
            self._last_parameters = state.network.parameters.copy()
            state.network.parameters[:] = self._best_parameters

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "score": None}  # which holds on to the validation data, and is set anew

    def _stop(self, optimizer: Any) -> str | None:
        if self.adaptive and optimizer.learning_rate > LOWEST_RATE:
            optimizer.learning_rate /= ADAPTIVE_DIVISOR
            self.waited = 0
            return None
        what = "validation score" if self.score else "training loss"
        return f"the {what} did not improve by tol={self.tol:g} for {self.n_iter_no_change} epochs"
