"""Estimators, and pipelines that end in one, as ONNX models."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from ..reference import files
from ..reference.arrays import Array
from ..reference.onnx_graph import Graph
from ..reference.onnx_network import add_network, written
from ..reference.sealed import to_json
from .pipelines import operations, taken_apart

if TYPE_CHECKING:
    from onnx import ModelProto

    from ..network import Network

# How classes are kept, by the kind of their dtype: ONNX has these types.
LABELS: dict[str, Any] = {"i": np.int64, "u": np.int64, "b": np.bool_, "f": np.float64, "U": object, "O": object}

# Since scikit-learn 1.8 a scaler's means and deviations are rounded to the dtype of what it transforms.
ROUNDED = [int(n) for n in sklearn.__version__.split(".")[:2]] >= [1, 8]


class OnnxExport:
    """What gives estimators their ``to_onnx``."""

    network_: Network

    @abstractmethod
    def _add_predictions(self, graph: Graph, outputs: str) -> None:
        """Add what ``predict`` makes of the network's outputs, and declare it."""

    def to_onnx(self, path: str | os.PathLike[str] | None = None) -> ModelProto:
        """Return the fitted estimator as an ONNX model, and write it to a file if there is a path for it.

        Its input is X, of shape (n_rows, n_features), in the dtype that the estimator was fitted in. The outputs of a
        classifier are ``label``, what ``predict`` gives, and ``probabilities``, what ``predict_proba`` gives. That of a
        regressor is ``variable``, what ``predict`` gives; with loss "gaussian_nll" there is ``std`` too. It needs onnx:
        ``pip install 'fastmlp[onnx]'``.

        Parameters
        ----------
        path : str or path-like, optional
            Where. A file that is there is replaced as a whole, or stays what it was.

        Returns
        -------
        onnx.ModelProto

        Raises
        ------
        ImportError
            If onnx is not installed.
        NotFittedError
            If there is no network yet.
        TypeError
            If the classes are of a type that ONNX does not have.
        OSError
            If the file cannot be written.

        See Also
        --------
        fastmlp.to_onnx : exports pipelines too.

        Examples
        --------
        >>> import fastmlp
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
        >>> model = fastmlp.MLPClassifier(solver="lbfgs", random_state=0).fit(X, y)
        >>> [output.name for output in model.to_onnx().graph.output]
        ['label', 'probabilities']
        """
        check_is_fitted(self)
        return written(model_of([], self), path)


def model_of(scalers: Sequence[Any], est: Any) -> ModelProto:
    """Return fitted scalers, one after the other, and the estimator that follows them as one model."""
    net, metadata = est.network_, {}
    graph = Graph(net.dtype)
    X = graph.input("X", net.layer_sizes[0], net.dtype)
    if scalers:
        # As scikit-learn computes: the means of float32 numbers are float64.
        scaled = graph.cast(X, net.dtype, np.float64)
        for scaler in scalers:
            scaled = _scaled(graph, scaled, scaler)
        X = graph.cast(scaled, np.float64, net.dtype)
    est._add_predictions(graph, add_network(graph, net, X))
    names = getattr([*scalers, est][0], "feature_names_in_", None)
    if names is not None:
        metadata["features"] = to_json(list(names))
    return graph.model(network=to_json(files.spec(net)), **metadata)


def model_of_pipeline(pipeline: Any) -> ModelProto:
    """Return a pipeline of scalers and an estimator as a model; TypeError names the step that is something else."""
    instead = "convert other steps with skl2onnx, and the estimator alone"
    scalers, est = taken_apart(pipeline, "to_onnx", instead)
    return model_of([scaler for _, scaler in scalers if scaler is not None], est)


def labels_for_onnx(classes: Array) -> Array:
    """Return classes in a type that ONNX has: int64, float64, bool, or Python's str in an array of objects."""
    kept = classes.astype(LABELS[classes.dtype.kind]) if classes.dtype.kind in LABELS else None
    if kept is None or (kept != classes).any() or (kept.dtype == object and not all(isinstance(c, str) for c in kept)):
        raise TypeError(f"classes {classes.tolist()}: ONNX has labels that are numbers up to 64 bits, or strings")
    return kept


def _scaled(graph: Graph, X: str, scaler: Any) -> str:
    """Add what a scaler does to X."""
    rounds = ROUNDED and isinstance(scaler, StandardScaler)
    for operation, numbers in operations(scaler):
        exact = np.float64(numbers.astype(graph.dtype) if rounds else numbers)
        X = graph.add(operation, X, *(exact if operation == "Clip" else [exact]))
    return X
