"""Checks of what users pass in: each error says what was wrong, where, and what to do."""

from __future__ import annotations

import difflib
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .arrays import Array

T = TypeVar("T")

MAX_THREADS = 1024

# The most elements an array may have: a signed 64-bit count of bytes, with room for padding.
MAX_ELEMENTS = 2**59


def missing_extra(module: str, extra: str) -> ImportError:
    """Return the error that names the command which installs an optional dependency."""
    return ImportError(f"{module} is not installed: pip install 'fastmlp[{extra}]'")


def find(name: object, known: Mapping[str, T], what: str) -> T:
    """Return ``known[name]``, or raise naming the nearest right one."""
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a string, one of {', '.join(known)}; not {name!r}")
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name.lower(), known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"unknown {what} {name!r}: {hint}known are {', '.join(known)}")


def integer(value: object, name: str, low: int, high: int = 2**63 - 1) -> int:
    """Return ``value`` as an int in [low, high]."""
    if type(value) is int and low <= value <= high:
        return value
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # what is no integer is the case below
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
    if number < low:
        raise ValueError(f"{name} must be at least {low}, not {number}")
    if number > high:
        raise ValueError(f"{name} must be at most {high}, not {number}")
    return number


def flag(value: object, name: str) -> bool:
    """Return ``value`` as a bool."""
    if value is True or value is False:
        return value
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def threads(n_threads: int | None) -> int:
    """Return the number of threads asked for, or 0 for as many as may be used."""
    return 0 if n_threads is None else integer(n_threads, "n_threads", 1, MAX_THREADS)


def layer_sizes(sizes: Iterable[int]) -> tuple[int, ...]:
    """Return the sizes as a tuple of at least two positive ints whose products fit in memory."""
    if isinstance(sizes, (str, bytes)) or not isinstance(sizes, Iterable):
        raise TypeError(f"layer_sizes must be a sequence of integers such as [4, 16, 1], not {sizes!r}")
    checked = tuple(integer(n, f"layer_sizes[{i}]", 1) for i, n in enumerate(sizes))
    if len(checked) < 2:
        raise ValueError(f"layer_sizes needs an input and an output size at least, such as [4, 1]; got {list(checked)}")
    if (count := sum((n + 1) * m for n, m in itertools.pairwise(checked))) > MAX_ELEMENTS:
        raise ValueError(f"layer_sizes {list(checked)} ask for {count} parameters: more than any memory holds")
    return checked


def dtype(value: npt.DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64 as a dtype."""
    try:
        checked: np.dtype[Any] | None = None if value is None else np.dtype(value)
    except TypeError:
        checked = None
    if checked is None:
        raise TypeError(f"dtype must be 'float32' or 'float64', not {value!r}")
    if checked not in (np.float32, np.float64):
        raise ValueError(f"dtype must be 'float32' or 'float64' in this machine's byte order, not {checked.str!r}")
    return checked


def generator(random_state: object) -> np.random.Generator:
    """Return the generator that ``random_state`` (None, an int or a Generator) stands for."""
    if random_state is None or isinstance(random_state, np.random.Generator):
        return np.random.default_rng(random_state)
    return np.random.default_rng(integer(random_state, "random_state", 0, 2**128 - 1))


def find_nonfinite(a: Array) -> int:
    """Return the flat index of the first NaN or inf, or -1."""
    finite = np.isfinite(a).ravel()
    return -1 if finite.all() else int(finite.argmin())


def real_numbers(dtype: np.dtype[Any], name: str) -> None:
    """Raise TypeError if an array of this dtype does not hold real numbers."""
    if dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, and its dtype is {dtype}: convert it first")


def columns(shape: tuple[int, ...], n_columns: int, name: str, columns_are: str) -> None:
    """Raise ValueError if this is not the shape of a matrix with so many columns."""
    if len(shape) == 2 and shape[1] == n_columns:
        return
    hint = ""
    if shape == (n_columns,):
        hint = f"; a single row is {name}.reshape(1, -1)"
    elif len(shape) == 1 and n_columns == 1:
        hint = f"; a single column is {name}.reshape(-1, 1)"
    raise ValueError(f"{name} must have shape (n, {n_columns}) for {columns_are}; got {shape}{hint}")


def not_finite(place: str, value: Any, dtype: np.dtype[Any]) -> str:
    """Return what is wrong with a value that is not finite in ``dtype``."""
    why = f"too large for {dtype.name}" if np.isfinite(value) else "not a finite number"
    return f"{place} is {value}: {why}"


def matrix(
    data: npt.ArrayLike,
    name: str,
    dtype: np.dtype[Any],
    n_columns: int,
    columns_are: str,
    nonfinite: Callable[[Array], int] = find_nonfinite,
) -> Array:
    """Return ``data`` as a C-ordered (n, n_columns) array of ``dtype``; no copy if it is one already.

    Raises
    ------
    TypeError
        If it does not hold real numbers.
    ValueError
        If its shape is another, or an element is NaN, infinite or too large for ``dtype``.
    """
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array: fill in or drop what is masked first")
    try:
        a = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"{name} is no array of numbers: {error}") from None
    real_numbers(a.dtype, name)
    columns(a.shape, n_columns, name, columns_are)
    converted = a
    if a.dtype != dtype or not a.flags.c_contiguous or not a.flags.aligned:
        with np.errstate(over="ignore"):  # an overflow is found, with its place, below
            converted = np.array(a, dtype, order="C")
    if (index := nonfinite(converted)) >= 0:
        row, column = divmod(index, n_columns)
        raise ValueError(not_finite(f"{name}[{row}, {column}]", a[row, column], dtype))
    return converted


def targets(
    data: npt.ArrayLike,
    name: str,
    dtype: np.dtype[Any],
    n_columns: int,
    n_rows: int,
    nonfinite: Callable[[Array], int] = find_nonfinite,
    X_name: str = "X",
) -> Array:
    """Return targets as ``matrix`` does, of n_rows rows; a flat array is one output's column."""
    if n_columns == 1 and isinstance(data, (np.ndarray, list, tuple)) and np.ndim(data) == 1:
        data = np.reshape(data, (-1, 1))
    checked = matrix(data, name, dtype, n_columns, f"{n_columns} target(s)", nonfinite)
    if len(checked) != n_rows:
        raise ValueError(f"{name} has {len(checked)} rows, and {X_name} has {n_rows}")
    if n_rows == 0:
        raise ValueError(f"{X_name} and {name} have no rows: there is nothing to compute a loss of")
    return checked


def weights_of_samples(
    data: npt.ArrayLike | None, n_rows: int, name: str = "sample_weight", X_name: str = "X"
) -> Array | None:
    """Return weights of samples as float64 of shape (n_rows,), scaled to a mean of 1; None stays None."""
    if data is None:
        return None
    a = np.asarray(data)
    if a.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, and its dtype is {a.dtype}")
    if a.shape != (n_rows,):
        raise ValueError(f"{name} must have shape ({n_rows},), one per row of {X_name}; got {a.shape}")
    a = np.array(a, np.float64)
    bad = ~(np.isfinite(a) & (a >= 0))
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"{name}[{row}] is {a[row]}: weights are finite and not negative")
    largest = a.max()
    if largest == 0:
        raise ValueError(f"{name} is zero for every row: at least one must be positive")
    a /= largest  # so that the sum of huge weights does not overflow
    a /= a.mean()
    return a


def number(value: object, name: str, low: float, high: float, *, open_low: bool = False) -> float:
    """Return ``value`` as a float in [low, high), or in (low, high) with open_low."""
    if type(value) is float and low < value < high:
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} is too large") from None
    if not (low < number < high if open_low else low <= number < high):
        raise ValueError(f"{name} must lie in {'(' if open_low else '['}{low}, {high}), not {value!r}")
    return number
