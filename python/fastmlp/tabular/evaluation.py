"""How good predictions are, and how good the plainest guess is: the one that uses no feature."""

from __future__ import annotations

import math

import numpy as np

from ..reference.arrays import Array
from .model import TabularModel

Metrics = dict[str, float]

# Probabilities are cut to this distance from 0, so that one that is wrong does not outweigh all others.
SMALLEST = 1e-15


def evaluate(model: TabularModel, Y_hat: Array, y: Array, weight: Array | None = None) -> Metrics:
    """Return the metrics of what ``model.predict`` gave, beside numbers or places of classes."""
    if not model.classes:
        return _of_numbers(model.points(Y_hat), y, weight)
    probabilities = model.probabilities(Y_hat) if model.has_probabilities else None
    return _of_classes(model.points(Y_hat), probabilities, y, weight)


def plainest_guess(model: TabularModel, y: Array, weight: Array | None = None) -> Metrics:
    """Return the metrics of always guessing the mean or the most frequent class of the training rows.

    A model that does not remember them guesses what the rows at hand have.
    """
    guess = model.guess or _guess_of(model, y)
    if not model.classes:
        return _of_numbers(np.full(len(y), guess[0]), y, weight)
    shares = np.array(guess)
    probabilities = np.tile(shares / shares.sum(), (len(y), 1)) if model.has_probabilities else None
    return _of_classes(np.full(len(y), shares.argmax()), probabilities, y, weight)


def name_of_guess(model: TabularModel, y: Array) -> str:
    """Return the plainest guess in words."""
    if not model.classes:
        return "always the mean"
    return f"always {model.classes[int(np.argmax(model.guess or _guess_of(model, y)))]!r}"


def confusion(y_hat: Array, y: Array, n_classes: int) -> Array:
    """Return how many rows of each class, by rows, were taken for each class, by columns."""
    counts: Array = np.bincount(y * n_classes + y_hat, minlength=n_classes**2).reshape(n_classes, n_classes)
    return counts


def shares_of_classes(y: Array, n_classes: int) -> list[float]:
    """Return the share of rows that each class has."""
    shares: list[float] = (np.bincount(y, minlength=n_classes) / len(y)).tolist()
    return shares


def _guess_of(model: TabularModel, y: Array) -> list[float]:
    return shares_of_classes(y, len(model.classes)) if model.classes else [float(model.outputs.mean[0])]


def _of_numbers(y_hat: Array, y: Array, weight: Array | None) -> Metrics:
    squared_error = float(np.average(np.square(y_hat - y), weights=weight))
    spread = float(np.average(np.square(y - np.average(y, weights=weight)), weights=weight))
    return {
        "RMSE": math.sqrt(squared_error),
        "MAE": float(np.average(np.abs(y_hat - y), weights=weight)),
        "R2": 1 - squared_error / spread if spread else float(squared_error == 0),
    }


def _of_classes(y_hat: Array, probabilities: Array | None, y: Array, weight: Array | None) -> Metrics:
    found = {"accuracy": float(np.average(y_hat == y, weights=weight))}
    if probabilities is not None:
        likely = np.clip(probabilities[np.arange(len(y)), y], SMALLEST, 1)
        found["log_loss"] = -float(np.average(np.log(likely), weights=weight))
    return found
