"""Metrics: how good outputs are, beside the loss. Names for ``train(metrics=...)``.

Each takes Y and Y_hat of shape (n, n_out), and gives a float. Classes are those of the largest of several outputs; a
single output stands for class 1 above 0.5, and class 0 otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from . import checks
from .arrays import Array

Metric = Callable[[Array, Array], float]


def mean_squared_error(Y: Array, Y_hat: Array) -> float:
    """Return the mean over rows and outputs of (Y_hat - Y)^2."""
    return float(np.square(Y_hat - Y, dtype=np.float64).mean())


def root_mean_squared_error(Y: Array, Y_hat: Array) -> float:
    """Return the square root of the mean squared error."""
    return math.sqrt(mean_squared_error(Y, Y_hat))


def mean_absolute_error(Y: Array, Y_hat: Array) -> float:
    """Return the mean over rows and outputs of ``|Y_hat - Y|``."""
    return float(np.abs(Y_hat - Y).mean(dtype=np.float64))


def r2(Y: Array, Y_hat: Array) -> float:
    """Return 1 - sum (Y_hat - Y)^2 / sum (Y - mean of Y)^2, averaged over outputs.

    An output whose targets are all the same counts as 1 where it is met exactly, and as 0 otherwise.
    """
    error = np.square(Y_hat - Y, dtype=np.float64).sum(axis=0)
    spread = np.square(Y - Y.mean(axis=0, dtype=np.float64)).sum(axis=0)
    same = spread == 0
    return float(np.where(same, error == 0, 1 - error / np.where(same, 1, spread)).mean())


def accuracy(Y: Array, Y_hat: Array) -> float:
    """Return the share of rows whose class is right."""
    return float((_classes(Y) == _classes(Y_hat)).mean())


def balanced_accuracy(Y: Array, Y_hat: Array) -> float:
    """Return the share of rows whose class is right, taken for each class in Y and averaged over these."""
    classes, right = _classes(Y), _classes(Y) == _classes(Y_hat)
    return float(np.mean([right[classes == k].mean() for k in np.unique(classes)]))


def log_loss(Y: Array, Y_hat: Array) -> float:
    """Return the mean over rows of -sum Y log p, where p are the outputs as shares of their sum.

    A single output is the probability of class 1. Probabilities are cut to [1e-15, 1 - 1e-15].
    """
    if Y.shape[1] == 1:
        Y, Y_hat = np.hstack([1 - Y, Y]), np.hstack([1 - Y_hat, Y_hat])
    p = np.clip(Y_hat.astype(np.float64), 1e-15, 1 - 1e-15)
    return float(-(Y * np.log(p / p.sum(axis=1, keepdims=True))).sum(axis=1).mean())


METRICS: dict[str, Metric] = {
    metric.__name__: metric
    for metric in (
        mean_squared_error,
        root_mean_squared_error,
        mean_absolute_error,
        r2,
        accuracy,
        balanced_accuracy,
        log_loss,
    )
}

# Those that are better the larger they are.
LARGER_IS_BETTER = {"r2", "accuracy", "balanced_accuracy"}

# Recorded on request like a metric, but it is none of the outputs.
GRADIENT_NORM = "gradient_norm"


# Names that columns of a run's log have already.
TAKEN = ("epoch", "loss", "validation_loss", "learning_rate", "seconds")


def check_metrics(metrics: Sequence[str | Metric], n_targets: int, n_out: int) -> dict[str, Metric | None]:
    """Return the metrics by name; None stands for the norm of the gradient."""
    if metrics == ():
        return {}
    if isinstance(metrics, str) or not isinstance(metrics, Sequence):
        raise TypeError(f"metrics must be a sequence of names or functions, such as ['r2'], not {metrics!r}")
    checked: dict[str, Metric | None] = {}
    known: dict[str, Metric | None] = {**METRICS, GRADIENT_NORM: None}
    for i, metric in enumerate(metrics):
        if callable(metric):
            name = getattr(metric, "__name__", type(metric).__name__)
            function: Metric | None = metric
        else:
            name, function = metric, checks.find(metric, known, f"metrics[{i}]")
            if function and n_targets != n_out:
                raise ValueError(
                    f"metrics[{i}] {name!r} compares outputs with targets, and with this loss there are {n_out} and "
                    f"{n_targets}: pass a function"
                )
        if name in checked or name in TAKEN or (function and name == GRADIENT_NORM):
            raise ValueError(f"metrics[{i}] has the name {name!r}, which is taken: give it another __name__")
        checked[name] = function
    return checked


def _classes(Y: Array) -> Array:
    """Return the class of each row."""
    classes: Array = Y.argmax(axis=1) if Y.shape[1] > 1 else (Y[:, 0] > 0.5).astype(np.int64)
    return classes
