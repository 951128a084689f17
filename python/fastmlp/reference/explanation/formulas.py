"""Formulas as trees: read from text, and with numbers put in for their letters.

A formula is written as Python writes it, and Python's own parser reads it: ``1 / (1 + exp(-z))``, ``z if z > 0 else
slope * z``, ``(delta[2] @ W[2].T) * s_prime(Z[1])``. What stands for longer parts follows it: ``z * tanh(t) where t =
log(1 + exp(z))``. Leaves are letters, and numbers: those of a formula are Python's and exact, those of a computation
are NumPy's, scalars or matrices, and are rounded where they are written.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# What functions mean that no pocket calculator has, and s.
DEFINITIONS = {
    "sigmoid(z)": "1 / (1 + exp(-z))",
    "softplus(z)": "log(1 + exp(z))",
    "phi(z)": "exp(-z**2 / 2) / sqrt(2 * pi)",
}
MEANINGS = {
    "delta": "delta without the number of a layer is a parameter of the loss.",
    "log": "log is the natural logarithm.",
    "Phi": "Phi is the cumulative distribution of the standard normal, whose density is phi.",
    "row_sum": "The sum is that of the row.",
    "lse": "lse is log(row_sum(exp(z))), of all net inputs of the sample.",
    "j": "j is the number of the column, and k that of the targets: means come first, variances after them.",
}

COMPARISONS = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}

# From the loosest to the tightest.
PRECEDENCE: dict[type[ast.AST], int] = {
    **{ast.IfExp: 1, ast.Compare: 2, ast.Add: 3, ast.Sub: 3, ast.USub: 4},
    **{ast.Mult: 5, ast.MatMult: 5, ast.Div: 5, ast.Pow: 6},
}
TIGHTEST = 7


@dataclass
class Formula:
    """A formula, and what stands for longer parts of it."""

    tree: ast.expr
    where: dict[str, ast.expr] = field(default_factory=dict)


def parse(text: str) -> Formula:
    """Return the formula that a text stands for."""
    body, _, rest = text.partition(" where ")
    name, _, part = rest.partition(" = ")
    return Formula(tree(body), {name: tree(part)} if rest else {})


def tree(text: str) -> ast.expr:
    """Return the tree of a text without "where"."""
    return ast.parse(text, mode="eval").body


def number(value: Any) -> ast.Constant:
    """Return the leaf of a number or a matrix."""
    return ast.Constant(value)


def total(terms: Iterable[ast.expr]) -> ast.expr:
    """Return the sum of the terms; one that begins with a minus is taken away."""
    first, *others = terms
    for term in others:
        first = _plus(first, term)
    return first


def _plus(left: ast.expr, term: ast.expr) -> ast.expr:
    if isinstance(term, ast.BinOp) and isinstance(term.op, (ast.Add, ast.Sub)):
        return ast.BinOp(_plus(left, term.left), term.op, term.right)
    positive = _without_minus(term)
    return ast.BinOp(left, ast.Add(), term) if positive is None else ast.BinOp(left, ast.Sub(), positive)


def _without_minus(term: ast.expr) -> ast.expr | None:
    """Return the negative of a product that begins with a minus, or None if it begins without."""
    if isinstance(term, ast.UnaryOp):
        return term.operand
    if isinstance(term, ast.BinOp) and isinstance(term.op, (ast.Mult, ast.Div)):
        left = _without_minus(term.left)
        return left and ast.BinOp(left, term.op, term.right)
    return None


def letters(*trees: ast.AST) -> set[str]:
    """Return the names in the trees."""
    return {node.id for each in trees for node in ast.walk(each) if isinstance(node, ast.Name)}


class _Filler(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Constant):
            return node
        if isinstance(node, ast.expr) and (name := ast.unparse(node)) in self.values:
            value = self.values[name]
            return value if isinstance(value, ast.expr) else number(value)
        return super().generic_visit(node)


def filled(what: Formula | ast.expr, values: Mapping[str, Any]) -> ast.expr:
    """Return the tree with numbers, or other trees, in place of letters; what stands for longer parts is put in first.

    Of cases that numbers decide, the one that holds is left.
    """
    if isinstance(what, Formula):
        what = _copied(filled(what.tree, what.where)) if what.where else what.tree
    out: ast.expr = _Filler(values).visit(_copied(what))
    while isinstance(out, ast.IfExp) and not letters(out.test) - {"abs"}:
        out = out.body if evaluated(out.test) else out.orelse
    return out


def _copied(node: ast.expr) -> ast.expr:
    """Return a copy whose leaves of numbers are the same."""

    def copy(value: Any) -> Any:
        if isinstance(value, list):
            return [copy(item) for item in value]
        if not isinstance(value, ast.AST) or isinstance(value, ast.Constant):
            return value
        return type(value)(**{name: copy(item) for name, item in ast.iter_fields(value)})

    copied: ast.expr = copy(node)
    return copied


def evaluated(test: ast.expr) -> bool:
    """Return whether a comparison of numbers holds."""
    assert isinstance(test, ast.Compare)
    return bool(COMPARISONS[type(test.ops[0])](_value(test.left), _value(test.comparators[0])))


def _value(node: ast.expr) -> Any:
    """Return the value of what is compared."""
    if isinstance(node, ast.Call):
        return abs(_value(node.args[0]))
    if isinstance(node, ast.BinOp):
        return _value(node.left) - _value(node.right)
    assert isinstance(node, ast.Constant)
    return node.value


def is_matrix(node: ast.expr) -> bool:
    """Return whether the value is a matrix: a product of two of them goes element by element."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, np.ndarray)
    if isinstance(node, ast.Name):
        return node.id[0].isupper() and node.id not in ("J", "Phi")
    if isinstance(node, ast.BinOp):
        return is_matrix(node.left) or is_matrix(node.right)
    if isinstance(node, ast.Call):
        return any(map(is_matrix, node.args))
    return isinstance(node, (ast.Subscript, ast.Attribute))


def is_call(node: ast.AST, name: str) -> bool:
    """Return whether it is the call of that function."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def precedence(node: ast.expr) -> int:
    """Return how tightly the outermost operation binds."""
    if isinstance(node, ast.BinOp):
        return PRECEDENCE[type(node.op)]
    if isinstance(node, ast.UnaryOp) or is_negative(node):
        return PRECEDENCE[ast.USub]
    return PRECEDENCE.get(type(node), TIGHTEST)


def is_negative(node: ast.expr) -> bool:
    """Return whether it is a number with a minus."""
    value: Any = node.value if isinstance(node, ast.Constant) else 0
    return np.ndim(value) == 0 and bool(value < 0)


def needs_parentheses(operand: ast.expr, operation: ast.BinOp) -> bool:
    """Return whether an operand of an operation of two stands in parentheses."""
    own, outer = precedence(operand), precedence(operation)
    if operand is operation.left:
        if outer == PRECEDENCE[ast.Pow]:
            return own < TIGHTEST
        mixed = own == outer == PRECEDENCE[ast.Mult] and (
            isinstance(operation.op, ast.MatMult) != isinstance(operand.op, ast.MatMult)  # type: ignore[attr-defined]
        )
        return mixed or (own < outer and own != PRECEDENCE[ast.USub])
    if own == outer:
        return not isinstance(operation.op, ast.Add)
    first = leftmost(operand)
    return own < outer or isinstance(first, ast.UnaryOp) or is_negative(first)


def leftmost(node: ast.expr) -> ast.expr:
    """Return what an operation begins with, as it is written."""
    while isinstance(node, ast.BinOp) and not needs_parentheses(node.left, node):
        node = node.left
    return node


def cases(node: ast.IfExp) -> tuple[list[tuple[ast.expr, ast.expr]], ast.expr]:
    """Return the values with their conditions, and the value otherwise."""
    found = []
    rest: ast.expr = node
    while isinstance(rest, ast.IfExp):
        found.append((rest.body, rest.test))
        rest = rest.orelse
    return found, rest
