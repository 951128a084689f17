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
