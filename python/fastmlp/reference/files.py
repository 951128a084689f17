"""The model file: a safetensors file, written and read with NumPy alone.

It is an 8-byte little-endian length, a JSON header of that length padded with spaces to a multiple
of 8, and the bytes of ``parameters``, little-endian, named W1, b1, W2, b2, ... The header begins with
``{"__metadata__":{"format":"fastmlp","format_version":"1","sha256":"..."``; the digest is that of the
whole file with its own 64 digits written as zeros, so that no byte can change unnoticed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np

from . import checks
from .activations import activation_names
from .arrays import Array

if TYPE_CHECKING:
    from .layers import Layers

AnyNetwork = TypeVar("AnyNetwork", bound="Layers")

VERSION = "1"
# Who else may have something in a file.
KINDS = ("table", "estimator")
DTYPES = {"float32": "F32", "float64": "F64"}

# A header holds names and a few numbers per column of a table: this is far more than it needs.
MAX_HEADER = 1 << 24

NO_DIGEST = "0" * 64
OPENING = re.compile(rb'\{"__metadata__":\{"format":"fastmlp","format_version":"([^"]*)","sha256":"([0-9a-f]{64})"')


def save(
    network: Layers, path: str | os.PathLike[str], extra: dict[str, Any] | None = None, kind: str = "table"
) -> None:
    """Write a network to a file. The file is complete, or it is what it was before.

    Parameters
    ----------
    network : Network
        What to save.
    path : str or path-like
        Where. A file that is there is replaced.
    extra : dict, optional
        What else to keep, such as names and scaling of columns: anything that JSON can hold.
    kind : {"table", "estimator"}, default "table"
        Whose ``extra`` it is: the command line's, or an estimator's.

    Raises
    ------
    ValueError
        If a parameter is NaN or infinite, or ``path`` is something else than a file.
    OSError
        If the file cannot be written.
    """
    check_parameters(network)
    metadata = {"format": "fastmlp", "format_version": VERSION, "sha256": NO_DIGEST, "network": description(network)}
    if extra is not None:
        metadata[checks.find(kind, dict.fromkeys(KINDS, kind), "kind")] = to_json(extra)
    tensors = _tensors(network.layer_sizes, network.bias, network.dtype)
    header = to_json({"__metadata__": metadata, **tensors}).encode("ascii")
    header += b" " * (-len(header) % 8)
    if len(header) > MAX_HEADER:
        raise ValueError(f"extra takes {len(header)} bytes: a model file has room for {MAX_HEADER}")
    length = len(header).to_bytes(8, "little")
    data = _bytes_of(network.parameters.astype(network.dtype.newbyteorder("<"), copy=False))
    header = header.replace(NO_DIGEST.encode(), _digest(length, header, data).encode(), 1)
    write_atomically(path, (length, header, data))


def check_parameters(network: Layers) -> None:
    """Raise ValueError if a parameter is NaN or infinite."""
    if (index := checks.find_nonfinite(network.parameters)) >= 0:
        raise ValueError(f"parameters[{index}] is {network.parameters[index]}: such a network is not saved")


def description(network: Layers) -> str:
    """Return as JSON what a network is, without its parameters."""
    spec = {
        "layer_sizes": network.layer_sizes,
        "activations": network.activations,
        "bias": network.bias,
        "dtype": network.dtype.name,
    }
    return to_json(spec)


def load(path: str | os.PathLike[str], network_class: type[AnyNetwork]) -> tuple[AnyNetwork, dict[str, Any] | None]:
    """Read a network that ``save`` wrote, and the table that was saved with it; see :func:`load_all`."""
    network, extras = load_all(path, network_class)
    return network, extras.get("table")


def load_all(path: str | os.PathLike[str], network_class: type[AnyNetwork]) -> tuple[AnyNetwork, dict[str, Any]]:
    """Read a network that ``save`` wrote, and what was saved with it.

    Parameters
    ----------
    path : str or path-like
        The file.
    network_class : type
        The class of the network to make.

    Returns
    -------
    network : Network
        The network, of ``network_class``.
    extras : dict
        What was given to ``save`` as ``extra``, by its kind.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no model, is damaged, or is of a version that this fastmlp does not know.
    """
    with open(path, "rb") as file:
        try:
            return _read(file, network_class)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{os.fsdecode(path)}: {error}") from None


def write_atomically(
    path: str | os.PathLike[str],
    parts: Iterable[bytes | memoryview],
    temporary: str | None = None,
    previous: str | None = None,
) -> None:
    """Write a file that is complete, or is what it was before: also when the machine stops halfway.

    It is written as ``temporary``, in the same folder, by default a name that nobody else has. What ``path`` was before
    is kept as ``previous``, if that is given: between the two renamings only that name is there.

    Raises
    ------
    ValueError
        If ``path`` is something else than a file, such as a device.
    OSError
        If the file cannot be written.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "no such folder", folder)
    if os.path.exists(target) and not os.path.isfile(target):
        raise ValueError(f"{os.fsdecode(path)} is not a regular file")
    if temporary:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # left by a process that was killed
    else:
        temporary = os.path.join(folder, f".fastmlp-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        if previous and os.path.exists(target):
            os.replace(target, previous)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    # The new name outlives a power cut only once the folder is on the disk too; some systems cannot do this.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(file: BinaryIO, network_class: type[AnyNetwork]) -> tuple[AnyNetwork, dict[str, Any]]:
    """Read a network. What the file claims is checked against its size before memory is taken for it."""
    size = os.fstat(file.fileno()).st_size
    length = file.read(8)
    n_header = int.from_bytes(length, "little")
    if len(length) < 8 or n_header > min(size - 8, MAX_HEADER):
        raise ValueError("not a fastmlp model, or cut short")
    header = file.read(n_header)
    opening = OPENING.match(header)
    if opening is None:
        raise ValueError("not a fastmlp model: its header is another's")
    version, digest = opening[1].decode("latin-1"), opening[2]
    if version != VERSION:
        raise ValueError(f"format version {version!r} is unknown: this fastmlp reads version {VERSION}")
    entries = _from_json(header.decode(), "header")
    metadata = entries.pop("__metadata__")
    if not isinstance(metadata, dict):  # a header may hold the key twice
        raise ValueError("its metadata is not a JSON object")
    network = _allocate(metadata, entries, size - 8 - n_header, network_class)
    data = _bytes_of(network.parameters)
    if file.readinto(data) != len(data):  # type: ignore[attr-defined]  # a buffered file has it
        raise ValueError("cut short while it was read")
    blank = header.replace(digest, NO_DIGEST.encode(), 1)
    if _digest(length, blank, data) != digest.decode():
        raise ValueError("damaged: its checksum does not agree")
    network.parameters[:] = network.parameters.view(network.dtype.newbyteorder("<"))
    if (index := checks.find_nonfinite(network.parameters)) >= 0:
        raise ValueError(f"parameter {index} is {network.parameters[index]}")
    return network, {kind: _from_json(metadata[kind], kind) for kind in KINDS if metadata.get(kind) is not None}


def _allocate(
    metadata: dict[str, Any], entries: dict[str, Any], n_bytes: int, network_class: type[AnyNetwork]
) -> AnyNetwork:
    """Return the network of the header, its parameters not read yet, if ``n_bytes`` are what it needs."""
    spec = _from_json(metadata.get("network"), "network")
    sizes = checks.layer_sizes(spec.get("layer_sizes", ()))
    names = spec.get("activations")
    if not isinstance(names, list) or not names:
        raise ValueError(f"activations are {names!r}")
    activations = activation_names(names[:-1], names[-1], sizes)
    bias = checks.flag(spec.get("bias"), "bias")
    checks.find(spec.get("dtype"), DTYPES, "dtype")
    dtype = checks.dtype(spec["dtype"])
    needed = dtype.itemsize * sum((n + bias) * m for n, m in pairwise(sizes))
    if needed != n_bytes:
        raise ValueError(f"{n_bytes} bytes of parameters, and its layers need {needed}: cut short, or damaged")
    if entries != _tensors(sizes, bias, dtype):
        raise ValueError("its tensors are not those of its network")
    network = network_class.__new__(network_class)
    network._lay_out(sizes, activations, bias, dtype)
    return network


def _tensors(sizes: tuple[int, ...], bias: bool, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the safetensors entry of every weight and bias, in the order of ``parameters``."""
    tensors, start = {}, 0
    for l, (n, m) in enumerate(pairwise(sizes), 1):
        for name, shape in ((f"W{l}", [n, m]), (f"b{l}", [m]))[: 1 + bias]:
            stop = start + (n * m if name[0] == "W" else m) * dtype.itemsize
            tensors[name] = {"dtype": DTYPES[dtype.name], "shape": shape, "data_offsets": [start, stop]}
            start = stop
    return tensors


def _digest(*parts: bytes | memoryview) -> str:
    """Return the SHA-256 of the parts, one after the other."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()


def _bytes_of(a: Array) -> memoryview:
    """Return the memory of a contiguous array as bytes, without a copy."""
    return a.view(np.uint8).data


def to_json(value: object) -> str:
    """Return a value as JSON, without blanks; ValueError if a number is not finite."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _from_json(text: object, name: str) -> dict[str, Any]:
    """Return the object that a JSON text holds."""
    if not isinstance(text, str):
        raise ValueError(f"its {name} is missing")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"its {name} is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"its {name} is not a JSON object")
    return value
