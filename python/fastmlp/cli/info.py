"""``fastmlp info``: what is in a model file."""

from __future__ import annotations

import argparse
import os
from typing import Any

import numpy as np

from .. import Network
from ..errors import UserError
from ..files import estimator_of
from ..reference import files
from ..tabular import layout
from ..tabular.columns import Valued
from ..tabular.model import TabularModel
from ..tabular.table import shortened
from . import arguments
from .output import print_json


def add(commands: Any) -> None:
    """Declare the command."""
    command = arguments.add_command(
        commands,
        "info",
        "tell what is in a model file",
        "Tell what is in a model file: layers, activations, precision and parameters; of what `fastmlp train` saved, "
        "also columns with their encodings and scaling, classes, and how it was trained.",
        "fastmlp info model.safetensors",
    )
    command.add_argument("model", help="what `fastmlp train`, fastmlp.save or Network.save wrote")
    arguments.add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Load, and tell."""
    try:
        network, extras = files.load_all(args.model, Network)
        estimator = estimator_of(args.model, network, extras["estimator"]) if "estimator" in extras else None
    except OSError as error:
        raise UserError(f"{args.model}: {error.strerror}") from None
    except (ValueError, ImportError) as error:
        raise UserError(str(error)) from None
    facts = {"bytes": os.path.getsize(args.model), **_of_network(network)}
    if estimator is not None:
        facts.update(_of_estimator(estimator))
    if "table" in extras:
        facts.update(_of_model(layout.assemble(args.model, network, extras["table"])))
    if args.json:
        print_json(facts)
    else:
        _print(facts)
    return 0


def _of_network(network: Network) -> dict[str, Any]:
    return {
        "layer_sizes": list(network.layer_sizes),
        "activations": list(network.activations),
        "dtype": network.dtype.name,
        "bias": network.bias,
        "parameters": int(network.parameters.size),
    }


def _of_estimator(model: Any) -> dict[str, Any]:
    """Return what an estimator, or a pipeline that ends in one, has around its network."""
    steps = [step for _, step in getattr(model, "steps", [(None, model)])]
    names = getattr(steps[-1], "feature_names_in_", None)
    return {
        "estimator": " after ".join(step if isinstance(step, str) else type(step).__name__ for step in reversed(steps)),
        "classes": getattr(steps[-1], "classes_", np.array([])).tolist(),
        "feature_names": None if names is None else names.tolist(),
    }


def _of_model(model: TabularModel) -> dict[str, Any]:
    """Return what is around the network."""
    return {
        "task": model.task,
        "target": model.target,
        "outputs": [] if model.classes else model.output_names,
        "classes": model.classes,
        "features": _features(model),
        "output_mean": model.outputs.mean.tolist(),
        "output_scale": model.outputs.scale.tolist(),
        "loss": model.loss,
        "plainest_guess": model.guess,
        "training": model.training,
    }


def _features(model: TabularModel) -> list[dict[str, Any]]:
    """Return the columns, with what becomes of them."""
    features, start = [], 0
    for column in model.columns:
        feature: dict[str, Any] = {"name": column.name, "kind": column.kind}
        if isinstance(column, Valued):
            feature["values"] = list(column.values)
        if column.fill is not None:
            feature["fill"] = column.fill
        if column.is_scaled:
            feature |= {"mean": float(model.inputs.mean[start]), "scale": float(model.inputs.scale[start])}
        features.append(feature)
        start += len(column.input_names)
    return features


def _print(facts: dict[str, Any]) -> None:
    """Print one fact a line."""
    activations = ", ".join(facts["activations"])
    _line("network", f"{'-'.join(map(str, facts['layer_sizes']))}, {activations}, {facts['dtype']}")
    _line("parameters", f"{facts['parameters']}{'' if facts['bias'] else ', no biases'}, in {facts['bytes']} bytes")
    if "estimator" in facts:
        _line("estimator", facts["estimator"])
        for name in ("classes", "feature_names"):
            if facts[name]:
                _line(name.replace("_", " "), shortened(map(str, facts[name]), 20))
        return
    if "task" not in facts:
        print("a network without columns, as Network.save writes it")
        return
    _line("target", f"{facts['target']}, {facts['task']} by {facts['loss']}")
    if facts["classes"]:
        _line("classes", shortened(facts["classes"], 20))
    elif len(facts["outputs"]) > 1:
        _line("predicts", ", ".join(facts["outputs"]))
    for feature in facts["features"]:
        _line(f"  {feature['name']}", _told(feature))
    for name, value in facts["training"].items():
        if name != "metrics":
            _line(name.replace("_", " "), str(value))
    for part, metrics in facts["training"].get("metrics", {}).items():
        told = {name: value for name, value in metrics.items() if name != "plainest_guess" and value is not None}
        _line(f"{part} rows", ", ".join(f"{k} {v if isinstance(v, int) else f'{v:.5g}'}" for k, v in told.items()))


def _told(feature: dict[str, Any]) -> str:
    """Return what becomes of a column in words."""
    parts = [feature["kind"].replace("_", "-")]
    if "values" in feature:
        parts.append(f"values {shortened(feature['values'], 20)}")
    if "mean" in feature:
        parts.append(f"mean {feature['mean']:.6g}, scale {feature['scale']:.6g}")
    if "fill" in feature:
        parts.append(f"{feature['fill']} if missing")
    return "; ".join(parts)


def _line(name: str, fact: str) -> None:
    print(f"{name:24}{fact}")
