"""Training runs in all the forms that they come in, as curves by name."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..reference.arrays import Array
from ..reference.results import History
from .models import estimator_of

Curves = dict[str, Array]

# Columns of a log that are no curves.
NO_CURVES = ("epoch", "seconds")


def runs_of(history: Any) -> dict[str, Curves]:
    """Return the curves of each run, by the run's name; a single run has none.

    Raises
    ------
    TypeError, ValueError
        If there is nothing to draw in it.
    """
    if isinstance(history, Mapping):
        runs = {str(name): curves_of(run, f"history[{name!r}]") for name, run in history.items()}
    elif _is_sequence(history) and not _is_curve(history):
        runs = {f"run {i + 1}": curves_of(run, f"history[{i}]") for i, run in enumerate(history)}
    else:
        runs = {"": curves_of(history, "history")}
    if not runs:
        raise ValueError("history is empty: there is no run to draw")
    return runs


def curves_of(run: Any, name: str) -> Curves:
    """Return the curves of one run; ``name`` is what errors call it."""
    if isinstance(run, History):
        curves: Any = run.curves()
    elif isinstance(run, (str, os.PathLike)):
        curves = _of_file(run)
    elif _is_sequence(run) and _is_curve(run):
        curves = {"loss": run}
    elif hasattr(last := estimator_of(run), "loss_curve_"):
        curves = _of_estimator(last)
    else:
        raise TypeError(
            f"{name} must be what train returned, a fitted estimator, a curve of numbers or the path of a CSVLog; "
            f"not {type(run).__name__}"
        )
    found = {key: np.asarray(curve, np.float64).ravel() for key, curve in curves.items()}
    found = {key: curve for key, curve in found.items() if curve.size}
    if not found:
        raise ValueError(f"{name} has no epochs: there is nothing to draw")
    return found


def _of_estimator(model: Any) -> dict[str, Any]:
    """Return what an estimator noted over all its fits that went on; scikit-learn's own have the same attributes."""
    history = getattr(model, "history_", None)
    rates = history.learning_rate if history and len(history.loss) == len(model.loss_curve_) else None
    own = {
        "loss": model.loss_curve_,
        "validation_loss": getattr(model, "validation_loss_curve_", None),
        "validation_score": getattr(model, "validation_scores_", None),
        "learning_rate": rates,
    }
    return {name: curve for name, curve in own.items() if curve is not None}


def _of_file(path: str | os.PathLike[str]) -> dict[str, list[float]]:
    """Return the columns of a log that CSVLog wrote. A last line that was cut short is none."""
    with open(path, newline="", encoding="utf-8") as file:
        header, *lines = list(csv.reader(file)) or [[]]
    if "loss" not in header:
        raise ValueError(f"{os.fspath(path)} is no log of CSVLog: its first line has no column 'loss'")
    lines = [line for line in lines if len(line) == len(header)]
    try:
        columns = {name: [float(line[i]) for line in lines] for i, name in enumerate(header)}
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)} is no log of CSVLog: {error}") from None
    return {name: column for name, column in columns.items() if name not in NO_CURVES}


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes))


def _is_curve(values: Any) -> bool:
    """Return whether a sequence is of numbers; an array of any kind is."""
    if isinstance(values, np.ndarray):
        return True
    return all(isinstance(value, (int, float, np.number)) for value in values)
