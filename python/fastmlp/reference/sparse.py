"""Inputs that may be sparse: SciPy's matrices and arrays, known by what they can do, so that SciPy is not needed.

Sparse rows are in the CSR format: row i has data[k] in column indices[k], for k from indptr[i] to indptr[i + 1], and
zeros elsewhere. What is to be computed with is made dense when its turn comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from . import checks
from .arrays import Array


class SparseMatrix(Protocol):
    """What SciPy can turn into rows, whatever its format."""

    def tocsr(self) -> Any: ...


class SparseRows(SparseMatrix, Protocol):
    """What is used of one in the CSR format."""

    indptr: Array
    indices: Array
    data: Array

    @property
    def shape(self) -> tuple[int, int]: ...
    def __getitem__(self, rows: Array | slice) -> SparseRows: ...
    def astype(self, dtype: npt.DTypeLike) -> SparseRows: ...
    def toarray(self) -> Array: ...


InputsLike = npt.ArrayLike | SparseMatrix
Inputs = Array | SparseRows


def is_sparse(X: object) -> bool:
    """Return whether X is a sparse matrix."""
    return hasattr(X, "tocsr")


def dense(X: Inputs) -> Array:
    """Return rows of X as an array."""
    return X if isinstance(X, np.ndarray) else X.toarray()


def check_inputs(
    X: InputsLike,
    name: str,
    dtype: np.dtype[Any],
    n_in: int,
    nonfinite: Callable[[Array], int] = checks.find_nonfinite,
) -> Inputs:
    """Return X in ``dtype`` as an array or as sparse rows that hold each place once; X is not changed.

    Raises
    ------
    TypeError
        If it does not hold real numbers.
    ValueError
        If its shape is another, an element is NaN, infinite or too large for ``dtype``, or a sparse matrix is damaged.
    """
    network = f"a network of {n_in} input(s)"
    if not is_sparse(X):
        return checks.matrix(X, name, dtype, n_in, network, nonfinite)  # type: ignore[arg-type]  # as it is not sparse
    given: Any = X
    checks.real_numbers(given.dtype, name)
    checks.columns(given.shape, n_in, name, network)
    rows = _rows(given, name)
    with np.errstate(over="ignore"):  # an overflow is found, with its place, below
        converted: SparseRows = rows if rows.data.dtype == dtype else rows.astype(dtype)
    if (index := nonfinite(converted.data[: rows.indptr[-1]])) >= 0:
        place = f"{_line(rows, index)}, {rows.indices[index]}"
        raise ValueError(checks.not_finite(f"{name}[{place}]", rows.data[index], dtype))
    return converted


def _rows(X: Any, name: str) -> Any:
    """Return a sparse matrix in the CSR format, with each place once, in arrays that the core can read."""
    if getattr(X, "format", None) == "csc":
        _check_places(X, name)
    rows = X.tocsr()
    _check_places(rows, name)
    if not (_is_plain(rows) and _is_in_order(rows)):
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def _check_places(X: Any, name: str) -> None:
    """Raise ValueError if a matrix in the CSR or CSC format has elements outside its shape: SciPy does not look."""
    by_row = X.format == "csr"
    lines, width = X.shape if by_row else X.shape[::-1]
    indptr, indices = X.indptr, X.indices
    falls = (indptr[1:] < indptr[:-1]).any()
    if indptr.shape != (lines + 1,) or indptr[0] != 0 or falls or indptr[-1] > min(len(indices), len(X.data)):
        raise ValueError(
            f"{name} is a damaged sparse matrix: its indptr must rise from 0 to the number of its indices and data"
        )
    outside = (indices < 0) | (indices >= width)
    outside[indptr[-1] :] = False  # where nothing is kept
    if outside.any():
        index = int(outside.argmax())
        line, across = ("row", "columns") if by_row else ("column", "rows")
        raise ValueError(
            f"{name} is a damaged sparse matrix: an index of {line} {_line(X, index)} is {indices[index]}, "
            f"and there are {width} {across}"
        )


def _line(X: Any, index: int) -> int:
    """Return the row, or the column of a CSC matrix, that an element belongs to."""
    return int(np.searchsorted(X.indptr, index, side="right")) - 1


def _is_plain(rows: Any) -> bool:
    arrays = rows.indptr, rows.indices, rows.data
    widths = {rows.indptr.dtype, rows.indices.dtype}
    return widths in ({np.dtype(np.int32)}, {np.dtype(np.int64)}) and all(
        a.flags.c_contiguous and a.flags.aligned for a in arrays
    )


def _is_in_order(rows: Any) -> bool:
    """Return whether the columns of every row rise. (SciPy's answer may be of the time before they were changed.)"""
    columns = rows.indices[: rows.indptr[-1]]
    rises = np.ones(len(columns) + 1, bool)
    rises[1:-1] = columns[1:] > columns[:-1]
    rises[rows.indptr] = True
    return bool(rises.all())
