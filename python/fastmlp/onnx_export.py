"""Export to ONNX, of all that fastmlp trains."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .errors import UserError
from .files import estimator_of
from .network import Network
from .reference import files
from .reference.onnx_network import network_model, written

if TYPE_CHECKING:
    from onnx import ModelProto


def to_onnx(model: Any, path: str | os.PathLike[str] | None = None) -> ModelProto:
    """Return a network, estimator, pipeline or model file as an ONNX model, and write it if there is a path for it.

    The model has one input, X, a matrix with a row for each sample. Its operators are those of opset 13, which ONNX
    Runtime has known since version 1.6. It needs onnx: ``pip install 'fastmlp[onnx]'``.

    Parameters
    ----------
    model : Network, MLPClassifier, MLPRegressor, Pipeline, str or path-like
        A network has the output ``Y_hat``. An estimator has what its ``to_onnx`` says. A pipeline of scikit-learn is
        made of StandardScaler, MinMaxScaler and "passthrough", and of an estimator at its end, whose outputs it has.
        A path is that of a file that :func:`fastmlp.save`, ``Network.save`` or the command ``fastmlp train`` wrote.
        The model of the command takes the columns in their units, as float64, and gives ``variable``, or ``label`` and
        ``probabilities``, as ``fastmlp predict`` does. If some are text, each column is an input of its own, with its
        name.
    path : str or path-like, optional
        Where to write. A file that is there is replaced as a whole, or stays what it was.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ImportError
        If onnx is not installed.
    TypeError
        If it is none of these; of a pipeline, the message names the step.
    ValueError
        If a parameter is NaN or infinite, or the parameters take more than 2 GiB; of a file, if it is no model,
        or the one to write to.
    NotFittedError
        If an estimator or a step of a pipeline is not fitted.
    OSError
        If a file cannot be read or written.

    Examples
    --------
    >>> import fastmlp
    >>> net = fastmlp.Network([4, 8, 3], "relu", "softmax", random_state=0)
    >>> [node.op_type for node in fastmlp.to_onnx(net).graph.node]
    ['MatMul', 'Add', 'Relu', 'MatMul', 'Add', 'Softmax']
    """
    if isinstance(model, (str, os.PathLike)):
        if path is not None and os.path.realpath(model) == os.path.realpath(path):
            raise ValueError(f"{os.fsdecode(path)} is the model file itself: write to another one")
        return written(_model_of_file(model), path)
    return _model_of_object(model, path)


def _model_of_object(model: Any, path: str | os.PathLike[str] | None) -> ModelProto:
    """Return what is no file as an ONNX model, written if there is a path; TypeError if it is none of these."""
    if hasattr(model, "to_onnx"):
        made: ModelProto = model.to_onnx(path)
        return made
    if hasattr(model, "steps"):
        from .estimators.onnx_export import model_of_pipeline

        return written(model_of_pipeline(model), path)
    raise TypeError(
        "to_onnx takes a network, an estimator of fastmlp, a pipeline that ends in one, or the path of a model file; "
        f"not a {type(model).__name__}"
    )


def _model_of_file(path: str | os.PathLike[str]) -> ModelProto:
    """Return a model file as an ONNX model."""
    from .tabular import layout, onnx_model  # which few need

    network, extras = files.load_all(path, Network)
    if "estimator" in extras:
        return _model_of_object(estimator_of(path, network, extras["estimator"]), None)
    if "table" not in extras:
        return network_model(network)
    try:
        return onnx_model.onnx_model(layout.assemble(path, network, extras["table"]))
    except UserError as error:
        raise ValueError(str(error)) from None
