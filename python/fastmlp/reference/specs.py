"""Names with parameters, such as ``"leaky_relu(0.2)"``: how they are read and written."""

from __future__ import annotations

import ast
import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from . import checks

T = TypeVar("T")

# Longer ones are no names.
LONGEST = 500

_SPEC = re.compile(r"\s*(\w+)\s*(?:\((.*)\))?\s*", re.DOTALL)


def make(spec: object, known: Mapping[str, type[T]], what: str) -> T:
    """Return an object of the class that the spec's name stands for, with the parameters that follow it.

    Parameters
    ----------
    spec : str
        A name, or a name and numbers in parentheses, with or without their names: "huber",
        "huber(1.5)", "huber(delta=1.5)".
    known : mapping
        Classes by their names: dataclasses, whose fields are the parameters.
    what : str
        What it is, for errors.

    Raises
    ------
    TypeError, ValueError
        If the name is unknown or a parameter is wrong; the message says which.
    """
    match = _SPEC.fullmatch(spec) if isinstance(spec, str) and len(spec) <= LONGEST else None
    chosen = checks.find(match[1] if match else spec, known, what)
    try:
        # The text of a call, of which nothing is run: its arguments have to be plain numbers.
        call = ast.parse(f"f({match[2] or ''})" if match else "f()", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise ValueError
        values = [_number(node) for node in call.args]
        named = {str(keyword.arg): _number(keyword.value) for keyword in call.keywords}
        if len(named) < len(call.keywords):
            raise ValueError
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{what} {spec!r}: after a name come numbers, such as 'name(0.5)'") from None
    try:
        return chosen(*values, **named)
    except TypeError:
        raise ValueError(f"{what} {spec!r}: {_usage(chosen)}") from None
    except ValueError as error:
        raise ValueError(f"{what} {spec!r}: {error}") from None


def text(made: Any) -> str:
    """Return the spec of what ``make`` made; parameters are left out where they have their defaults."""
    if made == type(made)():
        return str(made.name)
    return f"{made.name}({', '.join(map(_written, parameters(made)))})"


def parameters(made: Any) -> tuple[float, ...]:
    """Return the parameters in their order; a field that holds several counts as several."""
    values: list[float] = []
    for field in dataclasses.fields(made):
        value = getattr(made, field.name)
        values += value if isinstance(value, tuple) else (value,)
    return tuple(values)


def _number(node: ast.expr) -> float:
    sign = 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1.0, node.operand
    if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        raise ValueError
    try:
        return sign * float(node.value)  # type: ignore[arg-type]  # a number, as just seen
    except OverflowError:
        return sign * math.inf


def _written(value: float) -> str:
    """Return a number in the fewest digits that stand for it."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _usage(chosen: type[Any]) -> str:
    names = [field.name for field in dataclasses.fields(chosen)]
    if names == ["levels"]:
        return "its levels are numbers without names, such as 'quantile(0.1, 0.9)'"
    return f"its parameters are {', '.join(names)}" if names else "it takes no parameters"
