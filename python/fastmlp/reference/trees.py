"""Trees of dictionaries, lists, numbers, strings and arrays, as safetensors files.

The header begins as that of a model file does (see :mod:`fastmlp.reference.files`), with another format. Arrays are
tensors, named by where they are in the tree; the rest is JSON in the metadata, under "tree".
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import numpy as np

from .arrays import Array
from .files import MAX_HEADER, NO_DIGEST, _bytes_of, _digest, write_atomically

DTYPES = {
    "F32": "<f4",
    "F64": "<f8",
    "I32": "<i4",
    "I64": "<i8",
    "U8": "|u1",
    "U32": "<u4",
    "U64": "<u8",
    "BOOL": "|b1",
}
NAMES = {np.dtype(code): name for name, code in DTYPES.items()}

# What stands for an array in the JSON.
TENSOR = "tensor of this file"

OPENING = re.compile(rb'\{"__metadata__":\{"format":"([^"]*)","sha256":"([0-9a-f]{64})"')


def write(path: str | os.PathLike[str], format: str, tree: dict[str, Any], previous: str | None = None) -> None:
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
    text = json.dumps(_without_arrays(tree, "", tensors), separators=(",", ":"))
    entries, start = {}, 0
    for name, a in tensors.items():
        stop = start + a.nbytes
        entries[name] = {"dtype": NAMES[a.dtype], "shape": list(a.shape), "data_offsets": [start, stop]}
        start = stop
    metadata = {"format": format, "sha256": NO_DIGEST, "tree": text}
    header = json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode("ascii")
    header += b" " * (-len(header) % 8)
    if len(header) > MAX_HEADER:
        raise ValueError(f"what is beside the arrays takes {len(header)} bytes: there is room for {MAX_HEADER}")
    parts: list[bytes | memoryview] = [len(header).to_bytes(8, "little"), header, *map(_bytes_of, tensors.values())]
    parts[1] = header.replace(NO_DIGEST.encode(), _digest(*parts).encode(), 1)
    write_atomically(path, parts, temporary=f"{os.path.realpath(path)}.tmp", previous=previous)


def read(path: str | os.PathLike[str], format: str) -> dict[str, Any]:
    """Return the tree that ``write`` wrote. Arrays are copies of their own.

    Raises
    ------
    ValueError
        If the file is none of this format, or is damaged.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        return _parse(content, format)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{os.fsdecode(path)}: damaged, or no {format}: {error}") from None


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
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{name} is {value!r}: a file holds numbers, strings, arrays, lists and dictionaries")


def _with_arrays(value: Any, tensors: dict[str, Array]) -> Any:
    """Return what ``_without_arrays`` was given."""
    if isinstance(value, dict):
        if set(value) == {TENSOR}:
            return tensors[value[TENSOR]]
        return {key: _with_arrays(item, tensors) for key, item in value.items()}
    return [_with_arrays(item, tensors) for item in value] if isinstance(value, list) else value


def _parse(content: bytes, format: str) -> dict[str, Any]:
    """Return the tree. Nothing that the file claims is believed before it was compared with its size."""
    n_header = int.from_bytes(content[:8], "little")
    if len(content) < 8 or n_header > min(len(content) - 8, MAX_HEADER):
        raise ValueError("cut short")
    header, data = content[8 : 8 + n_header], memoryview(content)[8 + n_header :]
    opening = OPENING.match(header)
    if opening is None or opening[1] != format.encode():
        raise ValueError("another header")
    blank = header.replace(opening[2], NO_DIGEST.encode(), 1)
    if _digest(content[:8], blank, data) != opening[2].decode():
        raise ValueError("its checksum does not agree")
    entries = json.loads(header)
    tree = json.loads(entries.pop("__metadata__")["tree"])
    tensors, start = {}, 0
    for name, entry in entries.items():
        dtype, shape = np.dtype(DTYPES[entry["dtype"]]), [int(n) for n in entry["shape"]]
        size = dtype.itemsize
        for n in shape:
            size *= n
        if min(shape, default=0) < 0 or entry["data_offsets"] != [start, start + size] or start + size > len(data):
            raise ValueError(f"{name} does not lie where it should")
        tensors[name] = np.frombuffer(data[start : start + size], dtype).reshape(shape).astype(dtype.newbyteorder("="))
        start += size
    if start != len(data):
        raise ValueError("there are bytes of no tensor")
    restored = _with_arrays(tree, tensors)
    if not isinstance(restored, dict):
        raise ValueError("no dictionary")
    return restored
