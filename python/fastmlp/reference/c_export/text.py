"""Pieces of C: numbers, arrays, strings and comments."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..arrays import Array

WIDTH = 100


def real(value: float, dtype: np.dtype[Any]) -> str:
    """Return a floating-point constant, in the fewest decimal digits that stand for exactly that number."""
    with np.errstate(over="ignore"):
        number = dtype.type(value)
    if np.isnan(number):
        return "NAN"
    if not np.isfinite(number):
        raise ValueError(f"{value} is too large for {dtype.name}")
    return str(number) + ("f" if dtype == np.float32 else "")


def integer(value: int, c_type: str) -> str:
    """Return an integer constant of a type."""
    return f"INT64_C({value})" if c_type == "int64_t" else str(value)


def array(c_type: str, name: str, values: Array) -> str:
    """Return the definition of a const array of one or two dimensions."""
    sizes = "".join(f"[{n}]" for n in values.shape)
    rows = values if values.ndim == 2 else values[np.newaxis]
    texts = [_row([_number(v, c_type) for v in row]) for row in rows]
    if values.ndim == 2:
        texts = [f"  {{\n{text}\n  }}" for text in texts]
    return f"static const {c_type} {name}{sizes} = {{\n" + ",\n".join(texts) + "\n};\n"


def _number(value: Any, c_type: str) -> str:
    return real(value, value.dtype) if c_type in ("float", "double") else integer(int(value), c_type)


def _row(numbers: Iterable[str]) -> str:
    return textwrap.fill(", ".join(numbers), WIDTH, initial_indent="    ", subsequent_indent="    ")


def string(text: str) -> str:
    """Return a string constant; what is not plain ASCII is written as octal bytes of UTF-8."""
    plain = (chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())
    return '"' + "".join(plain) + '"'


def comment(lines: Iterable[str]) -> str:
    """Return a block comment; an empty line stays empty."""
    out = ["/*"]
    for line in lines:
        clean = line.encode("ascii", "backslashreplace").decode().replace("*/", "* /").replace("/*", "/ *")
        hang = " " * (len(clean) - len(clean.lstrip()))
        out += textwrap.wrap(clean.replace("\n", " "), WIDTH - 3, subsequent_indent=hang + "  ") or [""]
    return "\n * ".join(out).replace(" * \n", " *\n") + "\n */\n"


def labels(name: str, values: Sequence[object]) -> str:
    """Return the array of the labels of classes: of integers if all are, otherwise of strings."""
    if are_integers(values):
        return array("int32_t", name, np.array([int(v) for v in values]))  # type: ignore[call-overload]  # numbers
    texts = ", ".join(string(str(v)) for v in values)
    return f"static const char *const {name}[{len(values)}] = {{{texts}}};\n"


def are_integers(values: Sequence[object]) -> bool:
    """Return whether all labels are whole numbers that an int32 holds."""
    return all(
        isinstance(v, (int, float, np.integer, np.floating))
        and not isinstance(v, bool)
        and abs(v) < 2**31
        and v == int(v)
        for v in values
    )


def check_name(name: object) -> str:
    """Return a prefix of C names, if it is one."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, not {name!r}")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(f"name {name!r} must be a C identifier: a letter, then letters, digits and underscores")
    return name


def named(code: str, name: str) -> str:
    """Return code with a name in the place of PREFIX, and in capitals in that of UPPER."""
    return re.sub(r"\b(PREFIX|UPPER)_", lambda match: (name if match[1] == "PREFIX" else name.upper()) + "_", code)
