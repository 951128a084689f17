"""The array type of the package's annotations."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Vector registers hold up to 64 bytes.
ALIGNMENT = 64


def aligned_zeros(n: int, dtype: npt.DTypeLike) -> Array:
    """Return n zeros that start on a cache line, with a vector's width of spare room behind them.

    The compiled kernels read whole vectors, so the last one may reach past the last element.
    """
    n_bytes = n * np.dtype(dtype).itemsize
    raw = np.zeros(n_bytes + 2 * ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + n_bytes].view(dtype)


def has_room(a: Array) -> bool:
    """Return whether ``a`` may be written to as the kernels do: it is as :func:`aligned_zeros` makes arrays."""
    raw = a.base
    if type(a) is not np.ndarray or type(raw) is not np.ndarray or raw.dtype != np.uint8 or not raw.flags.owndata:
        return False
    room = raw.ctypes.data + raw.nbytes - (a.ctypes.data + a.nbytes)
    return a.flags.carray and room >= ALIGNMENT


def with_room(a: Array) -> Array:
    """Return a flat copy of ``a`` as :func:`aligned_zeros` makes arrays."""
    copy = aligned_zeros(a.size, a.dtype)
    copy[:] = a
    return copy
