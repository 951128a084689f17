"""Numbers that are not finite: in the data, in the parameters, and in a pass through the layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..reference.arrays import Array
from ..reference.divergence import bad_layer_of
from ..reference.sparse import is_sparse
from ..tabular.table import shortened
from .case import Case
from .report import ERROR, Finding, counted

# Rows that are looked at together.
BLOCK = 2**20

# Places that the evidence holds.
MOST_PLACES = 100


def bad_cells(a: Any, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Return rows and columns of the elements that are no finite number in ``dtype``, in their order."""
    limit = np.finfo(dtype).max
    if is_sparse(a):
        places = a.tocoo()
        bad = ~(np.abs(places.data) <= limit)
        rows, columns = places.row[bad], places.col[bad]
        order = np.lexsort((columns, rows))
        return rows[order], columns[order]
    step, found = max(1, BLOCK // max(1, a.shape[1])), []
    for start in range(0, len(a), step):
        good = np.abs(a[start : start + step]) <= limit
        if not good.all():
            rows, columns = np.nonzero(~good)
            found.append((rows + start, columns))
    if not found:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    return np.concatenate([rows for rows, _ in found]), np.concatenate([columns for _, columns in found])


def data_finding(case: Case, name: str, a: Any, rows: Array, columns: Array) -> Finding:
    """Return what is wrong with elements of X or Y."""
    kind = "nonfinite_inputs" if name == "X" else "nonfinite_targets"
    which, n_rows = np.unique(columns), len(np.unique(rows))
    names = dict(zip(which.tolist(), case.columns(which) if name == "X" else map(str, which), strict=True))
    message = (
        f"{name} has {counted(len(rows), 'number')} that {case.net.dtype.name} does not hold, in "
        f"{counted(n_rows, 'row')}, columns {shortened(names.values())}; the first is "
        f"{a[int(rows[0]), int(columns[0])]} in row {rows[0]}, column {names[int(columns[0])]}. What follows is about "
        "the other rows"
    )
    places = [[int(i), int(j)] for i, j in zip(rows[:MOST_PLACES], columns[:MOST_PLACES], strict=True)]
    return case.finding(kind, ERROR, message, count=len(rows), rows=n_rows, columns=which.tolist(), places=places)


def parameters(case: Case) -> Iterator[Finding]:
    """Look for parameters that are not finite."""
    if not bad_layer_of(case.net):
        return
    counts = {}
    for l, W in enumerate(case.net.weights, 1):
        b = case.net.biases[l - 1] if case.net.bias else np.zeros(0)
        if n := int((~np.isfinite(W)).sum() + (~np.isfinite(b)).sum()):
            counts[l] = n
    where = ", ".join(f"{n:,} in layer {l}" for l, n in counts.items())
    yield case.finding(
        "nonfinite_parameters", ERROR, f"parameters are not finite: {where}", layer=min(counts), counts=counts
    )


def overflow(case: Case) -> Iterator[Finding]:
    """Look for the first layer whose numbers become too large, forward and, if there is none, backward."""
    if case.overflow is None or case.diverged:
        return
    name, l, n_rows = case.overflow
    if name == "J":
        message = f"the loss overflows {case.net.dtype.name}: outputs and targets are too far from each other"
    else:
        words = {"Z": "net inputs", "A": "activations", "delta": "gradients going back"}[name]
        message = (
            f"the {words} of layer {l} are the first that overflow {case.net.dtype.name}, in {n_rows:,} of "
            f"{len(case.rows):,} rows"
        )
    yield case.finding("overflow", ERROR, message, layer=l, quantity=name, rows=n_rows)
