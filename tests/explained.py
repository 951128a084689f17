"""Reads explanations back: what a student does who checks every number."""

from __future__ import annotations

import ast
import re
from collections import ChainMap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from math import erfc
from typing import Any

import numpy as np

from fastmlp.reference.arrays import Array

MATRIX = re.compile(r"\[ ([^\[\]]*) \]")
FUNCTIONS = {
    **{
        name: getattr(np, name) for name in ("abs", "cos", "cosh", "exp", "log", "sign", "sin", "sqrt", "tanh", "where")
    },
    "max": np.maximum,
    "min": np.minimum,
    "pi": np.pi,
    "row_sum": lambda a: a.sum(axis=1, keepdims=True),
    "column_sums": lambda a: a.sum(axis=0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "phi": lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi),
    "Phi": np.vectorize(lambda x: erfc(-x / np.sqrt(2)) / 2),
}


@dataclass
class Side:
    """What stands behind one sign: an expression, whose matrices are called m0, m1, ..."""

    expression: str
    matrices: dict[str, Array] = field(default_factory=dict)

    def tree(self) -> ast.expr:
        return ast.parse(self.expression, mode="eval").body

    def leaves(self) -> list[str]:
        """The letters and numbers from left to right; s'(Z[1]) is one."""
        return list(_leaves(self.tree()))


@dataclass
class Equation:
    left: str
    sign: str
    sides: list[Side]


def _leaves(node: ast.AST) -> Iterator[str]:
    own = isinstance(node, ast.Call) and ast.unparse(node.func) in ("s_prime", "h")
    if own or isinstance(node, (ast.Name, ast.Subscript, ast.Attribute, ast.Constant)):
        yield ast.unparse(node)
    elif isinstance(node, ast.Call):
        for argument in node.args:
            yield from _leaves(argument)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _leaves(child)


def sections(text: str) -> dict[str, list[Equation]]:
    """Return the equations of each section."""
    parts = re.split(r"\n\n\n(.+)\n-+\n", text)
    return dict(zip(parts[1::2], map(equations, parts[2::2]), strict=True))


def equations(text: str) -> list[Equation]:
    found: list[Equation] = []
    for block in text.strip("\n").split("\n\n"):
        lines = [re.sub(r"\s+# .*", "", line) for line in block.split("\n")]
        for band in _bands(lines):
            _read(band, found)
    return found


def _bands(lines: list[str]) -> list[list[str]]:
    """Return the lines as bands: one of several lines holds matrices, each other line is one by itself."""
    signed = [line for line in lines if re.search(r"(^|\s)(=|<-)\s", MATRIX.sub("", line))]
    is_tall = len(lines) > 1 and len(signed) < 2 and any(MATRIX.search(line) for line in lines)
    return [lines] if is_tall else [[line] for line in lines]


def _read(band: list[str], found: list[Equation]) -> None:
    base = band[(len(band) - 1) // 2]
    side, start = Side(""), 0
    for match in MATRIX.finditer(base):
        rows = [m[1].split() for line in band for m in MATRIX.finditer(line) if m.start() == match.start()]
        name = f"m{len(side.matrices)}"
        side.matrices[name] = np.array(rows, float)
        side.expression += base[start : match.start()] + name
        start = match.end()
    whole = side.expression + base[start:]
    head = re.match(r"^(\S.*?)\s(=|<-)\s|^\s+(=)\s", whole)
    if head is None and (whole.startswith(" ") and found):  # goes on with the line before
        last = found[-1].sides[-1]
        renamed = {f"m{i + len(last.matrices)}": m for i, m in enumerate(side.matrices.values())}
        for old, new in zip(reversed(side.matrices), reversed(renamed), strict=True):
            whole = whole.replace(old, new)
        last.expression += " " + _python(whole)
        last.matrices.update(renamed)
    elif head is not None:
        side.expression = _python(whole[head.end() :])
        if head[1]:
            found.append(Equation(_python(head[1]), head[2], []))
        found[-1].sides.append(side)


def _python(text: str) -> str:
    return text.strip().replace("^", "**").replace("s'", "s_prime")


class Checker:
    """Holds what was read so far, and checks that every side of every equation gives the same."""

    def __init__(self, digits: int) -> None:
        self.error = 0.5 * 10.0 ** (1 - digits)
        self.known: dict[str, Any] = {}  # by how it is written, such as W[1]
        self.definitions: dict[str, tuple[list[str], str]] = {}
        self.parts: dict[str, str] = {}  # what stands for longer parts of a definition
        self.n_checked = 0

    def check(self, equation: Equation) -> None:
        call = re.match(r"(\w+)\(([\w, ]+)\)$", equation.left)
        slope = re.match(r"dloss / d(\w+)$", equation.left)
        first = equation.sides[0]
        if call and not first.matrices and call[2] != "G":
            self.definitions[call[1]] = (call[2].split(", "), first.expression)
            return
        if slope:
            self.definitions["dloss"] = (["y_hat", "y", "q", "m", "v"], first.expression)
            return
        if len(equation.sides) == 1 and not first.matrices and not self._is_known(first):
            self.parts[equation.left] = first.expression
            return
        self._learn(equation)
        values = [self._value_and_error(side) for side in equation.sides]
        if (implied := self._implied(equation.left)) is not None:
            values.append(implied)
        last, last_error = values[len(equation.sides) - 1]
        for value, error in values:
            np.testing.assert_array_less(
                np.abs(value - last), error + last_error + self.error * np.abs(last) + 1e-12, err_msg=equation.left
            )
        self.n_checked += len(values) > 1
        self.known[equation.left] = np.asarray(last)

    def _is_known(self, side: Side) -> bool:
        return all(leaf in self.known or leaf[0].isdigit() for leaf in side.leaves())

    def _learn(self, equation: Equation) -> None:
        """Find what the letters of the first side stand for in the second."""
        if len(equation.sides) < 3 or equation.sides[0].matrices:
            return
        letters, numbers = equation.sides[:2]
        pairs = list(zip(letters.leaves(), numbers.leaves(), strict=True))
        for letter, number in pairs:
            value = (
                numbers.matrices[number] if number in numbers.matrices else np.asarray(float(ast.literal_eval(number)))
            )
            if letter in self.known and not letter.startswith(("h(", "n")):
                np.testing.assert_array_equal(np.ravel(self.known[letter]), np.ravel(value), err_msg=letter)
            if letter.endswith(".T") and letter[:-2] in self.known:
                np.testing.assert_array_equal(self.known[letter[:-2]].T, value, err_msg=letter)
            if not letter[0].isdigit():
                self.known[letter] = value

    def _implied(self, left: str) -> tuple[Any, Any] | None:
        """What a definition says of a letter that is given by itself."""
        layer = re.match(r"s_prime\((Z\[(\d+)\])\)$", left)
        if layer:
            a = f"A[{layer[2]}]"
            return self._perturbed(self.definitions["s_prime"][1], {"z": layer[1], "a": a})
        if left == "h(G)":
            return self._perturbed(self.definitions["h"][1], {"g": "G", "a": "Y_hat"})
        if left == "G" and "dloss" in self.definitions:
            names = {"y_hat": "Y_hat", "y": "T" if "T" in self.known else "Y", "q": "Q", "m": "M", "v": "V"}
            return self._perturbed(self.definitions["dloss"][1], names)
        return None

    def _perturbed(self, formula: str, names: dict[str, str]) -> tuple[Any, Any]:
        values = {letter: self.known[name] for letter, name in names.items() if name in self.known}
        if "j <= k" in formula:
            k = min(a.shape[1] for a in values.values())
            width = 2 * k if "m" in values else max(a.shape[1] for a in values.values())
            values = {letter: np.tile(a, width // a.shape[1]) for letter, a in values.items()}
            values |= {"j": np.arange(1, width + 1), "k": np.asarray(width // 2)}
        return self._spread(formula, values)

    def _value_and_error(self, side: Side) -> tuple[Any, Any]:
        return self._spread(side.expression, side.matrices)

    def _spread(self, expression: str, values: dict[str, Any]) -> tuple[Any, Any]:
        """Return the value of an expression, and how far it moves within the rounding of what is in it."""
        value = self._evaluate(expression, values, 0)
        rng = np.random.default_rng(0)
        moved = [np.abs(self._evaluate(expression, values, self.error, rng) - value) for _ in range(8)]
        return value, 4 * np.max(moved, axis=0)

    def _evaluate(self, expression: str, values: dict[str, Any], error: float, rng: Any = None) -> Any:
        def rounded(value: Any) -> Any:
            a = np.asarray(value, float)
            return a if not error else a * (1 + error * rng.uniform(-1, 1, a.shape))

        scope = Scope({**self.known, **values}, rounded)
        for name, (arguments, body) in self.definitions.items():
            scope.setdefault(name, self._function(arguments, body, scope))
        return _value(_parsed(self._with_parts(expression)), scope, rounded)

    def _with_parts(self, expression: str) -> str:
        for name, part in self.parts.items():
            expression = re.sub(rf"\b{name}\b", f"({part})", expression)
        return expression

    def _function(self, arguments: list[str], body: str, scope: Any) -> Any:
        def function(*given: Any) -> Any:
            own = dict(zip(arguments, given, strict=True))
            if "j <= k" in body:
                width = given[0].shape[1]
                own |= {"j": np.arange(1, width + 1), "k": np.asarray(width // 2)}
            return _value(_parsed(self._with_parts(body)), ChainMap(own, scope), lambda x: x)

        return function


class Scope(dict[str, Any]):
    """What names stand for; arrays are rounded when they are first asked for."""

    def __init__(self, values: dict[str, Any], rounded: Any) -> None:
        super().__init__(values)
        self.rounded, self.done = rounded, {"j", "k"}

    def __getitem__(self, name: str) -> Any:
        if name not in self.done and not callable(super().__getitem__(name)):
            self[name] = self.rounded(super().__getitem__(name))
            self.done.add(name)
        return super().__getitem__(name)


@lru_cache(maxsize=10_000)
def _parsed(expression: str) -> ast.expr:
    return ast.parse(expression, mode="eval").body


@lru_cache(maxsize=100_000)
def _name(node: ast.expr) -> str:
    return ast.unparse(node)


def _value(node: ast.expr, scope: Any, rounded: Any) -> Any:
    name = _name(node)
    if name in scope and not isinstance(node, ast.Constant):
        return scope[name]
    if isinstance(node, ast.Constant):
        return rounded(node.value)
    if isinstance(node, ast.Name):
        return FUNCTIONS[name]
    if isinstance(node, ast.Attribute):
        return _value(node.value, scope, rounded).T
    if isinstance(node, ast.UnaryOp):
        return -_value(node.operand, scope, rounded)
    if isinstance(node, ast.IfExp):
        return np.where(*(_value(part, scope, rounded) for part in (node.test, node.body, node.orelse)))
    if isinstance(node, ast.Call):
        function = _value(node.func, scope, rounded)
        return function(*(_value(argument, scope, rounded) for argument in node.args))
    if isinstance(node, ast.Compare):
        left, right = _value(node.left, scope, rounded), _value(node.comparators[0], scope, rounded)
        return COMPARISONS[type(node.ops[0])](left, right)
    assert isinstance(node, ast.BinOp), name
    left = _value(node.left, scope, rounded)
    if isinstance(node.op, ast.Pow):
        return left ** ast.literal_eval(node.right)
    return OPERATIONS[type(node.op)](left, _value(node.right, scope, rounded))


COMPARISONS: dict[type[ast.cmpop], Any] = {
    **{ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal}
}
OPERATIONS: dict[type[ast.operator], Any] = {
    **{ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.MatMult: np.matmul}
}
