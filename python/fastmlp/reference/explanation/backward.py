"""The pass backward, and the step that follows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..activations import Activation
from ..arrays import Array
from ..links import Link
from ..losses import Loss
from ..results import Origin, Trace
from .formulas import filled, number, parse, tree
from .forward import smoothed
from .steps import Equation, Part, Section, activation, definition, letters_of, name_of, value, worked


def backward(trace: Trace, origin: Origin, l: int) -> Section:
    """Return how delta[l], dW[l] and db[l] come about."""
    delta: Any = trace.delta
    parts = _last_delta(trace, origin) if l == len(origin.activations) else _hidden_delta(trace, origin, l)
    inputs = f"{name_of(l - 1, origin)}.T"
    values = {inputs: trace.A[l - 1].T, f"delta[{l}]": delta[l]}
    parts.append(worked(f"dW[{l}]", f"{inputs} @ delta[{l}]", values, trace.dW[l]))
    if origin.biases:
        parts.append(worked(f"db[{l}]", f"column_sums(delta[{l}])", values, trace.db[l]))
    return Section(f"Layer {l}, backward", parts)


def update(trace: Trace, origin: Origin, learning_rate: float) -> Section:
    """Return the parameters after a step of gradient descent."""
    parts: list[Part] = [value("eta", learning_rate)]
    for l in range(1, len(trace.A)):
        parts.append(_updated(f"W[{l}]", origin.weights[l - 1], trace.dW[l], learning_rate))
        if origin.biases:
            parts.append(_updated(f"b[{l}]", origin.biases[l - 1], trace.db[l], learning_rate))
    return Section("Update: one step of gradient descent", parts)


def _updated(name: str, before: Array, gradient: Any, learning_rate: float) -> Equation:
    values = {name: before, f"d{name}": gradient, "eta": learning_rate}
    after = before - before.dtype.type(learning_rate) * gradient
    return worked(name, f"{name} - eta * d{name}", values, after, "<-")


def _hidden_delta(trace: Trace, origin: Origin, l: int) -> list[Part]:
    delta: Any = trace.delta
    parts, slope = _slope(trace, origin, l)
    W_T = origin.weights[l].T
    letters = f"(delta[{l + 1}] @ W[{l + 1}].T) * s_prime(Z[{l}])"
    values = {f"delta[{l + 1}]": delta[l + 1], f"W[{l + 1}].T": W_T, f"s_prime(Z[{l}])": slope}
    lines = [filled(tree(letters), values), filled(tree("P * S"), {"P": delta[l + 1] @ W_T, "S": slope})]
    return [*parts, Equation(tree(f"delta[{l}]"), tree(letters), [*lines, number(delta[l])])]


def _last_delta(trace: Trace, origin: Origin) -> list[Part]:
    """Return how delta[L] comes about, from the derivatives of the loss."""
    Z: Any = trace.Z[-1]
    delta: Any = trace.delta[-1]
    loss, Y, Y_hat, L = origin.loss, origin.Y, trace.A[-1], len(origin.activations)
    assert loss is not None
    assert Y is not None
    s = activation(origin, L)
    G = loss.derivative(Y_hat if loss.link is None else Z, Y)
    parts = _loss_slope(loss, trace, Y, G)
    values: dict[str, Any] = {"G": G, "n": len(Y)}
    letters = "G / n"
    if isinstance(s, Activation) and loss.link is None:
        more, values[f"s_prime(Z[{L}])"] = _slope(trace, origin, L)
        parts += more
        letters = f"G * s_prime(Z[{L}]) / n"
    elif isinstance(s, Link) and loss.link is None:
        parts += ["The output activation looks at whole rows: a row g of G becomes h(g), where a stands for s(z)."]
        parts += [*definition("h(g)", s.pull_back_formula, s), value("Y_hat", Y_hat)]
        values["h(G)"] = s.pull_back(Y_hat, G)
        parts.append(value("h(G)", values["h(G)"]))
        letters = "h(G) / n"
    parts += ["J is the mean over the samples, so all is divided by their number.", value("n", len(Y))]
    parts.append(worked(f"delta[{L}]", letters, values, delta))
    return parts


def _loss_slope(loss: Loss, trace: Trace, Y: Array, G: Array) -> list[Part]:
    """Return the derivatives of the losses, and G, which holds their values."""
    if not loss.derivative_formula:
        return ["G holds the derivatives of the losses by the outputs, which the function gives.", value("G", G)]
    parts: list[Part] = []
    if loss.link is not None:
        parts.append(f"{loss.name} goes with {loss.link}: by the net input, the derivative of the two together is")
    variable = "z" if loss.link else "y_hat"
    parts += definition(f"dloss / d{variable}", loss.derivative_formula, loss)
    parts.append("G holds it for each sample and output.")
    Z: Any = trace.Z[-1]
    targets = "T" if smoothed(loss) else "Y"
    names = {"y_hat": "Y_hat", "y": targets, "q": "Q", "m": "M", "v": "V"}
    known = loss.letters(Z, trace.A[-1], Y)
    if loss.derivative_formula == "y_hat - y":
        return [*parts, worked("G", f"Y_hat - {targets}", {"Y_hat": known["y_hat"], targets: known["y"]}, G)]
    used = letters_of(parse(loss.derivative_formula))
    return [*parts, *(value(names[name], values) for name, values in known.items() if name in used), value("G", G)]


def _slope(trace: Trace, origin: Origin, l: int) -> tuple[list[Part], Array]:
    """Return how s'(Z[l]) comes about, and its value."""
    Z: Any = trace.Z[l]
    s = activation(origin, l)
    assert isinstance(s, Activation)
    slope = np.asarray(s.derivative(Z, trace.A[l]))
    parts = definition("s_prime(z)", s.derivative_formula, s)
    used = letters_of(parse(s.derivative_formula))
    if "a" in used:
        parts += ["Here a is s(z), which is known already.", value(name_of(l, origin), trace.A[l])]
    if "z" in used:
        parts.append(value(f"Z[{l}]", Z))
    return [*parts, value(f"s_prime(Z[{l}])", slope)], slope
