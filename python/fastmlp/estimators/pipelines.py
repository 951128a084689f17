"""Pipelines of scalers and an estimator, taken apart for files, ONNX models and C code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from ..reference.arrays import Array

if TYPE_CHECKING:
    from .base import Perceptron

SCALERS: dict[str, type[Any]] = {"StandardScaler": StandardScaler, "MinMaxScaler": MinMaxScaler}


def taken_apart(pipeline: Any, what: str, instead: str) -> tuple[list[tuple[str, Any]], Perceptron]:
    """Return the fitted scalers by the names of their steps, None for "passthrough", and the fitted estimator.

    Raises
    ------
    TypeError
        If a step is something else; the message names it, and says what holds scalers alone, and what to do instead.
    NotFittedError
        If a step is not fitted.
    """
    from .base import Perceptron  # which imports this

    *before, (last, est) = pipeline.steps
    if not isinstance(est, Perceptron):
        raise TypeError(
            f"step {last!r}, the last one, is a {type(est).__name__}: {what} takes pipelines that end in an estimator "
            "of fastmlp"
        )
    scalers = [(name, None if isinstance(step, str) and step == "passthrough" else step) for name, step in before]
    for name, scaler in scalers:
        kind = type(scaler).__name__
        if scaler is not None and type(scaler) is not SCALERS.get(kind):
            raise TypeError(
                f"step {name!r} is a {kind}: before the estimator, {what} takes {', '.join(SCALERS)} and "
                f"'passthrough'; {instead}"
            )
    for fitted in (*(scaler for _, scaler in scalers if scaler is not None), est):
        check_is_fitted(fitted)
    return scalers, est


def operations(scaler: Any) -> list[tuple[str, Array]]:
    """Return what a scaler does to each feature, one after the other, by the names that ONNX has for it.

    "Clip" has the lowest and the highest value; all others have a number for each feature.
    """
    if isinstance(scaler, StandardScaler):
        steps = [("Sub", scaler.mean_ if scaler.with_mean else None), ("Div", scaler.scale_)]
        return [(name, np.asarray(numbers)) for name, numbers in steps if numbers is not None]
    steps = [("Mul", scaler.scale_), ("Add", scaler.min_)]
    return steps + ([("Clip", np.array(scaler.feature_range))] if scaler.clip else [])


def as_scaling(scalers: list[tuple[str, Any]], n_features: int) -> tuple[Array, Array]:
    """Return the mean and the scale with which scalers give (x - mean) / scale; ValueError if one of them clips."""
    mean, scale = np.zeros(n_features), np.ones(n_features)
    for name, scaler in scalers:
        for operation, numbers in operations(scaler) if scaler is not None else ():
            if operation == "Sub":
                mean = mean + scale * numbers
            elif operation == "Add":
                mean = mean - scale * numbers
            elif operation == "Div":
                scale = scale * numbers
            elif operation == "Mul":
                scale = scale / numbers
            else:
                raise ValueError(f"step {name!r} is a MinMaxScaler with clip=True: there is no C code for the clipping")
    return mean, scale
