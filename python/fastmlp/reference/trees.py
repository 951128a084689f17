"""Trees of dictionaries, lists, numbers, strings and arrays, as files.

They are files of :mod:`.sealed`. Arrays are tensors, named by where they are in the tree; the rest is JSON in the
description, under "tree". Numbers may be infinite, or NaN.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from . import sealed
from .arrays import Array
from .tensors import NAMES

# What stands in the JSON for an array, and for a number that JSON has no word for.
TENSOR, NUMBER = "tensor of this file", "number beyond JSON"


def write(
    path: str | os.PathLike[str],
    codec: sealed.Codec,
    format: str,
    tree: dict[str, Any],
    previous: str | None = None,
) -> None:
    """Write a tree to a file. The file is complete, or it is what it was before.

    Raises
    ------
    TypeError
        If the tree holds anything that is not named above.
    ValueError
        If ``path`` is something else than a file.
    OSError
        If the file cannot be written.
    """
    tensors: dict[str, Array] = {}
    described = {"tree": _without_arrays(tree, "", tensors)}
    sealed.write(path, codec, format, described, tensors, f"{os.path.realpath(path)}.tmp", previous)


def read(path: str | os.PathLike[str], codec: sealed.Codec, formats: tuple[str, ...]) -> dict[str, Any]:
    """Return the tree that ``write`` wrote. Arrays are copies of their own.

    Raises
    ------
    ValueError
        If the file is of none of these formats, or is damaged.
    OSError
        If it cannot be read.
    """
    try:
        described, tensors = sealed.read(path, codec, formats)
        tree = _with_arrays(described.get("tree"), tensors)
        if not isinstance(tree, dict):
            raise ValueError("it holds no tree")
        return tree
    except sealed.REFUSED as error:
        raise sealed.refusal(path, error) from None


def _without_arrays(value: Any, name: str, tensors: dict[str, Array]) -> Any:
    """Return the value as JSON holds it, and move its arrays into ``tensors``."""
    if isinstance(value, dict):
        return {
            str(key): _without_arrays(item, f"{name}.{key}" if name else str(key), tensors)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_without_arrays(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]
    if isinstance(value, np.ndarray):
        little = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(value.shape)
        if little.dtype not in NAMES:
            raise TypeError(f"{name} is an array of {value.dtype}, which a file cannot hold")
        tensors[name] = little
        return {TENSOR: name}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {NUMBER: repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{name} is {value!r}: a file holds numbers, strings, arrays, lists and dictionaries")


def _with_arrays(value: Any, tensors: dict[str, Array]) -> Any:
    """Return what ``_without_arrays`` was given."""
    if isinstance(value, dict):
        if set(value) == {TENSOR}:
            return tensors[value[TENSOR]]
        if set(value) == {NUMBER}:
            return float(value[NUMBER])
        return {key: _with_arrays(item, tensors) for key, item in value.items()}
    return [_with_arrays(item, tensors) for item in value] if isinstance(value, list) else value
