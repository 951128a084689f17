"""What pictures take where they ask for a network: networks, fitted estimators, and pipelines that end in one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..network import Network
from ..reference import checks
from ..reference.arrays import Array
from ..reference.layers import Layers
from ..reference.network import Network as Reference

AnyNetwork = Network | Reference

# Where layers have a panel each, so many of deeper networks are drawn, from the first to the last.
MOST_LAYERS = 12


def network_of(model: Any, name: str = "net") -> AnyNetwork:
    """Return the network, or the one that an estimator or a pipeline holds.

    Raises
    ------
    TypeError, ValueError
        If there is none, or an estimator is not fitted yet; ``name`` is what the errors call it.
    """
    last = estimator_of(model)
    if isinstance(last, AnyNetwork):
        return last
    if isinstance(last, type):
        raise TypeError(f"{name} is the class {last.__name__}: pass a network or a fitted estimator")
    network = getattr(last, "network_", None)
    if isinstance(network, Network):
        return network
    if type(last).__module__.startswith("fastmlp.estimators"):
        raise ValueError(f"this {type(last).__name__} is not fitted yet: call its fit(X, y) first")
    raise TypeError(
        f"{name} must be a fastmlp.Network, a fastmlp.reference.Network, a fitted MLPClassifier or MLPRegressor, or a "
        f"pipeline that ends in one; not {type(model).__name__}"
    )


def estimator_of(model: Any) -> Any:
    """Return the last step of a pipeline, and anything else as it is."""
    return model.steps[-1][1] if _is_pipeline(model) else model


def inputs_of(model: Any, X: npt.ArrayLike) -> Any:
    """Return X as the network of a model takes it: after the steps of a pipeline before it."""
    return model[:-1].transform(X) if _is_pipeline(model) and len(model.steps) > 1 else X


def samples_of(model: Any, X: npt.ArrayLike, Y: npt.ArrayLike) -> tuple[Any, Any, Any]:
    """Return X, Y and the loss as the network of a model takes them; the loss is None for a network by itself."""
    last, X = estimator_of(model), inputs_of(model, X)
    if isinstance(last, Layers):
        return X, Y, None
    X, y = last._check_samples(X, Y, reset=False, incremental=True)
    return X, last._encode(y).astype(last.network_.dtype), last._loss()


def input_names(model: Any, names: Any = None) -> list[str]:
    """Return the names of the inputs: those given, an estimator's own features, or x1, x2 ..."""
    n = network_of(model).layer_sizes[0]
    if names is None:
        found = (getattr(owner, "feature_names_in_", ()) for owner in (estimator_of(model), model))
        names = next((own for own in found if len(own) == n), None)
    return numbered("x", n) if names is None else check_names(names, n, "input_names", "inputs")


def output_names(model: Any, names: Any = None) -> list[str]:
    """Return the names of the outputs: those given, an estimator's classes, or y1, y2 ..."""
    n = network_of(model).layer_sizes[-1]
    if names is None:
        classes = getattr(estimator_of(model), "classes_", ())
        names = classes if len(classes) == n else classes[1:] if len(classes) == 2 else None
    return numbered("y", n) if names is None else check_names(names, n, "output_names", "outputs")


def numbered(letter: str, n: int) -> list[str]:
    """Return x1, x2 ... or, for a single one, x."""
    return [f"{letter}{i + 1}" for i in range(n)] if n > 1 else [letter]


def check_names(names: Any, n: int, what: str, of: str) -> list[str]:
    """Return names as strings, one for each of n things."""
    if isinstance(names, str) or not np.iterable(names):
        raise TypeError(f"{what} must be a sequence of names, one for each of the {of}, not {names!r}")
    checked = [str(name) for name in names]
    if len(checked) != n:
        raise ValueError(f"{what} has {len(checked)} names, and there are {n} {of}")
    return checked


def layer_names(net: Layers) -> list[str]:
    """Return what the layers 0..L are called."""
    n_hidden = len(net.layer_sizes) - 2
    hidden = [f"hidden {l}" for l in range(1, n_hidden + 1)] if n_hidden > 1 else ["hidden"] * n_hidden
    return ["input", *hidden, "output"]


def evenly(n: int, most: int) -> list[int]:
    """Return at most so many of n indices, evenly chosen, the first and the last among them."""
    return list(range(n)) if n <= most else np.linspace(0, n - 1, most).round().astype(int).tolist()


def check_finite(net: Layers) -> None:
    """Raise ValueError, with the place, if a parameter is not finite: it has no place in a picture."""
    for letter, arrays in (("weights", net.weights), ("biases", net.biases)):
        for l, a in enumerate(arrays):
            if (index := checks.find_nonfinite(a)) >= 0:
                place = ", ".join(map(str, np.unravel_index(index, a.shape)))
                raise ValueError(f"{letter}[{l}][{place}] is {a.flat[index]}: such a network cannot be drawn")


def row_of(model: Any, x: Any) -> Array:
    """Return one input as the network of a model takes it, shape (1, n_in)."""
    row = x.to_frame().T if hasattr(x, "to_frame") else x  # a row of a pandas table keeps its names
    if np.ndim(row) == 1:
        row = np.reshape(row, (1, -1))
    if np.ndim(row) != 2 or np.shape(row)[0] != 1:
        raise ValueError(f"x must be one input, of shape (n_in,) or (1, n_in); got shape {np.shape(x)}")
    net, row = network_of(model), np.asarray(inputs_of(model, row))
    return checks.matrix(row, "x", net.dtype, net.layer_sizes[0], f"{net.layer_sizes[0]} inputs")


def _is_pipeline(model: Any) -> bool:
    return isinstance(getattr(model, "steps", None), list) and bool(model.steps)
