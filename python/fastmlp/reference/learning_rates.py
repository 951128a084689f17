"""The learning-rate range test: how the loss moves while the learning rate grows from step to step."""

from __future__ import annotations

import copy
import itertools
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import checks
from .arrays import Array
from .batches import batches, permutation
from .divergence import DivergenceWarning
from .loss_choice import LossSpec, loss_of
from .optimizers import Adam, Optimizer
from .sparse import Inputs, InputsLike
from .training import check_samples

# Samples that the loss is taken of.
MOST_JUDGES = 1000


@dataclass
class LearningRateRange:
    """What :func:`fastmlp.find_learning_rate` found.

    Attributes
    ----------
    learning_rates : ndarray, shape (n_steps,)
        The learning rate of each step that was made, rising.
    losses : ndarray, shape (n_steps,)
        The mean loss after each step: of all samples or, where there are many, of 1000 drawn ones, which is smoother
        than that of batches.
    smoothed : ndarray, shape (n_steps,)
        Their running means over a tenth of all steps, centred.
    suggestion : float or None
        The learning rate where the smoothed loss falls most steeply over the logarithm of the learning rate,
        before it is at its lowest; None if it does not fall.

    Examples
    --------
    >>> import fastmlp
    >>> found = fastmlp.find_learning_rate(fastmlp.Network([1, 1], random_state=0), [[1.0]], [2.0])
    >>> found.learning_rates.shape == found.losses.shape == found.smoothed.shape
    True
    """

    learning_rates: Array
    losses: Array
    smoothed: Array
    suggestion: float | None


@dataclass
class _Test:
    rates: Array
    batch_size: int
    optimizer: Any
    loss: LossSpec


def find_learning_rate(
    net: Any,
    X: InputsLike,
    Y: npt.ArrayLike,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    n_steps: int = 100,
    batch_size: int | None = 32,
    optimizer: Optimizer | None = None,
    loss: LossSpec = "squared_error",
    random_state: int | np.random.Generator | None = None,
) -> LearningRateRange:
    """Try learning rates from low to high, one for each step of a run on a copy of the network.

    The rates grow by the same factor from step to step. The test ends early where the loss explodes: it is more than
    four times the first loss above the lowest. Network and optimizer stay as they are.

    Parameters
    ----------
    net : Network
        The network, of either kind, as training would begin with it.
    X : array_like or sparse matrix, shape (n, n_in)
        Inputs.
    Y : array_like, shape (n, n_out), or (n,) for a single output
        Targets.
    low, high : float, default 1e-6 and 10
        The first and the last learning rate.
    n_steps : int, default 100
        Steps from one to the other, at least 10.
    batch_size : int, optional, default 32
        Samples of a step, as training would have them; None takes all.
    optimizer : Optimizer, optional
        The rule to use a fresh copy of, with other learning rates and no schedule. By default ``Adam()``.
    loss : str or callable, default "squared_error"
        Loss of a sample.
    random_state : None, int or numpy.random.Generator, optional
        Source of the batches. A Generator goes on where it was.

    Returns
    -------
    LearningRateRange
        The curve, and a suggestion.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong.

    References
    ----------
    L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> X = np.random.default_rng(0).standard_normal((500, 4))
    >>> net = fastmlp.Network([4, 32, 1], random_state=0)
    >>> found = fastmlp.find_learning_rate(net, X, np.sin(X.sum(axis=1)), random_state=0)
    >>> bool(1e-4 < found.suggestion < 1)
    True
    >>> optimizer = fastmlp.Adam(learning_rate=found.suggestion)
    """
    low = checks.number(low, "low", 0, math.inf, open_low=True)
    high = checks.number(high, "high", low, math.inf, open_low=True)
    n_steps = checks.integer(n_steps, "n_steps", 10)
    X, Y, _ = check_samples(net, X, Y, None, loss_of(loss, net.activations[-1]))
    size = len(Y) if batch_size is None else min(checks.integer(batch_size, "batch_size", 1), len(Y))
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an object such as fastmlp.Adam(), not {optimizer!r}")
    rates = np.geomspace(low, high, n_steps)
    rule: Any = copy.deepcopy(optimizer or Adam())
    rule.reset()
    rule.schedule = None
    if rule.FULL_BATCH:
        raise ValueError(f"{type(rule).__name__} finds its step sizes by itself: there is no learning rate to look for")
    losses = _losses(net.copy(), X, Y, _Test(rates, size, rule, loss), checks.generator(random_state))
    if not len(losses):
        raise ValueError("the loss is not finite at the lowest learning rate: is the network, or low, as it should be?")
    rates, width = rates[: len(losses)], n_steps // 20
    smoothed = np.array([losses[max(k - width, 0) : k + width + 1].mean() for k in range(len(losses))])
    return LearningRateRange(rates, losses, smoothed, _suggestion(rates, smoothed))


def _losses(net: Any, X: Inputs, Y: Array, task: _Test, rng: np.random.Generator) -> Array:
    """Return the loss after each step, up to where it explodes."""
    judges = np.sort(permutation(len(Y), rng)[:MOST_JUDGES])
    X_judges, Y_judges = X[judges], Y[judges]
    first = lowest = net.loss(X_judges, Y_judges, task.loss)
    losses: list[float] = []
    endless = (rows for _ in itertools.count() for rows in batches(len(Y), task.batch_size, rng))
    for rate, rows in zip(task.rates, endless, strict=False):
        task.optimizer.learning_rate = float(rate)
        with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
            warnings.simplefilter("ignore", DivergenceWarning)
            trained = net.train(X[rows], Y[rows], epochs=1, optimizer=task.optimizer, loss=task.loss)
            J = net.loss(X_judges, Y_judges, task.loss)
        if not (trained.loss and math.isfinite(J)):
            break
        losses.append(J)
        lowest = min(lowest, J)
        if J - lowest > 4 * abs(first):
            break
    return np.array(losses)


def _suggestion(rates: Array, smoothed: Array) -> float | None:
    """Return the learning rate of the steepest descent."""
    lowest = int(smoothed.argmin())
    if lowest == 0:
        return None
    slopes = np.gradient(smoothed, np.log(rates))[: lowest + 1]
    return float(rates[slopes.argmin()])
