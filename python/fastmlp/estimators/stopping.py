"""When an estimator's run ends, and what it keeps of its epochs: a callback that goes on from call to call."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..reference.arrays import Array
from ..reference.monitor import State
from ..reference.plateau import Plateau
from ..reference.results import History

# learning_rate="adaptive" divides by this, and ends the run where the rate is no larger than the lowest.
ADAPTIVE_DIVISOR, LOWEST_RATE = 5.0, 1e-6


def takes_weights(scorer: Any) -> bool:
    """Return whether a scorer can be given sample_weight: not every metric knows weights."""
    score = getattr(scorer, "_score_func", scorer)  # one of scikit-learn's hands on all that it is given
    parameters = inspect.signature(score).parameters
    return "sample_weight" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def as_score(given: Any) -> float:
    """Return what a scorer gave as a number that can be compared with others."""
    try:
        score = float(given)
    except (TypeError, ValueError):
        raise TypeError(f"scoring gave {given!r}: a validation score is one number") from None
    if math.isnan(score):
        raise ValueError("the validation score is nan: are there enough rows to validate with? R^2 needs two")
    return score


class Record:
    """Holds on to a run's history, so that it is there whatever ends the run."""

    def __init__(self) -> None:
        self.history: History | None = None

    def on_train_begin(self, state: State) -> None:
        self.history = state.history


class LossStopping:
    """Ends a run whose training loss has not fallen by ``tol`` for more than ``n_iter_no_change`` epochs.

    Parameters
    ----------
    tol : float
        What counts as an improvement.
    n_iter_no_change : int or inf
        Epochs without one.
    adaptive : bool
        Whether to divide the learning rate by 5 instead, down to 1e-6.
    """

    what = "training loss"

    def __init__(self, tol: float, n_iter_no_change: float, adaptive: bool) -> None:
        self.plateau = Plateau(tol, n_iter_no_change)
        self.adaptive = adaptive

    def go_on_from(self, other: LossStopping) -> None:
        """Take over what another one has counted."""
        self.plateau.best, self.plateau.waited = other.plateau.best, other.plateau.waited

    def on_plateau(self, state: State) -> str | None:
        """Go on with a smaller learning rate, or give the reason to end the run."""
        optimizer: Any = state.optimizer
        if self.adaptive and optimizer.learning_rate > LOWEST_RATE:
            optimizer.learning_rate /= ADAPTIVE_DIVISOR
            self.plateau.waited = 0
            return None
        return f"the {self.what} did not improve by tol={self.plateau.tolerance:g} for {self.plateau.patience} epochs"


class ScoreStopping:
    """The same by a validation score, of which more is better; the parameters of the best one are put back."""

    def __init__(self, tol: float, n_iter_no_change: float, adaptive: bool) -> None:
        self.by_score = LossStopping(tol, n_iter_no_change, adaptive)
        self.by_score.what = "validation score"
        self.score: Callable[[State], float] | None = None
        self.scores: list[float] = []
        self._best_parameters: Array | None = None
        self._last_parameters: Array | None = None

    @property
    def best(self) -> float:
        """The best score."""
        return -self.by_score.plateau.best

    def go_on_from(self, other: ScoreStopping) -> None:
        """Take over what another one has counted, and the parameters that it keeps."""
        self.by_score.go_on_from(other.by_score)
        self.scores = list(other.scores)
        self._best_parameters, self._last_parameters = other._best_parameters, other._last_parameters

    def take_over(self, scores: Sequence[float], best: float, best_parameters: Array) -> None:
        """Go on from scores that another has seen, and from the parameters of the best one."""
        self.scores, self.by_score.plateau.best = list(scores), -best
        self._best_parameters = best_parameters.copy()

    def on_train_begin(self, state: State) -> None:
        """Go on from the last epoch, and not from the best one, if the network was left as that."""
        best, last, parameters = self._best_parameters, self._last_parameters, state.network.parameters
        if best is not None and last is not None and np.array_equal(parameters, best):
            parameters[:] = last

    def on_epoch_end(self, state: State) -> str | None:
        """Compare the epoch with the best one before it."""
        assert self.score is not None
        self.scores.append(self.score(state))
        if self.scores[-1] > self.best:
            self._best_parameters = state.network.parameters.copy()
        return self.by_score.on_plateau(state) if self.by_score.plateau.add(-self.scores[-1]) else None

    def on_train_end(self, state: State) -> None:
        """Put the parameters of the best score back."""
        if self._best_parameters is not None:
            self._last_parameters = state.network.parameters.copy()
            state.network.parameters[:] = self._best_parameters

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "score": None}  # which holds on to the validation data, and is set anew
