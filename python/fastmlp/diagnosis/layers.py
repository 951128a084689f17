"""The neurons of the hidden layers, and the gradients that reach them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..reference.activations import Activation, activation_of, output_activation_of
from ..reference.arrays import Array
from ..tabular.table import shortened
from . import thresholds
from .case import Case
from .report import ERROR, WARNING, Finding, counted

# Those that are flat at both ends.
SATURATING = ("sigmoid", "tanh", "hard_tanh")

# Weights that agree in so many digits are equal: what is left is rounding.
DIGITS = 6

# Neurons whose weights are so small beside the largest are those that a penalty has cut out.
CUT_OUT = 1e-3

# What makes gradients vanish or explode, and is told instead; and what makes neurons idle.
IDLE = ("symmetric_neurons", "dead_outputs", "dead_units", "saturated_units", "shrunk_weights")
BEFORE = ("unscaled_inputs", "learning_rate_too_high")


def symmetric_neurons(case: Case) -> Iterator[Finding]:
    """Look for neurons of a layer with the same weights before and behind them, which get the same gradients."""
    net = case.net
    for l in range(1, len(net.weights) if case.can_compute else 0):
        weights = np.hstack([net.weights[l - 1].T, net.weights[l]])
        groups = _equal_rows(weights, net.biases[l - 1] if net.bias else np.zeros(len(weights)))
        everything = len(groups) == 1 and len(groups[0]) == len(weights)
        if not groups or (case.has("learning_rate_too_high") and not everything):
            continue
        alike = sum(map(len, groups))
        message = (
            f"layer {l}: {alike} of {len(weights)} neurons have the same weights before and behind them as another, so "
            f"that they compute, and learn, the same for ever: {shortened(map(_listed, groups), 4)}"
        )
        yield case.finding(
            "symmetric_neurons", ERROR if everything else WARNING, message, layer=l, neurons=groups, of=len(weights)
        )


def dead_units(case: Case) -> Iterator[Finding]:
    """Look for relu neurons that are 0 in all rows."""
    if case.has_learnt or case.has("symmetric_neurons"):
        return
    for l, A in _hidden(case, ("relu",)):
        dead = np.flatnonzero((A <= 0).all(axis=0))
        share = len(dead) / A.shape[1]
        if share < thresholds.DEAD_UNITS or (share < 1 and case.has(*BEFORE)):
            continue
        message = (
            f"layer {l}: {len(dead)} of {A.shape[1]} relu neurons are 0 in {case.all_rows}, so that no gradient "
            f"reaches their weights: neuron {_listed(dead)}"
        )
        severity = ERROR if len(dead) == A.shape[1] else WARNING
        yield case.finding("dead_units", severity, message, layer=l, neurons=dead.tolist(), of=A.shape[1], share=share)


def dead_outputs(case: Case) -> Iterator[Finding]:
    """Look for outputs where their activation has no slope in any row, as relu where it is 0, and which are wrong."""
    s = output_activation_of(case.net.activations[-1])
    if not isinstance(s, Activation) or case.loss.link or not case.can_compute or case.overflow is not None:
        return
    Z: Any = case.trace.Z[-1]
    A = case.trace.A[-1]
    wrong = np.tile(case.Y, A.shape[1] // case.Y.shape[1]) != A
    dead = np.flatnonzero((s.derivative(Z, A) == 0).all(axis=0) & wrong.any(axis=0))
    if len(dead):
        message = (
            f"{len(dead)} of {counted(A.shape[1], 'output')} lie where {case.net.activations[-1]} has no slope in "
            f"{case.all_rows}, so that nothing is learnt from their errors: output {_listed(dead)}"
        )
        yield case.finding("dead_outputs", ERROR, message, outputs=dead.tolist(), of=A.shape[1])


def saturated_units(case: Case) -> Iterator[Finding]:
    """Look for neurons that are in the flat parts of their activation in most rows, and so hardly learn."""
    if case.has_learnt or case.has("symmetric_neurons", *BEFORE):
        return
    for l, A in _hidden(case, SATURATING):
        s = activation_of(case.net.activations[l - 1])
        Z: Any = case.trace.Z[l]
        steepest = float(s.derivative(np.zeros(1), s.value(np.zeros(1)))[0])
        flat = (s.derivative(Z, A) < thresholds.FLAT * steepest).mean(axis=0)
        units = np.flatnonzero(flat >= thresholds.SATURATED_ROWS)
        if len(units) < thresholds.SATURATED_UNITS * A.shape[1]:
            continue
        message = (
            f"layer {l}: {len(units)} of {A.shape[1]} {case.net.activations[l - 1]} neurons are in their flat parts in "
            f"{thresholds.SATURATED_ROWS:.0%} of the rows or more, where their slope is below {thresholds.FLAT:.0%} "
            f"of the steepest: neuron {_listed(units)}"
        )
        evidence = {"neurons": units.tolist(), "of": A.shape[1], "shares": flat[units].tolist()}
        yield case.finding("saturated_units", WARNING, message, layer=l, **evidence, share=float(flat.mean()))


def shrunk_weights(case: Case) -> Iterator[Finding]:
    """Look for weights next to nothing beside those that a new network has."""
    if not case.can_compute or case.overflow is not None or case.has_learnt or case.has("symmetric_neurons"):
        return
    sizes = [float(np.sqrt(np.square(W, dtype=np.float64).mean())) for W in case.net.weights]
    drawn = [float(np.sqrt(2 / sum(W.shape))) for W in case.net.weights]
    shrunk = [l for l, (size, new) in enumerate(zip(sizes, drawn, strict=True), 1) if size < thresholds.SHRUNK * new]
    if not shrunk:
        return
    told = "; ".join(f"about {sizes[l - 1]:.2g} in layer {l}, where new ones are {drawn[l - 1]:.2g}" for l in shrunk)
    message = f"weights are next to nothing: {told}. A penalty holds them down, or they began too small"
    evidence = {"layers": shrunk, "sizes": [sizes[l - 1] for l in shrunk], "new": [drawn[l - 1] for l in shrunk]}
    yield case.finding("shrunk_weights", WARNING, message, **evidence)


def gradients_by_layer(case: Case) -> Iterator[Finding]:
    """Look for gradients that vanish or explode on their way back through the layers."""
    if not case.can_compute or case.overflow is not None or case.has_learnt or case.has(*IDLE):
        return
    deltas = [float(np.linalg.norm(delta)) for delta in case.trace.delta[1:] if delta is not None]
    if len(deltas) < 2 or deltas[-1] == 0:
        return
    relative = [delta / deltas[-1] for delta in deltas]
    numbers = _of_layers(case, deltas)
    table = ", ".join(f"layer {row['layer']}: {row['delta']:.2g}" for row in numbers)
    smallest, largest = min(relative), max(relative)
    if smallest < thresholds.VANISHING and not case.has(*BEFORE):
        l = relative.index(smallest) + 1
        message = f"the gradient of the outputs is {smallest:.1g} of itself when it reaches layer {l} ({table})"
        yield case.finding("vanishing_gradients", WARNING, message, layer=l, ratio=smallest, layers=numbers)
    elif largest > thresholds.EXPLODING:
        l = relative.index(largest) + 1
        message = f"the gradient of the outputs is {largest:.1g} times itself when it reaches layer {l} ({table})"
        yield case.finding("exploding_gradients", WARNING, message, layer=l, ratio=largest, layers=numbers)


def _of_layers(case: Case, deltas: list[float]) -> list[dict[str, float]]:
    """Return the norms of each layer: of its gradients by net inputs and by weights, and of its weights."""
    rows = []
    for l, (W, dW, delta) in enumerate(zip(case.net.weights, case.gradients.weights, deltas, strict=True), 1):
        weights, gradient = float(np.linalg.norm(W)), float(np.linalg.norm(dW))
        ratio = gradient / weights if weights else 0.0
        rows.append({"layer": l, "delta": delta, "gradient": gradient, "weights": weights, "gradient/weights": ratio})
    return rows


def _hidden(case: Case, names: tuple[str, ...]) -> Iterator[tuple[int, Array]]:
    """Give the number and the activations of each hidden layer with one of these activation functions."""
    if not case.can_compute or case.overflow is not None:
        return
    for l, name in enumerate(case.net.activations[:-1], 1):
        if name in names:
            yield l, case.trace.A[l]


def _equal_rows(weights: Array, biases: Array) -> list[list[int]]:
    """Return groups of two or more neurons that are equal, the largest first.

    Neurons that were cut out do not count, but all may be zero.
    """
    a, sizes = np.column_stack([weights, biases]), np.abs(weights).max(axis=1)
    largest = float(sizes.max())
    rows = np.flatnonzero(sizes >= CUT_OUT * largest)
    rounded = np.round(a[rows] / (float(np.abs(a).max()) or 1.0), DIGITS)
    _, group, counts = np.unique(rounded, axis=0, return_inverse=True, return_counts=True)
    groups = [rows[group.ravel() == k].tolist() for k in np.flatnonzero(counts > 1)]
    return sorted(groups, key=len, reverse=True)


def _listed(neurons: Any) -> str:
    return shortened(map(str, neurons), 12)


CHECKS = (symmetric_neurons, dead_outputs, dead_units, saturated_units, shrunk_weights, gradients_by_layer)
