"""How good outputs can be that do not look at the inputs, and how good outputs can be at all."""

from __future__ import annotations

import numpy as np

from ..reference.arrays import Array
from ..reference.loss_choice import CustomLoss
from ..reference.losses import Gamma, GaussianNll, LogLossOfSigmoid, LogLossOfSoftmax, Loss, Poisson, Quantile

# Frequencies are cut to this distance from 0.
SMALLEST = 1e-12


def best_constant(loss: Loss, Y: Array, weight: Array | None, n_out: int) -> float | None:
    """Return the mean loss of the best outputs that are the same for all rows; None where they are not known."""
    Y = Y.astype(np.float64)
    if isinstance(loss, CustomLoss) and Y.shape[1] != n_out:
        return None
    losses = (_mean(loss, np.tile(out, (len(Y), 1)), Y, weight) for out in _constants(loss, Y, weight))
    return float(min(losses))


def lowest_loss(loss: Loss, Y: Array, weight: Array | None, plain: float) -> float:
    """Return the mean loss of outputs that meet every target.

    That of a normal distribution has no lowest value: there it is one less than that of constant outputs for each
    target, which deviations smaller by a factor of e have.
    """
    Y = Y.astype(np.float64)
    if isinstance(loss, GaussianNll):
        return plain - float(Y.shape[1])
    if isinstance(loss, LogLossOfSigmoid):
        out = _logit(_smoothed(loss, Y, 2))
    elif isinstance(loss, LogLossOfSoftmax):
        out = _logarithm(_smoothed(loss, Y, Y.shape[1]))
    elif isinstance(loss, (Poisson, Gamma)):
        out = _logarithm(Y)
    else:
        out = np.tile(Y, len(loss.levels)) if isinstance(loss, Quantile) else Y
    return _mean(loss, out, Y, weight)


def _constants(loss: Loss, Y: Array, weight: Array | None) -> list[Array]:
    """Return outputs, or net inputs where the loss is taken through a link, one of which is the best."""
    mean = np.average(Y, axis=0, weights=weight)
    if isinstance(loss, Quantile):
        return [np.concatenate([_quantiles(Y, level, weight) for level in loss.levels])]
    if isinstance(loss, GaussianNll):
        return [np.concatenate([mean, _logarithm(np.average((Y - mean) ** 2, axis=0, weights=weight))])]
    if isinstance(loss, LogLossOfSigmoid):
        return [_logit(_smoothed(loss, mean, 2))]
    if isinstance(loss, LogLossOfSoftmax):
        return [_logarithm(_smoothed(loss, mean, len(mean)))]
    if isinstance(loss, (Poisson, Gamma)):
        return [_logarithm(mean)]
    return [mean, _quantiles(Y, 0.5, weight)]


def _quantiles(Y: Array, level: float, weight: Array | None) -> Array:
    """Return the quantile of each column, of rows with weights."""
    shares = np.ones(len(Y)) if weight is None else weight.astype(np.float64)
    order = Y.argsort(axis=0)
    below = shares[order].cumsum(axis=0)
    places = (below < level * below[-1]).sum(axis=0)
    found: Array = np.take_along_axis(Y, order, axis=0)[np.minimum(places, len(Y) - 1), np.arange(Y.shape[1])]
    return found


def _smoothed(loss: LogLossOfSigmoid | LogLossOfSoftmax, Y: Array, n_classes: int) -> Array:
    labels: Array = Y + loss.label_smoothing * (1 / n_classes - Y)
    return labels


def _logarithm(a: Array) -> Array:
    log: Array = np.log(np.maximum(a, SMALLEST))
    return log


def _logit(p: Array) -> Array:
    return _logarithm(p) - _logarithm(1 - p)


def _mean(loss: Loss, out: Array, Y: Array, weight: Array | None) -> float:
    return float(np.average(loss.value(out, Y), weights=weight))
