"""What an explanation is made of: sections of sentences and equations, in letters and in numbers."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from ..activations import Activation, activation_of, output_activation_of
from ..links import Link
from ..losses import Loss
from ..results import Origin
from . import formulas
from .formulas import Formula, filled, is_call, is_matrix, number, parse, tree
from .numbers import ELLIPSIS

# What stands for terms that are left out.
REST = ast.Name(ELLIPSIS)

# Fields of activations and losses that their formulas name.
PARAMETERS = ("slope", "alpha", "scale", "delta", "label_smoothing")


@dataclass
class Equation:
    """A letter, its formula (None: it is given), and the formula with numbers, further worked out from line to line."""

    left: ast.expr
    right: ast.expr | None = None
    lines: list[ast.expr] = field(default_factory=list)
    sign: str = "="

    @property
    def sides(self) -> list[ast.expr]:
        """What stands behind the signs, from line to line."""
        return [*([] if self.right is None else [self.right]), *self.lines]

    @property
    def has_shapes(self) -> bool:
        """Whether its shapes are worth to be seen: it is a product or a sum of columns, or gives a matrix."""
        if not self.lines or isinstance(self.lines[0], ast.Constant):
            return bool(self.lines) and is_matrix(self.lines[0])
        return any(isinstance(node, ast.MatMult) or is_call(node, "column_sums") for node in ast.walk(self.lines[0]))


Part = str | Equation


@dataclass
class Section:
    """A part of the explanation: sentences and equations under a title."""

    title: str
    parts: list[Part]


def value(name: str, value: Any) -> Equation:
    """Return that a letter has a value."""
    return Equation(tree(name), None, [number(value)])


def worked(left: str, right: str, values: dict[str, Any], result: Any, sign: str = "=") -> Equation:
    """Return an equation in letters, then in numbers, then its result."""
    letters = tree(right)
    return Equation(tree(left), letters, [filled(letters, values), number(result)], sign)


def definition(name: str, text: str, made: Activation | Link | Loss) -> list[Part]:
    """Return the formula of a function, and what the letters and functions in it mean."""
    formula = parse(text)
    used = letters_of(formula)
    where = [Equation(tree(letter), part) for letter, part in formula.where.items()]
    known = [
        Equation(tree(left), tree(right))
        for left, right in formulas.DEFINITIONS.items()
        if left.partition("(")[0] in used
    ]
    numbers = [value(name, getattr(made, name)) for name in PARAMETERS if name in used]
    meanings = [sentence for letter, sentence in formulas.MEANINGS.items() if letter in used]
    return [Equation(tree(name), formula.tree), *where, *known, *numbers, *meanings]


def letters_of(formula: Formula) -> set[str]:
    """Return the names in a formula."""
    return formulas.letters(formula.tree, *formula.where.values())


def activation(origin: Origin, l: int) -> Activation | Link:
    """Return s of layer l."""
    make = output_activation_of if l == len(origin.activations) else activation_of
    return make(origin.activations[l - 1])


def name_of(l: int, origin: Origin) -> str:
    """Return how A[l] is called."""
    return "X" if l == 0 else "Y_hat" if l == len(origin.activations) else f"A[{l}]"
