"""The model file: the parameters of a network as tensors W1, b1, W2, b2, ..., and what the network is.

It is a file of :mod:`.sealed`, whose description has ``network``, and perhaps ``table`` or ``estimator``.
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from . import checks, sealed
from .activations import activation_names
from .arrays import Array

if TYPE_CHECKING:
    from .layers import Layers

AnyNetwork = TypeVar("AnyNetwork", bound="Layers")

FORMATS = ("fastmlp-model-2", "fastmlp-model-1")
# Who else may have something in a file.
KINDS = ("table", "estimator")


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
    described = {"network": spec(network)}
    if extra is not None:
        described[checks.find(kind, dict.fromkeys(KINDS, kind), "kind")] = extra
    sealed.write(path, network._codec, FORMATS[0], described, named_parameters(network))


def check_parameters(network: Layers) -> None:
    """Raise ValueError if a parameter is NaN or infinite."""
    if (index := checks.find_nonfinite(network.parameters)) >= 0:
        raise ValueError(f"parameters[{index}] is {network.parameters[index]}: such a network is not saved")


def spec(network: Layers) -> dict[str, Any]:
    """Return what a network is, without its parameters."""
    return {
        "layer_sizes": network.layer_sizes,
        "activations": network.activations,
        "bias": network.bias,
        "dtype": network.dtype.name,
    }


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
    try:
        described, tensors = sealed.read(path, network_class._codec, FORMATS)
        network = _network(_part(described, "network"), tensors, network_class)
        return network, {kind: _part(described, kind) for kind in KINDS if kind in described}
    except sealed.REFUSED as error:
        raise sealed.refusal(path, error) from None


def _network(described: dict[str, Any], tensors: dict[str, Array], network_class: type[AnyNetwork]) -> AnyNetwork:
    """Return the network, if the tensors are its parameters: only then memory is taken for it."""
    sizes = checks.layer_sizes(described.get("layer_sizes", ()))
    names = described.get("activations")
    if not isinstance(names, list) or not names:
        raise ValueError(f"activations are {names!r}")
    activations = activation_names(names[:-1], names[-1], sizes)
    bias = checks.flag(described.get("bias"), "bias")
    checks.find(described.get("dtype"), dict.fromkeys(("float32", "float64")), "dtype")
    dtype = checks.dtype(described["dtype"])
    shapes: dict[str, tuple[int, ...]] = {f"W{l}": shape for l, shape in enumerate(pairwise(sizes), 1)}
    if bias:
        shapes |= {f"b{l}": (n,) for l, n in enumerate(sizes[1:], 1)}
    if {name: (a.shape, a.dtype) for name, a in tensors.items()} != {name: (s, dtype) for name, s in shapes.items()}:
        raise ValueError("its tensors are not those of its network")
    network = network_class.__new__(network_class)
    network._lay_out(sizes, activations, bias, dtype)
    for name, a in named_parameters(network).items():
        a[:] = tensors[name]
        if (index := checks.find_nonfinite(a)) >= 0:
            raise ValueError(f"{name} has {a.flat[index]} at {index}")
    return network


def named_parameters(network: Layers) -> dict[str, Array]:
    """Return every weight and bias by its name in a file, as views."""
    named = {f"W{l}": W for l, W in enumerate(network.weights, 1)}
    return named | {f"b{l}": b for l, b in enumerate(network.biases, 1)}


def _part(described: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a part of the description."""
    if not isinstance(value := described.get(name), dict):
        raise ValueError(f"its {name} is missing")
    return value
