"""Cases made of what may be diagnosed: networks, fitted estimators, and what scikit-learn puts around these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..reference import checks
from ..reference.arrays import Array
from ..reference.layers import Layers
from ..reference.loss_choice import LossSpec, loss_of
from ..reference.losses import Loss
from ..reference.monitor import ALL_DONE
from ..reference.optimizers import Optimizer
from ..reference.results import History
from ..reference.solvers import Solver
from ..reference.sparse import is_sparse
from .case import Case, Samples
from .nonfinite import bad_cells, data_finding
from .remedies import ESTIMATOR, NETWORK


@dataclass
class Given:
    """What a user passed."""

    X: Any
    Y: Any
    history: History | Sequence[float] | None = None
    loss: LossSpec | None = None
    sample_weight: Any = None
    validation_data: tuple[Any, ...] | None = None
    optimizer: Any = None
    names: Sequence[str] | None = None


def case_of(subject: Any, given: Given) -> Case:
    """Return what is looked at; numbers that are not finite are found by then, and their rows left out."""
    if given.validation_data is not None:
        _check_pair(given.validation_data)
    if given.optimizer is not None and not isinstance(given.optimizer, (Optimizer, Solver)):
        raise TypeError(f"optimizer must be an object such as fastmlp.Adam(), not {given.optimizer!r}")
    subject = _unwrapped(subject, given)
    if given.names is None and hasattr(given.X, "columns"):
        given.names = [str(name) for name in given.X.columns]
    if isinstance(subject, Layers):
        return _of_network(subject, given)
    if hasattr(subject, "_check_samples"):
        return _of_estimator(subject, given)
    raise TypeError(f"net must be a network, or a fitted estimator of fastmlp or a pipeline of one, not {subject!r}")


def _unwrapped(subject: Any, given: Given) -> Any:
    """Return the network or estimator in a search, a pipeline or a transformer of targets, which does its part."""
    if hasattr(subject, "best_estimator_"):
        return _unwrapped(subject.best_estimator_, given)
    if hasattr(subject, "steps"):
        return _unwrapped(_through_steps(subject, given), given)
    if hasattr(subject, "regressor_"):
        return _unwrapped(_through_transformer(subject, given), given)
    return subject


def _through_transformer(model: Any, given: Given) -> Any:
    """Transform the targets as a TransformedTargetRegressor does; return its regressor."""

    def transformed(Y: Any) -> Any:
        Y = np.asarray(Y)
        columns = model.transformer_.transform(Y.reshape(len(Y), -1))
        return columns.reshape(Y.shape)

    given.Y = transformed(given.Y)
    if given.validation_data is not None:
        X, Y, *others = given.validation_data
        given.validation_data = (X, transformed(Y), *others)
    return model.regressor_


def _through_steps(pipeline: Any, given: Given) -> Any:
    """Transform the inputs by the steps of a pipeline; return what it ends in."""
    before = pipeline[:-1]
    if len(before):
        if given.names is None and hasattr(pipeline, "feature_names_in_"):
            given.names = [str(name) for name in before.get_feature_names_out()]
        given.X = _transformed(before, given.X)
        if given.validation_data is not None:
            X, *others = given.validation_data
            given.validation_data = (_transformed(before, X), *others)
    return pipeline[-1]


def _transformed(before: Any, X: Any) -> Any:
    """Transform inputs; where a step refuses a number that is not finite, its place is told."""
    try:
        return before.transform(X)
    except ValueError as error:
        a = _as_array(X)
        if a.dtype.kind != "f" or not ("NaN" in str(error) or "infinity" in str(error)):
            raise
        places = list(zip(*bad_cells(a, a.dtype), strict=True))
        if not places:
            raise
        i, j = next((place for place in places if np.isinf(a[place])), places[0])  # many steps pass NaN on
        raise ValueError(f"a step before the network refuses X[{i}, {j}], which is {a[i, j]}: {error}") from None


def _of_network(net: Layers, given: Given) -> Case:
    spec: LossSpec = "squared_error" if given.loss is None else given.loss
    loss, n_in = loss_of(spec, net.activations[-1]), net.layer_sizes[0]
    X = _as_array(given.X)
    checks.real_numbers(X.dtype, "X")
    checks.columns(X.shape, n_in, "X", f"a network of {n_in} input(s)")
    if is_sparse(given.Y):
        raise TypeError("Y is a sparse matrix, and targets are dense: pass Y.toarray()")
    Y = _as_array(given.Y)
    weight = checks.weights_of_samples(given.sample_weight, X.shape[0])
    case = _case(net, spec, given, NETWORK, X, Y)
    kept = _finite_rows(case, X, Y)
    if kept is not None:
        X, Y, weight = X[kept], Y[kept], None if weight is None else weight[kept]
    case.samples = Samples(X, _targets(net, loss, Y, X.shape[0], kept), weight, kept)
    if given.validation_data is not None:
        X, Y, *others = given.validation_data
        try:
            case.validation_loss = net.loss(X, Y, spec, *others)
        except (ValueError, TypeError) as error:
            raise type(error)(f"validation_data: {error}") from None
    return case


def _of_estimator(est: Any, given: Given) -> Case:
    from sklearn.utils import _safe_indexing
    from sklearn.utils.validation import check_is_fitted

    from ..estimators.inputs import check_targets, check_weights

    check_is_fitted(est)
    if given.names is None and hasattr(est, "feature_names_in_"):
        given.names = [str(name) for name in est.feature_names_in_]
    if given.history is None:
        given.history = est.history_
    if given.optimizer is None:
        given.optimizer = est._held.optimizer
    net, X, y, weight = est.network_, given.X, given.Y, given.sample_weight
    spec = est._loss() if given.loss is None else given.loss
    if is_sparse(y):
        y = y.toarray()
    case = _case(net, spec, given, ESTIMATOR, _as_array(X), _as_array(y))
    case.classes = est.classes_.tolist() if hasattr(est, "classes_") else None
    kept = _finite_rows(case, _as_array(X), _as_array(y))
    if kept is not None:
        if not len(kept):
            case.samples = Samples(np.zeros((0, net.layer_sizes[0])), np.zeros((0, est.n_outputs_)), None)
            return case
        X, y = _safe_indexing(X, kept), _safe_indexing(y, kept)
        weight = None if weight is None else np.asarray(weight)[kept]
    X, y = est._check_samples(X, y, reset=False, incremental=True)
    weight = est._class_weights(y, check_weights(weight, X), False)
    case.samples = Samples(X, check_targets(est._encode(y), net.dtype), weight, kept)
    scores = est.validation_scores_
    if scores and case.history is not None and len(scores) == len(case.history.loss):
        case.kept_epoch = int(np.argmax(scores)) + 1
    if given.validation_data is not None:
        X, y, *others = given.validation_data
        held = est._check_validation(X, y, others[0] if others else None, est.n_outputs_)
        case.validation_loss = net.loss(held.X, held.Y, spec, held.weight)
    return case


def _case(net: Any, spec: LossSpec, given: Given, audience: str, X: Any, Y: Array) -> Case:
    """Return a case without its samples."""
    history, n_in = given.history, net.layer_sizes[0]
    if given.names is not None and len(given.names) != n_in:
        raise ValueError(f"there are {len(given.names)} feature_names, and {n_in} inputs")
    if history is not None and not isinstance(history, History):
        history = _history(history)
    return Case(
        net,
        Samples(None, Y, None),
        spec,
        loss_of(spec, net.activations[-1]),
        audience,
        names=given.names,
        integers=Y if Y.dtype.kind in "iu" else None,
        history=history,
        optimizer=given.optimizer,
        n_rows=X.shape[0] if X.ndim else 0,
    )


def _history(losses: Any) -> History:
    """Return the history of a run of which there are the losses alone."""
    try:
        curve = np.asarray(losses, np.float64)
    except (TypeError, ValueError):
        curve = np.zeros(())
    if curve.ndim != 1:
        raise TypeError(f"history must be what train returned, or the loss of each epoch, not {losses!r:.80}")
    return History(curve.tolist(), stop_reason=ALL_DONE)


def _finite_rows(case: Case, X: Any, Y: Array) -> Array | None:
    """Note which numbers are not finite, and return the rows without any; None if these are all."""
    if Y.size == 0 or Y.ndim == 0 or X.ndim != 2 or len(Y) != X.shape[0]:
        return None  # the checks of samples say what is wrong
    bad = np.zeros(len(Y), bool)
    for name, a in (("X", X), ("Y", Y.reshape(len(Y), -1))):
        if a.dtype.kind != "f":
            continue
        rows, columns = bad_cells(a, case.net.dtype)
        if len(rows):
            case.found.append(data_finding(case, name, a, rows, columns))
            bad[rows] = True
    return np.flatnonzero(~bad) if bad.any() else None


def _targets(net: Layers, loss: Loss, Y: Array, n: int, kept: Array | None) -> Array:
    """Return checked targets; there may be none left."""
    n_targets = loss.n_targets(net.layer_sizes[-1])
    if kept is not None and not len(kept):
        return np.zeros((0, n_targets), net.dtype)
    encoded = loss.encode(Y, net.layer_sizes[-1], "Y")
    checked = checks.targets(encoded, "Y", net.dtype, n_targets, n)
    loss.check_domain(checked, "Y")
    return checked


def _as_array(data: Any) -> Any:
    """Return an array, or sparse rows; one with a mask is left to the checks, which refuse it."""
    if is_sparse(data):
        return data.tocsr()
    return data if isinstance(data, np.ndarray) else np.asarray(data)


def _check_pair(data: Any) -> None:
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise TypeError("validation_data must be a pair (X, Y), or (X, Y, sample_weight)")
