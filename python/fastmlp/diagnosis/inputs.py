"""The columns of X: their scales, those that say nothing, and those that say the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..reference.arrays import Array
from ..reference.sparse import dense
from ..tabular.table import shortened
from . import thresholds
from .case import Case
from .report import WARNING, Finding


def unscaled_inputs(case: Case) -> Iterator[Finding]:
    """Look for columns whose scale, or distance from 0, is far from that of the others and from 1."""
    if len(case.rows) < 2:
        return
    X = case.X
    mean, deviation = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
    size, counts = _sizes(X)
    varies = X.min(axis=0) < X.max(axis=0)
    if not varies.any():
        return
    large = size > thresholds.LARGE
    far = varies & (np.abs(mean) > 1) & (np.abs(mean) > thresholds.OFFSET * deviation)
    scaled = size[varies & ~large & ~far]
    scale = max(float(scaled.max(initial=0)), 1.0 if large.any() else 0.0)
    often = counts >= min(thresholds.ROWS_TO_SEE, len(X))
    small = varies & ~large & often & (size < scale / thresholds.SMALLER)
    length = float(np.sqrt(np.square(X, dtype=np.float64).sum(axis=1).mean()))
    if size[varies].max() < thresholds.SMALL and length < thresholds.SHORT_ROW:
        small = varies
    which = np.flatnonzero((large & varies) | far | small)
    if not len(which):
        return
    told = [f"{name} ({mean[j]:.4g} +- {deviation[j]:.3g})" for name, j in zip(case.columns(which), which, strict=True)]
    message = f"inputs are not near a mean of 0 and a deviation of 1: {_word(which)} {shortened(told, 6)}"
    yield case.finding(
        "unscaled_inputs",
        WARNING,
        message,
        columns=which.tolist(),
        names=_names(case, which),
        mean=mean[which].tolist(),
        deviation=deviation[which].tolist(),
    )


def constant_columns(case: Case) -> Iterator[Finding]:
    """Look for columns that have the same value in all rows, but for zeros in sparse data."""
    if len(case.rows) < 2:
        return
    first, columns = case.X[0], np.flatnonzero((case.X[0] == case.X).all(axis=0))
    if len(case.rows) < len(case.samples.Y):  # what is so in some rows need not be so in all
        for start in range(0, len(case.samples.Y), thresholds.MOST_ROWS):
            others = dense(case.samples.X[start : start + thresholds.MOST_ROWS][:, columns])
            columns = columns[(others.astype(case.X.dtype) == first[columns]).all(axis=0)]
    rest = np.delete(case.X, columns, axis=1)
    if rest.size and (rest == 0).mean() >= thresholds.SPARSE:
        columns = columns[first[columns] != 0]
    if len(columns):
        values = first[columns].tolist()
        told = [f"{name} (always {value:g})" for name, value in zip(case.columns(columns), values, strict=True)]
        message = f"{_word(columns)} {shortened(told)}: nothing can be learnt from what never changes"
        yield case.finding(
            "constant_columns",
            WARNING,
            message,
            columns=columns.tolist(),
            names=_names(case, columns),
            values=values,
        )


def copied_columns(case: Case) -> Iterator[Finding]:
    """Look for columns that are, up to a factor and an offset, others."""
    Z, columns = _standardised(case)
    if len(columns) < 2:
        return
    alike = np.clip(np.triu(Z.T @ Z, 1) / np.float32(len(Z)), -1, 1)
    pairs = [(int(i), int(j)) for i, j in np.argwhere(np.abs(alike) >= thresholds.COPY)]
    found: dict[int, tuple[int, float]] = {}
    for i, j in pairs:
        if alike[i, j] > 0 or not (_is_binary(Z[:, i]) and _is_binary(Z[:, j])):  # "yes" and "no" are no copies
            found.setdefault(int(columns[j]), (int(columns[i]), float(alike[i, j])))
    if not found:
        return
    names = {j: case.columns([j])[0] for pair in found.items() for j in (pair[0], pair[1][0])}
    told = [
        f"{names[j]} {'equals' if np.array_equal(case.X[:, i], case.X[:, j]) else 'follows'} {names[i]}"
        for j, (i, _) in found.items()
    ]
    which = sorted(found)
    yield case.finding(
        "copied_columns",
        WARNING,
        f"columns say the same twice, which weighs it double: {shortened(told)}",
        columns=which,
        names=_names(case, which),
        copies_of=[found[j][0] for j in which],
        correlations=[found[j][1] for j in which],
    )


def _sizes(X: Array) -> tuple[Array, Array]:
    """Return the root mean square of each column's values that are not zero, and their numbers."""
    squares, counts = np.square(X, dtype=np.float64).sum(axis=0), (X != 0).sum(axis=0)
    sizes: Array = np.sqrt(squares / np.maximum(counts, 1))
    return sizes, counts


def _standardised(case: Case) -> tuple[Array, Array]:
    """Return standardised columns, and which they are: those whose correlations say something."""
    n = len(case.rows)
    rows = np.unique(np.linspace(0, n - 1, min(n, thresholds.ROWS_COMPARED)).round().astype(np.intp))
    X = case.X[rows, : thresholds.MOST_COMPARED].astype(np.float64)
    columns = np.flatnonzero((np.median(X, axis=0) != X).sum(axis=0) >= thresholds.ROWS_TO_SEE)
    Z = X[:, columns] - X[:, columns].mean(axis=0)
    return (Z / Z.std(axis=0)).astype(np.float32), columns


def _is_binary(column: Array) -> bool:
    return bool(((column == column.min()) | (column == column.max())).all())


def _word(which: Array) -> str:
    return "column" if len(which) == 1 else "columns"


def _names(case: Case, which: Array | list[int]) -> list[str] | None:
    return None if case.names is None else [str(case.names[j]) for j in which]


CHECKS = (unscaled_inputs, constant_columns, copied_columns)
