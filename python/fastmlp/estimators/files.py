"""Model files of estimators, and of pipelines that scale before them: a network's file, with the rest as JSON."""

from __future__ import annotations

import math
import os
import warnings
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelBinarizer, MinMaxScaler
from sklearn.utils.validation import check_is_fitted

from ..network import Network
from ..reference import checks, files
from ..reference.arrays import Array
from ..reference.results import History
from . import settings
from .base import Perceptron
from .classifier import MLPClassifier
from .held import Held
from .pipelines import SCALERS, taken_apart
from .regressor import MLPRegressor

VERSION = 1
KINDS: dict[str, type[Perceptron]] = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}

# What a fit has left, beside the network: the numbers and curves may be None.
COUNTS = ("n_outputs_", "n_iter_", "t_")
NUMBERS = ("loss_", "best_loss_", "best_validation_score_")
CURVES = ("loss_curve_", "validation_loss_curve_", "validation_scores_")
FITTED = (*COUNTS, *NUMBERS, *CURVES)

# The most bytes that the labels of all classes take.
LARGEST_LABELS = 1 << 26

# Attributes of the scalers that a file keeps: arrays with a number for each feature.
ATTRIBUTES = {
    "StandardScaler": ("mean_", "var_", "scale_"),
    "MinMaxScaler": ("min_", "scale_", "data_min_", "data_max_", "data_range_"),
}


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator, or a pipeline of scalers and one, to a model file; see :func:`fastmlp.save`."""
    if not isinstance(model, Pipeline):
        if not isinstance(model, Perceptron):
            raise TypeError(f"a model file holds an estimator of fastmlp or a pipeline that ends in one, not {model!r}")
        check_is_fitted(model)
        files.save(model.network_, path, _describe(model), "estimator")
        return
    scalers, est = taken_apart(model, "a model file", "pickle a pipeline with other steps")
    described = _describe(est)
    described["steps"] = [{"name": name, **_describe_scaler(scaler)} for name, scaler in scalers]
    described["name"] = model.steps[-1][0]
    files.save(est.network_, path, described, "estimator")


def restore(network: Network, described: dict[str, Any]) -> Any:
    """Return the estimator, or pipeline, that a file describes. Every field is checked."""
    if described.get("version") != VERSION:
        raise ValueError(f"an estimator of version {described.get('version')!r}: this fastmlp reads {VERSION}")
    cls = checks.find(described.get("kind"), KINDS, "kind of estimator")
    parameters = _dict(described, "parameters", cls._get_param_names())
    est = cls(**{name: _from_json(value) for name, value in parameters.items()})
    _restore_fitted(est, _dict(described, "fitted", FITTED))
    est.n_features_in_ = network.layer_sizes[0]
    _restore_feature_names(est, described)
    if isinstance(est, MLPClassifier):
        _restore_classes(est, described.get("classes"))
    if est._outputs_for(est.n_outputs_)[0] != network.layer_sizes[-1]:
        raise ValueError("its targets do not fit its network")
    est.network_ = network
    n_samples = est.t_ / max(1, len(est.loss_curve_))
    solver = settings.chosen_solver(est, network, round(n_samples))
    est._held = Held.of(est, settings.make_optimizer(est, solver, n_samples), settings.generator(est.random_state))
    est.history_ = History(list(est.loss_curve_), stop_reason="loaded from a file")
    if "steps" not in described:
        return est
    scalers = [_restore_scaler(step, est.n_features_in_) for step in described["steps"]]
    return Pipeline([*scalers, (str(described.get("name")), est)])


def _describe(est: Perceptron) -> dict[str, Any]:
    """Return what JSON can hold of an estimator."""
    parameters, left_out = {}, []
    for name, value in est.get_params(deep=False).items():
        plain = _to_json(value)
        if _is_json(plain):
            parameters[name] = plain
        else:
            left_out.append(name)
    if "loss" in left_out:
        raise ValueError("loss is a function, which a file does not hold: save network_ instead")
    if left_out:
        warnings.warn(
            f"the file holds numbers and names, and not the objects of {', '.join(left_out)}: the loaded estimator "
            "has their defaults, which matter only where it is fitted again",
            stacklevel=4,
        )
    described: dict[str, Any] = {
        "version": VERSION,
        "kind": type(est).__name__,
        "parameters": parameters,
        "fitted": {name: _to_json(getattr(est, name)) for name in FITTED},
    }
    if hasattr(est, "feature_names_in_"):
        described["feature_names"] = [str(name) for name in est.feature_names_in_]
    if isinstance(est, MLPClassifier):
        described["classes"] = _describe_classes(est)
    return described


def _restore_fitted(est: Perceptron, fitted: dict[str, Any]) -> None:
    for name in COUNTS:
        setattr(est, name, checks.integer(fitted.get(name), name, 0))
    for name in (*NUMBERS, *CURVES):
        value = _from_json(fitted.get(name))
        if value is not None and not _is_list_of(value if name in CURVES else [value], (int, float)):
            raise ValueError(f"its {name} is none: {value!r}")
        setattr(est, name, value)


def _describe_classes(est: MLPClassifier) -> dict[str, Any]:
    labels = est.classes_.tolist()
    if not all(type(label) in (bool, int, float, str) for label in labels):
        raise ValueError(f"classes must be numbers or strings to be saved, and one is {labels[0]!r}")
    _check_labels(est.classes_.dtype, len(labels))
    return {"labels": labels, "dtype": est.classes_.dtype.str, "type": est._label_binarizer.y_type_}


def _restore_classes(est: MLPClassifier, classes: Any) -> None:
    if not isinstance(classes, dict) or not _is_list_of(classes.get("labels"), (bool, int, float, str)):
        raise ValueError("its classes are missing")
    dtype = np.dtype(object if classes.get("dtype") == "|O" else str(classes.get("dtype")))
    _check_labels(dtype, len(classes["labels"]))
    labels = np.array(classes["labels"], dtype)
    several = str(classes.get("type")).startswith("multilabel")
    est._label_binarizer = LabelBinarizer().fit(np.eye(len(labels), dtype=int) if several else labels)
    est.classes_ = est._label_binarizer.classes_
    columns = 1 if len(labels) <= 2 and not several else len(labels)
    if est.classes_.tolist() != labels.tolist() or columns != getattr(est, "n_outputs_", None):
        raise ValueError("its classes do not fit its outputs")


def _check_labels(dtype: np.dtype[Any], n: int) -> None:
    """Raise ValueError if an array of n labels is of another kind, or larger, than a file is trusted with."""
    if dtype.kind not in "biufUO" or n * dtype.itemsize > LARGEST_LABELS:
        raise ValueError(f"{n} classes of dtype {dtype.str!r} are no labels, or too large to be saved")


def _describe_scaler(scaler: Any) -> dict[str, Any]:
    if scaler is None:
        return {"kind": "passthrough"}
    kind = type(scaler).__name__
    arrays = {}
    for attribute in ATTRIBUTES[kind]:
        value = getattr(scaler, attribute)
        arrays[attribute] = None if value is None else np.asarray(value, np.float64).tolist()
    described = {"kind": kind, "parameters": {k: _to_json(v) for k, v in scaler.get_params().items()}, "arrays": arrays}
    if hasattr(scaler, "feature_names_in_"):
        described["feature_names"] = scaler.feature_names_in_.tolist()
    return described


def _restore_scaler(described: Any, n_features: int) -> tuple[str, Any]:
    if not isinstance(described, dict):
        raise ValueError("a step of its pipeline is missing")
    name = str(described.get("name"))
    if described.get("kind") == "passthrough":
        return name, "passthrough"
    cls = checks.find(described.get("kind"), SCALERS, "kind of scaler")
    scaler = cls(**_dict(described, "parameters", cls._get_param_names()))
    if isinstance(scaler, MinMaxScaler):
        scaler.feature_range = tuple(scaler.feature_range)
    for attribute, values in _dict(described, "arrays", ATTRIBUTES[cls.__name__]).items():
        array: Array | None = None if values is None else np.array(values, np.float64)
        if array is not None and array.shape != (n_features,):
            raise ValueError(f"its scaler has {attribute} of shape {array.shape}, for {n_features} features")
        setattr(scaler, attribute, array)
    scaler.n_features_in_ = n_features
    with np.errstate(all="ignore"):
        scaled = np.asarray(scaler.transform(np.zeros((1, n_features))))
    if not np.isfinite(scaled).all():
        raise ValueError(f"its {cls.__name__} does not give numbers")
    _restore_feature_names(scaler, described)
    return name, scaler


def _restore_feature_names(est: Any, described: dict[str, Any]) -> None:
    """Give an estimator or scaler the names of its features, if the file has some."""
    if (names := described.get("feature_names")) is not None:
        if not _is_list_of(names, str) or len(names) != est.n_features_in_:
            raise ValueError("its names of features do not fit its network")
        est.feature_names_in_ = np.array(names, dtype=object)


def _dict(described: dict[str, Any], key: str, known: Any) -> dict[str, Any]:
    """Return a field that is a dictionary with some of the known keys."""
    value = described.get(key)
    if not isinstance(value, dict) or (unknown := set(value) - set(known)):
        raise ValueError(
            f"its {key} are missing" if not isinstance(value, dict) else f"its {key} have {sorted(unknown)}"
        )
    return value


def _is_list_of(value: Any, types: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, types) for item in value)


def _to_json(value: Any) -> Any:
    """Return a value as JSON has it; numbers that are not finite become their names."""
    if isinstance(value, (tuple, list)):
        return [_to_json(item) for item in value]
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    return float(value["float"]) if isinstance(value, dict) and set(value) == {"float"} else value


def _is_json(value: Any) -> bool:
    """Return whether it is made of what JSON holds, and comes back as what it was."""
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return set(value) == {"float"} or all(isinstance(k, str) and _is_json(v) for k, v in value.items())
    return value is None or type(value) in (bool, int, float, str)
