"""The pass forward, and the loss that it ends with."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from .. import specs
from ..arrays import Array
from ..links import Link
from ..losses import Loss
from ..results import Origin, Trace
from . import formulas
from .formulas import filled, number, parse, tree
from .numbers import Digits
from .steps import REST, Equation, Part, Section, activation, definition, letters_of, name_of, value, worked

# Nearer to these an output may have too few digits left to compute the loss from it.
NEAR = 0.01
BLUNT = {"sigmoid": (0, 1), "softmax": (0,)}


def given(trace: Trace, origin: Origin) -> Section:
    """Return what the step begins with."""
    parts: list[Part] = [value("X", trace.A[0])]
    if origin.Y is not None:
        parts.append(value("Y", origin.Y))
    return Section("Given", parts)


def forward(trace: Trace, origin: Origin, l: int) -> Section:
    """Return how Z[l] and A[l] come about."""
    A, s = trace.A, activation(origin, l)
    inputs, outputs = name_of(l - 1, origin), name_of(l, origin)
    values = {inputs: A[l - 1], f"W[{l}]": origin.weights[l - 1]}
    right = f"{inputs} @ W[{l}]"
    if origin.biases:
        values[f"b[{l}]"] = origin.biases[l - 1]
        right += f" + b[{l}]"
    parts: list[Part] = [worked(f"Z[{l}]", right, values, trace.Z[l])]
    if origin.biases and len(A[0]) > 1:
        parts.append("The biases are added to every row.")
    parts += definition("s(z)", s.formula, s)
    if isinstance(s, Link) and "k" in letters_of(parse(s.formula)):
        parts.append(value("k", A[l].shape[1] // 2))
    parts.append(worked(outputs, f"s(Z[{l}])", {f"Z[{l}]": trace.Z[l]}, A[l]))
    if outputs == "Y_hat":
        parts.append(Equation(tree(f"A[{l}]"), tree("Y_hat")))
    return Section(f"Layer {l}, forward: {origin.activations[l - 1]}", parts)


def loss(trace: Trace, loss: Loss, Y: Array, digits: Digits) -> Section:
    """Return how J comes about: the loss of each sample as a sum, and their mean."""
    Z: Any = trace.Z[-1]
    Y_hat = trace.A[-1]
    each = loss.value(Y_hat if loss.link is None else Z, Y)
    shown = digits.shown(len(each))
    names = [REST if i is None else tree(f"loss_{i + 1}") for i in shown]
    parts = _formula(loss, Y, Y_hat)
    lse = np.broadcast_to(np.logaddexp.reduce(Z, axis=1, keepdims=True), Z.shape)
    letters = {**loss.letters(Z, Y_hat, Y), "lse": lse}
    for i, name in zip(shown, names, strict=True):
        if i is not None:
            terms = [_sum(loss, letters, i, digits)] if loss.formula else []
            parts.append(Equation(name, None, [*terms, number(each[i])]))
    parts.append("J is the mean over the samples:")
    values = [REST if i is None else number(each[i]) for i in shown]
    means: list[ast.expr] = [
        ast.BinOp(formulas.total(terms), ast.Div(), number(len(each))) for terms in (names, values)
    ]
    parts.append(Equation(tree("J"), means[0], [means[1], number(np.float64(trace.J or 0.0))]))
    return Section(f"Loss: {name_of_loss(loss)}", parts)


def name_of_loss(loss: Loss) -> str:
    """Return the spec of a loss, or that it is the user's own."""
    return specs.text(loss) if loss.formula else "a function of your own"


def smoothed(loss: Loss) -> bool:
    """Return whether the loss takes other labels than it is given."""
    return bool(getattr(loss, "label_smoothing", 0))


def _is_blunt(loss: Loss, Y_hat: Any) -> Any:
    """Return where outputs are so near to an end of their range that the loss is taken from the net input."""
    return np.any([np.abs(Y_hat - end) < NEAR for end in BLUNT.get(loss.link or "", ())], axis=0)


def _formula(loss: Loss, Y: Array, Y_hat: Array) -> list[Part]:
    """Return the formula of the loss of one output, and what its letters are."""
    if not loss.formula:
        return ["The loss of each sample is what the function gives:"]
    used = letters_of(parse(loss.formula))
    parts = definition("loss(m, v, y)" if "m" in used else "loss(y_hat, y)", loss.formula, loss)
    if "m" in used:
        parts.append("m is the mean of a target and v its variance: the first and the second half of the outputs.")
    if "q" in used:
        levels: tuple[float, ...] = loss.levels  # type: ignore[attr-defined]
        parts.append(f"q is the level of the output: {', '.join(f'{level:g}' for level in levels)}.")
    if loss.stable_formula and np.any(_is_blunt(loss, Y_hat)):
        ends = " or ".join(map(str, BLUNT[loss.link or ""]))
        parts.append(f"The same from the net input z, which is taken for an output within {NEAR:g} of {ends}:")
        parts += definition("loss(z, y)", loss.stable_formula, loss)
    if smoothed(loss):
        assert loss.labels_formula
        share: float = loss.label_smoothing  # type: ignore[attr-defined]
        letters = filled(tree(loss.labels_formula), {"y": tree("Y"), "n_out": Y.shape[1]})
        parts.append("Labels are smoothed by a share: y is a number of T.")
        numbers = filled(letters, {"Y": Y, "label_smoothing": share})
        parts.append(Equation(tree("T"), letters, [numbers, number(loss.labels(Y))]))
    parts.append(f"The loss of a sample is the sum over its {'targets' if 'm' in used else 'outputs'}:")
    return parts


def _sum(loss: Loss, letters: dict[str, Array], i: int, digits: Digits) -> ast.expr:
    """Return the loss of sample i as a sum, in numbers."""
    constants = {"delta": loss.delta} if hasattr(loss, "delta") else {}

    def term(j: int) -> ast.expr:
        numbers = {name: values[i, j] for name, values in letters.items()}
        formula = loss.stable_formula if np.any(_is_blunt(loss, numbers.get("y_hat"))) else loss.formula
        assert formula
        return filled(parse(formula), {**constants, **numbers})

    shown = digits.shown(letters["y"].shape[1])
    return formulas.total(REST if j is None else term(j) for j in shown)
