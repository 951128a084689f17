"""What the three ways to write an explanation share: the walk over a tree."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import numpy as np

from ..arrays import Array
from .formulas import cases, is_matrix, needs_parentheses, precedence
from .numbers import Digits

T = TypeVar("T")

SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


class Writer(ABC, Generic[T]):
    """Writes trees in one format; T is what a part of it is made of."""

    def __init__(self, digits: Digits) -> None:
        self.digits = digits

    def write(self, node: ast.expr) -> T:
        """Return what the tree looks like."""
        if isinstance(node, ast.Constant):
            value: Any = node.value
            return self.matrix(value) if isinstance(value, np.ndarray) else self.number(self.digits.text(value))
        if isinstance(node, ast.Name):
            return self.letter(node.id)
        if isinstance(node, ast.Attribute):
            return self.indexed(node.value, transposed=True)
        if isinstance(node, ast.Subscript):
            return self.indexed(node)
        if isinstance(node, ast.UnaryOp):
            tight = precedence(node.operand) > precedence(node)
            return self.negative(self.write(node.operand) if tight else self.parenthesized(node.operand))
        if isinstance(node, ast.BinOp):
            return self.operation(node)
        if isinstance(node, ast.Compare):
            return self.comparison(
                self.write(node.left),
                SIGNS[type(node.ops[0])],
                self.write(node.comparators[0]),
            )
        if isinstance(node, ast.IfExp):
            branches, otherwise = cases(node)
            written = [(self.write(value), self.write(condition)) for value, condition in branches]
            return self.cases(written, self.write(otherwise))
        assert isinstance(node, ast.Call), node
        assert isinstance(node.func, ast.Name)
        return self.call(node.func.id, node.args)

    def operand(self, node: ast.expr, operation: ast.BinOp) -> T:
        """Return an operand, in parentheses where it needs them."""
        return self.parenthesized(node) if needs_parentheses(node, operation) else self.write(node)

    @staticmethod
    def is_elementwise(node: ast.BinOp) -> bool:
        """Return whether it multiplies two matrices element by element."""
        return isinstance(node.op, ast.Mult) and is_matrix(node.left) and is_matrix(node.right)

    @abstractmethod
    def number(self, text: str) -> T: ...

    @abstractmethod
    def matrix(self, matrix: Array) -> T: ...

    @abstractmethod
    def letter(self, name: str) -> T: ...

    @abstractmethod
    def indexed(self, node: ast.expr, transposed: bool = False) -> T:
        """Return a letter with a layer's number, or a plain letter, transposed or not."""

    @abstractmethod
    def negative(self, operand: T) -> T: ...

    @abstractmethod
    def parenthesized(self, node: ast.expr) -> T: ...

    @abstractmethod
    def operation(self, node: ast.BinOp) -> T: ...

    @abstractmethod
    def comparison(self, left: T, sign: str, right: T) -> T: ...

    @abstractmethod
    def cases(self, branches: list[tuple[T, T]], otherwise: T) -> T: ...

    @abstractmethod
    def call(self, name: str, arguments: list[ast.expr]) -> T: ...


def index_of(node: ast.expr) -> tuple[str, int | None]:
    """Return the letter and the layer's number, if it has one."""
    if isinstance(node, ast.Subscript):
        assert isinstance(node.value, ast.Name)
        assert isinstance(node.slice, ast.Constant)
        layer: Any = node.slice.value
        return node.value.id, layer
    assert isinstance(node, ast.Name)
    return node.id, None
