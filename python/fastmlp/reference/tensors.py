"""Tensors as the bytes of a safetensors file, and back: ``safetensors.numpy`` in NumPy alone.

A file is an 8-byte little-endian length, a JSON header of that length padded with spaces to a multiple of 8, and the
bytes of the tensors, little-endian, in the order of their dtypes and names. It is the library's to the byte.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .arrays import Array

# In their order in a file.
DTYPES = {
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
    "F32": "<f4",
    "U32": "<u4",
    "I32": "<i4",
    "U8": "|u1",
    "BOOL": "|b1",
}
NAMES = {np.dtype(code).newbyteorder("="): name for name, code in DTYPES.items()}


def save(tensors: dict[str, Array], metadata: dict[str, str]) -> bytes:
    """Return the file that holds arrays of the dtypes above, and texts."""
    header: dict[str, Any] = {"__metadata__": metadata}
    places = list(DTYPES)
    parts, start = [], 0
    for name, a in sorted(tensors.items(), key=lambda item: (places.index(NAMES[item[1].dtype]), item[0])):
        stop = start + a.nbytes
        header[name] = {"dtype": NAMES[a.dtype], "shape": list(a.shape), "data_offsets": [start, stop]}
        parts.append(a.astype(a.dtype.newbyteorder("<"), copy=False).tobytes())
        start = stop
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def load(content: bytes) -> dict[str, Array]:
    """Return the arrays of a file, as copies of their own; ValueError if what its header claims is not there."""
    n_header = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + n_header]), memoryview(content)[8 + n_header :]
    header.pop("__metadata__", None)
    tensors, start = {}, 0
    for name, entry in header.items():
        dtype, shape = np.dtype(DTYPES[entry["dtype"]]), [int(n) for n in entry["shape"]]
        size = dtype.itemsize
        for n in shape:  # not by NumPy, which would overflow
            size *= n
        if min(shape, default=0) < 0 or entry["data_offsets"] != [start, start + size] or start + size > len(data):
            raise ValueError(f"{name} does not lie where it should")
        tensors[name] = np.frombuffer(data[start : start + size], dtype).reshape(shape).astype(dtype.newbyteorder("="))
        start += size
    if start != len(data):
        raise ValueError("there are bytes of no tensor")
    return tensors
