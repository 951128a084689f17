"""Model files; :mod:`fastmlp.reference.files` says what is in them."""

from __future__ import annotations

import os
from typing import Any

from .network import Network
from .reference import files, sealed
from .reference.layers import Layers


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model to a safetensors file, which is complete or is what it was before.

    Parameters
    ----------
    model : Network, MLPClassifier, MLPRegressor or Pipeline
        A network; a fitted estimator, with its classes, the names of its features, its parameters and its curves; or a
        scikit-learn Pipeline of StandardScaler or MinMaxScaler and such an estimator.
    path : str or path-like
        Where. A file that is there is replaced.

    Raises
    ------
    TypeError
        If it is no such model; the message names the step of a pipeline.
    ValueError
        If a parameter is NaN or infinite, labels are neither numbers nor strings, or ``path`` is something else than a
        file.
    NotFittedError
        If the estimator has no network yet.
    OSError
        If the file cannot be written.

    Warns
    -----
    UserWarning
        If the estimator has parameters that are objects, such as callbacks: they are left out.

    See Also
    --------
    load : reads it.

    Examples
    --------
    >>> import fastmlp, os, tempfile
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = [[0.0], [10.0], [20.0], [30.0]], ["low", "low", "high", "high"]
    >>> model = make_pipeline(StandardScaler(), fastmlp.MLPClassifier(solver="lbfgs", random_state=0)).fit(X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> fastmlp.save(model, path)
    >>> fastmlp.load(path).predict([[2.0], [25.0]]).tolist()
    ['low', 'high']
    """
    if isinstance(model, Layers):
        model.save(path)
        return
    if type(model).__module__.partition(".")[0] not in ("fastmlp", "sklearn"):
        raise TypeError(f"a model file holds a network, an estimator or a pipeline, not {model!r}")
    from .estimators.files import save as save_estimator

    save_estimator(model, path)


def load(path: str | os.PathLike[str]) -> Any:
    """Return the model that :func:`fastmlp.save` or a network's own ``save`` wrote. No code of the file is run.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    Network, MLPClassifier, MLPRegressor or Pipeline
        What was saved. An estimator predicts the very same, and can be fitted again; with warm_start or partial_fit it
        goes on from its weights, but its optimizer begins afresh: pickle it to keep that too. Of a model of the
        command line it is the network alone.

    Raises
    ------
    ValueError
        If the file is damaged, or no model file.
    OSError
        If it cannot be read.
    ImportError
        If it holds an estimator, and scikit-learn is not installed.

    Examples
    --------
    >>> import fastmlp, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "net.safetensors")
    >>> fastmlp.Network([2, 3, 1], random_state=0).save(path)
    >>> fastmlp.load(path)
    Network([2, 3, 1], activation='tanh', output_activation='linear', dtype='float32')
    """
    network, extras = files.load_all(path, Network)
    return estimator_of(path, network, extras["estimator"]) if "estimator" in extras else network


def estimator_of(path: str | os.PathLike[str], network: Network, described: dict[str, Any]) -> Any:
    """Return the estimator or pipeline that a file has beside its network; ValueError if they do not fit."""
    from .estimators.files import restore

    try:
        return restore(network, described)
    except sealed.REFUSED as error:
        raise sealed.refusal(path, error) from None
