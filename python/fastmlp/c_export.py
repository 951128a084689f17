"""Models as C: networks, estimators, pipelines and model files. :mod:`fastmlp.reference.c_export` writes the code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from .errors import UserError
from .files import estimator_of
from .network import Network
from .reference import files
from .reference.layers import Layers

if TYPE_CHECKING:
    from .reference.c_export import CReport


def to_c(
    model: Any,
    path: str | os.PathLike[str],
    name: str = "model",
    kind: str = "float32",
    calibration: npt.ArrayLike | None = None,
    input_scaling: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    output_scaling: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    input_names: Sequence[str] | None = None,
    labels: npt.ArrayLike | None = None,
    input_fill: npt.ArrayLike | None = None,
) -> CReport:
    """Write a model as a C header that predicts, for microcontrollers and other places without Python.

    The header is C99 that needs <math.h> and <stdint.h>, takes no memory but the stack's, and has test vectors that it
    checks itself against. docs/embedded.md says what is in it.

    Parameters
    ----------
    model : Network, MLPClassifier, MLPRegressor, Pipeline, str or path-like
        What to write: a network of the core or of the reference, a fitted estimator, a pipeline of StandardScaler or
        MinMaxScaler and such an estimator, or the file of a model that ``fastmlp train``, :func:`fastmlp.save` or
        :meth:`fastmlp.Network.save` wrote.
    path : str or path-like
        Where. A file that is there is replaced; the new one is complete, or the old one stays.
    name : str, default "model"
        With what all names in the header begin, so that a program can have several models.
    kind : {"float32", "float64", "int16", "int8"}, default "float32"
        The arithmetic. "int16" and "int8" are fixed point: integers with a power of two as the scale of each layer.
        There the activations "softmax", "exp" and "mean_variance" of outputs are left out, and their net inputs given.
    calibration : array_like, shape (n, n_in), optional
        Typical inputs, as the model takes them: a few hundred rows of the training data. Fixed point needs them, as its
        formats just hold what the layers give for them. All kinds measure their errors on them; by default floating
        point does so on normally distributed ones.
    input_scaling : (mean, scale) of array_like, shapes (n_in,), optional
        The network is given (x - mean) / scale. It has what a pipeline or a model file brings along already.
    output_scaling : (mean, scale) of array_like, shapes (n_out,), optional
        The outputs are y * scale + mean. Not for classifiers.
    input_names : sequence of str, optional
        Names of the inputs in their order, for a comment.
    labels : array_like, shape (n_classes,), optional
        What the outputs stand for, integers or texts: a comment and an array. A single sigmoid output has two.
    input_fill : array_like, shape (n_in,), optional
        What stands in for NaN in each input, before the scaling; NaN where nothing does. A model file of
        ``fastmlp train --impute`` brings it along already.

    Returns
    -------
    CReport
        What the C code gives beside the network, measured, and the memory that it takes.

    Raises
    ------
    ValueError
        If a scaler clips, fixed point has no calibration data or would overflow, a parameter is not finite, or an
        argument is outside its range.
    TypeError
        If the model is none, an argument is of the wrong type, or a pipeline has another step, which is named.
    NotFittedError
        If an estimator or a step of a pipeline is not fitted.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import fastmlp, os, tempfile
    >>> from fastmlp.data import load_digits
    >>> X, labels = load_digits()
    >>> net = fastmlp.Network([64, 32, 10], "relu", "softmax", random_state=0)
    >>> history = net.train(X, labels, epochs=20, batch_size=32, loss="log_loss",
    ...                     optimizer=fastmlp.Adam(0.003), random_state=0)
    >>> path = os.path.join(tempfile.mkdtemp(), "digits.h")
    >>> report = fastmlp.to_c(net, path, name="digits", kind="int8", calibration=X, labels=range(10))
    >>> report.agreement > 0.98, report.data_bytes, report.stack_bytes
    (True, 2536, 32)
    """
    from .reference.c_export import export  # most programs do without

    network, found = _taken_apart(model)
    given: dict[str, Any] = {
        "input_scaling": input_scaling,
        "output_scaling": output_scaling,
        "input_names": input_names,
        "labels": labels,
        "input_fill": input_fill,
    }
    for what in ("input_scaling", "output_scaling", "input_fill"):
        if given[what] is not None and found.get(what) is not None:
            raise ValueError(f"{what}: the model has one of its own")
    arguments: dict[str, Any] = found | {what: value for what, value in given.items() if value is not None}
    return export(network, path, name, kind, calibration, **arguments)


def _taken_apart(model: Any) -> tuple[Layers, dict[str, Any]]:
    """Return a model's network, and the arguments of ``export`` that follow from what is around it."""
    if isinstance(model, Layers):
        return model, {}
    if isinstance(model, (str, os.PathLike)):
        return _file(model)
    if hasattr(model, "steps"):
        return _pipeline(model)
    if hasattr(model, "_c_arguments"):
        arguments: dict[str, Any] = model._c_arguments()
        return model._fitted(), arguments
    raise TypeError(
        "to_c takes a Network, an MLPClassifier or MLPRegressor of fastmlp, a Pipeline that ends in one, or the path "
        f"of a model file; not a {type(model).__name__}"
    )


def _file(path: str | os.PathLike[str]) -> tuple[Layers, dict[str, Any]]:
    from .tabular import layout  # which few need

    network, extras = files.load_all(path, Network)
    if "estimator" in extras:
        return _taken_apart(estimator_of(path, network, extras["estimator"]))
    if "table" not in extras:
        return network, {}
    try:
        model = layout.assemble(path, network, extras["table"])
    except UserError as error:
        raise ValueError(str(error)) from None
    arguments: dict[str, Any] = {
        "input_scaling": (model.inputs.mean, model.inputs.scale),
        "input_names": model.input_names,
        "labels": model.classes or None,
        "input_fill": model.input_fill,
    }
    if not model.has_probabilities:
        arguments["output_scaling"] = (model.outputs.mean, model.outputs.scale)
    return network, arguments


def _pipeline(model: Any) -> tuple[Layers, dict[str, Any]]:
    from .estimators.pipelines import as_scaling, taken_apart

    scalers, est = taken_apart(model, "to_c", "scale the data before, and export the estimator alone")
    network, arguments = _taken_apart(est)
    names = getattr(model, "feature_names_in_", None)
    return network, arguments | {"input_scaling": as_scaling(scalers, network.layer_sizes[0]), "input_names": names}
