"""Losses: the error of each sample, and its derivatives.

Each class is the twin of the struct of the same name in ``cpp/ops/losses.h``; parameters are fields: ``Huber(1.5)`` is
what the spec "huber(1.5)" stands for. A loss with a ``link`` belongs to the output activation of that name and is taken
through it: its functions take the net inputs Z[L] of the last layer, and are exact where probabilities round to 0 or 1.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from . import checks
from .activations import logistic
from .arrays import Array
from .links import Softmax

MAX_LEVELS = 16


@dataclass(frozen=True)
class Loss(ABC):
    """What every loss has."""

    name: ClassVar[str]
    link: ClassVar[str | None] = None
    # What its targets must be, in words; None where any number will do.
    domain: ClassVar[str | None] = None
    # The loss of one output or target, and its derivative by it or, with a link, by its net input: in the letters of
    # ``letters``, for :mod:`.explanation.formulas` to read. None where nobody knows.
    formula: ClassVar[str | None] = None
    derivative_formula: ClassVar[str | None] = None
    stable_formula: ClassVar[str | None] = None  # the same from the net input, exact where the output is not
    labels_formula: ClassVar[str | None] = None  # what is taken for a target, where it may be something else

    @classmethod
    def key(cls) -> str:
        """Return the name that no other loss has: several may share one, each with a link of its own."""
        return f"{cls.name}/{cls.link}" if cls.name == "log_loss" else cls.name

    @abstractmethod
    def value(self, out: Array, Y: Array) -> Array:
        """Return the loss of each sample, shape (n,)."""

    @abstractmethod
    def derivative(self, out: Array, Y: Array) -> Array:
        """Return d loss / d out of each sample, shape (n, n_out); out is Y_hat, or Z[L] where there is a link."""

    def letters(self, Z: Array, Y_hat: Array, Y: Array) -> dict[str, Array]:
        """Return what the letters of the formulas stand for, of each term of the sum: arrays of shape (n, n_terms)."""
        return {"y_hat": Y_hat, "y": self.labels(Y), "z": Z}

    def labels(self, Y: Array) -> Array:
        """Return the targets as the loss takes them."""
        return Y

    def n_targets(self, n_out: int) -> int:
        """Return the number of columns of Y for so many outputs; ValueError if such a number makes no sense."""
        return n_out

    def outside(self, Y: Array) -> Array:
        """Return which targets are outside the domain: an array of bool, of Y's shape."""
        return np.zeros(Y.shape, bool)

    def encode(self, Y: npt.ArrayLike, n_out: int, name: str) -> npt.ArrayLike:
        """Return targets in their columns, where they come in a shorter form; ``name`` is theirs, for errors."""
        return Y

    def check_domain(self, Y: Array, name: str) -> None:
        """Raise ValueError, with the place, if a target is outside the domain."""
        if self.domain is None or not (bad := self.outside(Y)).any():
            return
        row, column = divmod(int(bad.argmax()), Y.shape[1])
        raise ValueError(
            f"{name}[{row}, {column}] is {Y[row, column]}, in a row of {Y[row].tolist()}: "
            f"targets of loss {self.name!r} are {self.domain}"
        )


class SquaredError(Loss):
    """1/2 * sum over outputs of (Y_hat - Y)^2."""

    name = "squared_error"
    formula = "(y_hat - y)**2 / 2"
    derivative_formula = "y_hat - y"

    def value(self, out: Array, Y: Array) -> Array:
        residual = out - Y
        loss: Array = 0.5 * (residual * residual).sum(axis=1)
        return loss

    def derivative(self, out: Array, Y: Array) -> Array:
        return out - Y


class AbsoluteError(Loss):
    """Sum over outputs of |Y_hat - Y|, whose best constant is the median. The derivative at 0 is 0."""

    name = "absolute_error"
    formula = "abs(y_hat - y)"
    derivative_formula = "sign(y_hat - y)"

    def value(self, out: Array, Y: Array) -> Array:
        loss: Array = np.abs(out - Y).sum(axis=1)
        return loss

    def derivative(self, out: Array, Y: Array) -> Array:
        slope: Array = np.sign(out - Y)
        return slope


@dataclass(frozen=True)
class Huber(Loss):
    """r^2 / 2 for residuals r up to delta, and delta * (|r| - delta / 2) beyond, summed over outputs: Huber (1964)."""

    name = "huber"
    formula = "r**2 / 2 if abs(r) < delta else delta * (abs(r) - delta / 2) where r = y_hat - y"
    derivative_formula = "max(-delta, min(y_hat - y, delta))"
    delta: float = 1.0

    def __post_init__(self) -> None:
        checks.number(self.delta, "delta", 0, math.inf, open_low=True)

    def value(self, out: Array, Y: Array) -> Array:
        residual, delta = np.abs(out - Y), Y.dtype.type(self.delta)
        loss: Array = np.where(residual < delta, residual * residual / 2, delta * (residual - delta / 2)).sum(axis=1)
        return loss

    def derivative(self, out: Array, Y: Array) -> Array:
        delta = Y.dtype.type(self.delta)
        slope: Array = np.clip(out - Y, -delta, delta)
        return slope


class LogCosh(Loss):
    """Sum over outputs of log(cosh(Y_hat - Y)): like r^2 / 2 near 0, like |r| far from it."""

    name = "log_cosh"
    formula = "log(cosh(y_hat - y))"
    derivative_formula = "tanh(y_hat - y)"

    def value(self, out: Array, Y: Array) -> Array:
        r = np.abs(out - Y)
        near = np.log1p(np.expm1(-r) ** 2 * np.exp(np.minimum(r, 1)) / 2)
        far = r + np.log1p(np.exp(-2 * r)) - r.dtype.type(math.log(2))
        loss: Array = np.where(r < 1, near, far).sum(axis=1)
        return loss

    def derivative(self, out: Array, Y: Array) -> Array:
        slope: Array = np.tanh(out - Y)
        return slope


@dataclass(frozen=True, init=False)
class Quantile(Loss):
    """The pinball loss of quantiles: Koenker & Bassett (1978). For a level q, (Y - Y_hat) * q where that is
    positive, and (Y_hat - Y) * (1 - q) otherwise, summed over outputs and levels.

    With several levels the network has that many outputs for each target: all targets at the first
    level, then all at the second, ...
    """

    name = "quantile"
    formula = "q * (y - y_hat) if y > y_hat else (1 - q) * (y_hat - y)"
    derivative_formula = "-q if y > y_hat else 1 - q if y < y_hat else 0"
    levels: tuple[float, ...] = (0.5,)

    def __init__(self, *levels: float) -> None:
        object.__setattr__(self, "levels", levels or (0.5,))
        if len(self.levels) > MAX_LEVELS:
            raise ValueError(f"{len(self.levels)} levels, and {MAX_LEVELS} are the most")
        for level in self.levels:
            checks.number(level, "a level", 0, 1, open_low=True)

    def value(self, out: Array, Y: Array) -> Array:
        residual, q = self._residual(out, Y)
        loss: Array = np.where(residual > 0, q * residual, (q - 1) * residual).sum(axis=1)
        return loss

    def derivative(self, out: Array, Y: Array) -> Array:
        residual, q = self._residual(out, Y)
        return np.where(residual > 0, -q, np.where(residual < 0, 1 - q, 0)).astype(out.dtype)

    def n_targets(self, n_out: int) -> int:
        if n_out % len(self.levels):
            raise ValueError(f"{len(self.levels)} levels need that many outputs for each target, not {n_out} in all")
        return n_out // len(self.levels)

    def letters(self, Z: Array, Y_hat: Array, Y: Array) -> dict[str, Array]:
        residual, q = self._residual(Y_hat, Y)
        return {"y_hat": Y_hat, "y": np.tile(Y, len(self.levels)), "q": np.broadcast_to(q, residual.shape)}

    def _residual(self, out: Array, Y: Array) -> tuple[Array, Array]:
        """Return Y - out and the level of each output."""
        q = np.repeat(np.asarray(self.levels, Y.dtype), Y.shape[1])
        return np.tile(Y, len(self.levels)) - out, q


class Poisson(Loss):
    """For counts, with output_activation "exp": half the deviance, sum of y log(y / Y_hat) - y + Y_hat."""

    name = "poisson"
    formula = "y * log(y / y_hat) - y + y_hat if y > 0 else y_hat"
    derivative_formula = "y_hat - y"
    link = "exp"
    domain = "not negative"

    def value(self, out: Array, Y: Array) -> Array:
        with np.errstate(over="ignore"):
            loss: Array = (np.exp(out) - Y + Y * (np.log(np.where(Y > 0, Y, 1)) - out)).sum(axis=1)
        return loss

    def derivative(self, out: Array, Y: Array) -> Array:
        with np.errstate(over="ignore"):
            slope: Array = np.exp(out) - Y
        return slope

    def outside(self, Y: Array) -> Array:
        bad: Array = Y < 0
        return bad


class Gamma(Loss):
    """For positive targets with errors in proportion, with output_activation "exp": half the deviance of the
    gamma distribution, sum of log(Y_hat / y) + y / Y_hat - 1."""

    name = "gamma"
    formula = "log(y_hat / y) + y / y_hat - 1"
    derivative_formula = "1 - y / y_hat"
    link = "exp"
    domain = "positive"

    def value(self, out: Array, Y: Array) -> Array:
        with np.errstate(over="ignore"):
            loss: Array = (out - np.log(Y) + Y * np.exp(-out) - 1).sum(axis=1)
        return loss

    def derivative(self, out: Array, Y: Array) -> Array:
        with np.errstate(over="ignore"):
            slope: Array = 1 - Y * np.exp(-out)
        return slope

    def outside(self, Y: Array) -> Array:
        bad: Array = Y <= 0
        return bad


class GaussianNll(Loss):
    """The negative log-likelihood of normal distributions, with output_activation "mean_variance": sum over targets
    of (log(2 pi v) + (Y - m)^2 / v) / 2 with mean m and variance v, two outputs for each target: Nix & Weigend (1994).
    """

    name = "gaussian_nll"
    formula = "(log(2 * pi * v) + (y - m)**2 / v) / 2"
    derivative_formula = "(m - y) / v if j <= k else (1 - (y - m)**2 / v) / 2"
    link = "mean_variance"

    def value(self, out: Array, Y: Array) -> Array:
        mean, log_variance = np.hsplit(out, 2)
        with np.errstate(over="ignore"):
            square = (mean - Y) ** 2 * np.exp(-log_variance)
        loss: Array = ((Y.dtype.type(math.log(2 * math.pi)) + log_variance + square) / 2).sum(axis=1)
        return loss

    def derivative(self, out: Array, Y: Array) -> Array:
        mean, log_variance = np.hsplit(out, 2)
        with np.errstate(over="ignore"):
            slope = (mean - Y) * np.exp(-log_variance)
        return np.hstack([slope, (1 - (mean - Y) * slope) / 2])

    def n_targets(self, n_out: int) -> int:
        if n_out % 2:
            raise ValueError(f"a mean and a variance for each target make an even number of outputs, not {n_out}")
        return n_out // 2

    def letters(self, Z: Array, Y_hat: Array, Y: Array) -> dict[str, Array]:
        mean, variance = np.hsplit(Y_hat, 2)
        return {"m": mean, "v": variance, "y": Y}


@dataclass(frozen=True)
class LogLossOfSigmoid(Loss):
    """Cross-entropy of one class or several labels, each output a probability of its own: sum over outputs
    of -y log(Y_hat) - (1 - y) log(1 - Y_hat). Smoothing moves y towards 1/2 by that share: Szegedy et al. (2016)."""

    name = "log_loss"
    link = "sigmoid"
    formula = "-log(y_hat) if y >= 1 else -log(1 - y_hat) if y <= 0 else -y * log(y_hat) - (1 - y) * log(1 - y_hat)"
    labels_formula = "y + label_smoothing * (1 / 2 - y)"
    stable_formula = "max(z, 0) - y * z + log(1 + exp(-abs(z)))"
    derivative_formula = "y_hat - y"
    domain = "from 0 to 1"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        checks.number(self.label_smoothing, "label_smoothing", 0, 1)

    def value(self, out: Array, Y: Array) -> Array:
        loss: Array = (np.maximum(out, 0) - self.labels(Y) * out + np.log1p(np.exp(-np.abs(out)))).sum(axis=1)
        return loss

    def derivative(self, out: Array, Y: Array) -> Array:
        slope: Array = logistic(out) - self.labels(Y)
        return slope

    def outside(self, Y: Array) -> Array:
        bad: Array = (Y < 0) | (Y > 1)
        return bad

    def labels(self, Y: Array) -> Array:
        labels: Array = Y + Y.dtype.type(self.label_smoothing) * (Y.dtype.type(0.5) - Y)
        return labels


@dataclass(frozen=True)
class LogLossOfSoftmax(Loss):
    """Cross-entropy of classes that exclude each other: -sum over classes of y log(Y_hat). A row of Y holds
    probabilities, such as a one among zeros; whole numbers in a flat array are numbers of classes. Smoothing moves y
    towards 1/n by that share."""

    name = "log_loss"
    link = "softmax"
    formula = "-y * log(y_hat) if y > 0 else 0"
    stable_formula = "y * (lse - z) if y > 0 else 0"
    derivative_formula = "y_hat - y"
    labels_formula = "y + label_smoothing * (1 / n_out - y)"
    domain = "probabilities that sum to 1"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        checks.number(self.label_smoothing, "label_smoothing", 0, 1)

    def value(self, out: Array, Y: Array) -> Array:
        shifted = out - out.max(axis=1, keepdims=True)
        log_total = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        loss: Array = (self.labels(Y) * (log_total - shifted)).sum(axis=1)
        return loss

    def derivative(self, out: Array, Y: Array) -> Array:
        labels = self.labels(Y)
        slope: Array = labels.sum(axis=1, keepdims=True) * Softmax().value(out) - labels
        return slope

    def n_targets(self, n_out: int) -> int:
        if n_out < 2:
            raise ValueError("a softmax needs two outputs at least; for one, use output_activation='sigmoid'")
        return n_out

    def encode(self, Y: npt.ArrayLike, n_out: int, name: str) -> npt.ArrayLike:
        classes = np.asarray(Y)
        if classes.shape[1:] not in ((), (1,)):
            return Y
        if classes.dtype.kind not in "iu":
            raise ValueError(
                f"{name} has one column of {classes.dtype.name}: numbers of classes are integers, from 0 to "
                f"{n_out - 1}; probabilities have shape (n, {n_out})"
            )
        classes = classes.ravel()
        bad = (classes < 0) | (classes >= n_out)
        if bad.any():
            row = int(bad.argmax())
            raise ValueError(
                f"{name}[{row}] is {classes[row]}: classes are numbered from 0 to {n_out - 1}, one per output"
            )
        columns: Array = np.eye(n_out)[classes]
        return columns

    def outside(self, Y: Array) -> Array:
        bad: Array = (Y < 0) | (np.abs(Y.sum(axis=1, keepdims=True) - 1) > 1e-3)
        return bad

    def labels(self, Y: Array) -> Array:
        labels: Array = Y + Y.dtype.type(self.label_smoothing) * (Y.dtype.type(1) / Y.dtype.type(Y.shape[1]) - Y)
        return labels


class Given(Loss):
    """The outputs' product with Y, so that Y is the derivative: takes gradients of something else back through the
    network. It is in no public list."""

    name = "_given"

    def value(self, out: Array, Y: Array) -> Array:
        loss: Array = (out * Y).sum(axis=1)
        return loss

    def derivative(self, out: Array, Y: Array) -> Array:
        return Y


_all: tuple[type[Loss], ...] = (
    *(SquaredError, AbsoluteError, Huber, LogCosh, Quantile, Poisson, Gamma, GaussianNll),
    *(LogLossOfSigmoid, LogLossOfSoftmax),
)
LOSSES: dict[str, type[Loss]] = {loss.key(): loss for loss in _all}
