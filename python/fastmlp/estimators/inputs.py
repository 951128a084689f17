"""What estimators are given: samples and weights, checked as scikit-learn does, and named where they are wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import _check_sample_weight, validate_data

from .. import _core
from ..network import Network
from ..reference import checks
from ..reference.arrays import Array

FLOATS = (np.float64, np.float32)


def check_inputs(est: Any, X: Any, *, reset: bool = False) -> Any:
    """Return X as a matrix of float64 or float32, dense or sparse; ``reset`` sets its number and names of features."""
    X = _validated(est, X, reset=reset)
    check_finite(est, X)
    return X


def check_samples(est: Any, X: Any, y: Any, *, numeric: bool, reset: bool) -> tuple[Any, Array]:
    """Return X as :func:`check_inputs`, and y of as many rows."""
    X, y = _validated(est, X, y=y, multi_output=True, y_numeric=numeric, reset=reset)
    check_finite(est, X)
    return X, y


def _validated(est: Any, X: Any, **arguments: Any) -> Any:
    """Return what scikit-learn's validation gives; text in X is named with its place."""
    try:
        return validate_data(est, X, accept_sparse=["csr", "csc"], dtype=FLOATS, ensure_all_finite=False, **arguments)
    except ValueError as error:
        place = _place_of_text(X) if "could not convert string" in str(error) else None
        if place is None:
            raise
        raise ValueError(
            f"Input X contains text: {place}. {type(est).__name__} needs numbers: leave such columns out, or encode "
            "them, for instance by sklearn.preprocessing.OneHotEncoder"
        ) from None


def _place_of_text(X: Any) -> str | None:
    """Return where the first cell is that is text and no number; None if there is none."""
    names = list(X.columns) if hasattr(X, "columns") else None
    for row, cells in enumerate(np.asarray(X, dtype=object).tolist()):
        for column, cell in enumerate(cells):
            if isinstance(cell, str) and not _is_number(cell):
                return f"row {row}, column {column if names is None else repr(names[column])} is {cell!r}"
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_finite(est: Any, X: Any) -> None:
    """Raise ValueError, with row and column, if a number is NaN or infinite."""
    values = X.data if hasattr(X, "indptr") else X
    index = _core.find_nonfinite(np.ascontiguousarray(values))
    if index < 0:
        return
    row, column = _place(X, index)
    names = getattr(est, "feature_names_in_", None)
    where = f"column {column}" if names is None or column >= len(names) else f"column {names[column]!r}"
    what = "NaN" if np.isnan(values.ravel()[index]) else "infinity"
    raise ValueError(
        f"Input X contains {what}: row {row}, {where}. {type(est).__name__} needs a finite number everywhere: "
        "drop such rows, or fill them in, for instance by sklearn.impute.SimpleImputer"
    )


def check_targets(Y: Array, dtype: npt.DTypeLike) -> Array:
    """Return targets, shape (n, n_targets), in the precision of X; one that is too large for it is named."""
    with np.errstate(over="ignore"):  # an overflow is found, with its place, below
        converted = np.ascontiguousarray(Y, dtype)
    if (index := _core.find_nonfinite(converted)) >= 0:
        row, column = divmod(index, Y.shape[1])
        place = f"y[{row}, {column}]" if Y.shape[1] > 1 else f"y[{row}]"
        raise ValueError(checks.not_finite(place, Y[row, column], converted.dtype))
    return converted


def check_weights(sample_weight: Any, X: Any) -> Array | None:
    """Return weights of the samples as float64, or None; none may be negative, and not all zero."""
    if sample_weight is None:
        return None
    weight: Array = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weight < 0).any():
        row = int((weight < 0).argmax())
        raise ValueError(f"sample_weight[{row}] is {weight[row]}: weights are not negative")
    check_not_all_zero(weight, "sample_weight")
    return weight


def check_not_all_zero(weight: Array, what: str, rows: str = "row") -> None:
    """Raise ValueError if no sample counts."""
    if not weight.any():
        raise ValueError(f"{what} is zero for every {rows}: at least one must be positive")


def draw_biases(net: Network, rng: np.random.Generator) -> None:
    """Let biases begin as scikit-learn's: as far from zero as the weights of their layer may."""
    for W, b in zip(net.weights, net.biases, strict=True):
        limit = math.sqrt(6 / sum(W.shape))
        b[:] = rng.uniform(-limit, limit, b.shape)


def put_initial(name: str, given: Any, views: Sequence[Array]) -> None:
    """Copy initial values, if any are given, into a network's parameters."""
    if given is None:
        return
    if not hasattr(given, "__len__"):
        raise TypeError(f"{name} must be a sequence of arrays, one for each layer, not {given!r}")
    if len(given) != len(views):
        raise ValueError(f"{name} has {len(given)} arrays, and the network {len(views)} layers of them")
    arrays = [np.asarray(array) for array in given]
    for i, (array, view) in enumerate(zip(arrays, views, strict=True)):
        checks.real_numbers(array.dtype, f"{name}[{i}]")
        if array.shape != view.shape:
            raise ValueError(f"{name}[{i}] must have shape {view.shape}, not {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}[{i}] holds a number that is not finite")
    for array, view in zip(arrays, views, strict=True):
        view[:] = array


def _place(X: Any, index: int) -> tuple[int, int]:
    """Return row and column of an element: by its place among those that a sparse matrix holds, or in a dense one."""
    if hasattr(X, "indptr"):
        major, minor = int(np.searchsorted(X.indptr, index, side="right")) - 1, int(X.indices[index])
        return (major, minor) if X.format == "csr" else (minor, major)
    row, column = divmod(index, X.shape[1])
    return int(row), int(column)
