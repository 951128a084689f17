"""Tensors as the bytes of a safetensors file, and back, by the library: it writes and reads the core's files."""

from __future__ import annotations

import numpy as np

from .reference.arrays import Array


def save(tensors: dict[str, Array], metadata: dict[str, str]) -> bytes:
    """Return the file that holds arrays and texts."""
    from safetensors import numpy  # most programs do without

    # The library reads memory from an array's beginning on, whatever its strides.
    return numpy.save({name: np.require(a, requirements="C") for name, a in tensors.items()}, metadata)


def load(content: bytes) -> dict[str, Array]:
    """Return the arrays of a file; ValueError if the library refuses it."""
    from safetensors import SafetensorError, numpy

    try:
        return numpy.load(content)
    except (SafetensorError, KeyError) as error:  # a dtype that NumPy does not have is a KeyError
        raise ValueError(str(error)) from None
