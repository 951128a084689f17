"""Data that comes with the package; README.md in this folder says where it is from."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from ..reference.arrays import Array


def load_digits() -> tuple[Array, Array]:
    """Return 1,797 images of handwritten digits and what they show.

    The data is by E. Alpaydin and C. Kaynak, https://doi.org/10.24432/C50P49, under CC BY 4.0.

    Returns
    -------
    X : ndarray of float32, shape (1797, 64)
        The pixels of each 8 x 8 image, row by row, from 0 (white) to 1 (black).
    labels : ndarray of int64, shape (1797,)
        The digits, 0 to 9.

    Examples
    --------
    >>> from fastmlp.data import load_digits
    >>> X, labels = load_digits()
    >>> X.shape, labels[:3]
    ((1797, 64), array([0, 1, 2]))
    """
    with files(__name__).joinpath("digits.npz").open("rb") as file, np.load(file) as arrays:
        return arrays["images"].astype(np.float32) / np.float32(16), arrays["labels"].astype(np.int64)
