"""What activations are in C: the one place where a new one gets its form.

Every activation has a form in floating point. A few have one in integers too; the others are looked up in fixed point,
in a table that is made from the activation itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation
from ..arrays import Array
from .text import real

# An expression of z. In <> stand constants: numbers, or what the class of the activation calls them.
REAL_FORMS: dict[str, str] = {
    "linear": "z",
    "sigmoid": "<1> / (<1> + exp(-z))",
    "relu": "z < <0> ? <0> : z",
    "tanh": "tanh(z)",
    "leaky_relu": "z < <0> ? <slope> * z : z",
    "elu": "z > <0> ? z : <alpha> * expm1(z)",
    "selu": "z > <0> ? <scale> * z : <scale * alpha> * expm1(z)",
    "gelu": "z * (<0.5> * erfc(z * <-0.7071067811865476>))",
    "gelu_tanh": "z / (<1> + exp(-z * (<root> + <root * cubic> * z * z)))",
    "silu": "z / (<1> + exp(-z))",
    "mish": "z * tanh(fmax(z, <0>) + log1p(exp(-fabs(z))))",
    "softplus": "fmax(z, <0>) + log1p(exp(-fabs(z)))",
    "softsign": "z / (<1> + fabs(z))",
    "hard_tanh": "z < <-1> ? <-1> : z > <1> ? <1> : z",
    "sin": "sin(z)",
    "exp": "exp(z)",
}

# The activations of whole rows: what is done with n net inputs in `a`.
LINK_FORMS: dict[str, str] = {
    "softmax": """\
  {real} largest = a[0], sum = <0>;
  for (int j = 1; j < {n}; ++j) largest = a[j] > largest ? a[j] : largest;
  for (int j = 0; j < {n}; ++j) sum += a[j] = exp(a[j] - largest);
  for (int j = 0; j < {n}; ++j) a[j] /= sum;
""",
    "mean_variance": """\
  for (int j = {n} / 2; j < {n}; ++j) a[j] = exp(a[j]);
""",
}

_FUNCTION = re.compile(r"\b(exp|expm1|log1p|tanh|sin|erfc|fabs|fmax)\(")


def real_form(activation: Activation, dtype: np.dtype[Any]) -> str:
    """Return the C expression of an activation of z, in float or double."""
    return _in_precision(REAL_FORMS[activation.name], dtype, activation)


def link_form(name: str, dtype: np.dtype[Any], n: int, buffer: str) -> str:
    """Return the C statements of an activation of whole rows, for n net inputs in a buffer."""
    text = re.sub(r"\ba\b", buffer, LINK_FORMS[name])
    text = text.replace("{real}", "float" if dtype == np.float32 else "double").replace("{n}", str(n))
    return _in_precision(text, dtype, None)


def _in_precision(form: str, dtype: np.dtype[Any], activation: Activation | None) -> str:
    def constant(match: re.Match[str]) -> str:
        factors = match[1].split(" * ")
        return real(math.prod(getattr(activation, f) if f.isidentifier() else float(f) for f in factors), dtype)

    text = re.sub(r"<(-?\w[\w. *]*)>", constant, form)
    return _FUNCTION.sub(r"\1f(", text) if dtype == np.float32 else text


@dataclass(frozen=True)
class Scales:
    """How a sum becomes an output: the fraction bits of both, and the factor of a leaky relu.

    Attributes
    ----------
    sum_bits, out_bits : int
        A sum stands for its value times 2**-sum_bits, an output for its times 2**-out_bits; of
        integer forms, out_bits <= sum_bits.
    slope, slope_bits : int
        What a negative sum is multiplied by: slope * 2**-slope_bits.
    """

    sum_bits: int
    out_bits: int
    slope: int = 0
    slope_bits: int = 0

    @property
    def shift(self) -> int:
        """By how much a sum is shifted."""
        return self.sum_bits - self.out_bits


@dataclass(frozen=True)
class IntegerForm:
    """An activation in integers, twice: as C and in NumPy, to the same bits. The output is not saturated yet.

    Attributes
    ----------
    c : str
        An expression of ``sum``; in <> stand the names of ``numbers``.
    value : callable
        The same of an array of int64.
    """

    c: str
    value: Callable[[Array, Scales], Array]


def rounding(shift: int) -> int:
    """Return what is added before a shift to the right, so that it rounds to the nearest, and halves up."""
    return 1 << shift >> 1


def shifted(v: Array, shift: int) -> Array:
    """Return v * 2**-shift, rounded."""
    out: Array = (v + rounding(shift)) >> shift
    return out


def numbers(scales: Scales) -> dict[str, int]:
    """Return the constants of integer forms, by name."""
    steep = scales.shift + scales.slope_bits
    return {
        "shift": scales.shift,
        "round": rounding(scales.shift),
        "one": 1 << max(scales.out_bits, 0),
        "unit": 1 << scales.sum_bits,
        "slope": scales.slope,
        "slope_shift": steep,
        "slope_round": rounding(steep),
    }


def _leaky_relu(v: Array, scales: Scales) -> Array:
    steep = shifted(v * scales.slope, scales.shift + scales.slope_bits)
    return np.where(v < 0, steep, shifted(v, scales.shift))


def _hard_tanh(v: Array, scales: Scales) -> Array:
    one = numbers(scales)["one"]
    out: Array = np.clip(shifted(v, scales.shift), -one, one)
    return out


def _softsign(v: Array, scales: Scales) -> Array:
    size, one = np.abs(v), numbers(scales)["one"]
    whole = size + (1 << scales.sum_bits)
    out: Array = np.sign(v) * ((size * one + whole // 2) // whole)
    return out


INTEGER_FORMS: dict[str, IntegerForm] = {
    "linear": IntegerForm("(sum + <round>) >> <shift>", lambda v, s: shifted(v, s.shift)),
    "relu": IntegerForm("sum < 0 ? 0 : (sum + <round>) >> <shift>", lambda v, s: shifted(np.maximum(v, 0), s.shift)),
    "leaky_relu": IntegerForm(
        "sum < 0 ? ((int64_t)sum * <slope> + <slope_round>) >> <slope_shift> : (sum + <round>) >> <shift>", _leaky_relu
    ),
    "hard_tanh": IntegerForm("PREFIX_clip((sum + <round>) >> <shift>, <one>)", _hard_tanh),
    "softsign": IntegerForm("PREFIX_softsign(sum, <unit>, <one>)", _softsign),
}

# The C functions that integer forms call.
INTEGER_FUNCTIONS: dict[str, str] = {
    "hard_tanh": """\
static inline SUM PREFIX_clip(SUM v, SUM one) {
  return v > one ? one : v < -one ? -one : v;
}
""",
    "softsign": """\
static inline int64_t PREFIX_softsign(int64_t sum, int64_t unit, int64_t one) {
  const int64_t size = sum < 0 ? -sum : sum, whole = unit + size;
  const int64_t v = (size * one + whole / 2) / whole;
  return sum < 0 ? -v : v;
}
""",
}


def integer_form(name: str, scales: Scales, number: Callable[[int], str]) -> str:
    """Return the C expression of an activation of ``sum``; ``number`` writes a constant."""
    values = numbers(scales)
    shifts = ("shift", "slope_shift")

    def constant(match: re.Match[str]) -> str:
        value = values[match[1]]
        return str(value) if match[1] in shifts else number(value)

    return re.sub(r"<(\w+)>", constant, INTEGER_FORMS[name].c).replace("(sum + 0) >> 0", "sum")
