"""exp, log, sigmoid and tanh of the kernels, against NumPy.

Of float32, every number is compared for the best instruction set that runs here, and every 64th for the others;
FASTMLP_EXHAUSTIVE=1 compares every number for all of them, which takes about a minute for each.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from fastmlp import _core
from fastmlp.reference.arrays import Array

BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}
CHUNK = 1 << 21


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)) without loss for large negative x."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


# Per function: what NumPy computes, and how far from its rounded result the kernels may be.
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], int]] = {
    "exp": (np.exp, 1),
    "log": (np.log, 1),
    "sigmoid": (sigmoid, 2),
    "tanh": (np.tanh, 3),
}


def distance(a: Array, b: Array) -> Array:
    """Return by how many units in the last place a and b differ."""
    integer: Any = BITS[a.dtype]
    low = np.iinfo(integer).min

    def ordered(x: Array) -> Array:  # the numbers' order, with -0 and 0 in one place
        i = x.view(integer)
        return np.where(i < 0, low - i, i)

    return np.abs(ordered(a) - ordered(b))


def all_within(a: Array, b: Array, bound: int) -> bool:
    """Tell quickly whether numbers, none of them NaN, are near each other by their bits; False says nothing."""
    if np.isnan(a).any() or np.isnan(b).any():
        return False
    unsigned: Any = np.dtype(f"u{a.dtype.itemsize}")
    apart = a.view(unsigned) - b.view(unsigned)
    apart += unsigned.type(bound)
    return bool(apart.max() <= 2 * bound)


def normal(x: Array) -> Array:
    return (np.abs(x) >= np.finfo(x.dtype).tiny) | (x == 0)


def worst(name: str, x: Array) -> int:
    """Return no less than the largest distance over x, of results that are in the normal range."""
    exact_function, bound = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        exact = exact_function(x.astype(np.float64 if x.dtype == np.float32 else np.longdouble)).astype(x.dtype)
    got = _core.vector_function(name, x)
    if all_within(got, exact, bound):
        return bound
    assert np.array_equal(np.isnan(got), np.isnan(exact))
    below = ~normal(exact)
    assert np.all(np.abs(got[below]) <= np.finfo(x.dtype).tiny)
    return int(np.where(below | np.isnan(exact), 0, distance(got, exact)).max())


def worst_of_all(pool: ThreadPoolExecutor, of: Callable[[Array], int], first: int, last: int, step: int) -> int:
    """Return the largest of of(x) for the float32 numbers whose bits are first, first + step .. last."""

    def of_chunk(start: int) -> int:
        end = min(start + CHUNK * step, last + 1)
        return of(np.arange(start, end, step, dtype=np.uint32).view(np.float32))

    return max(pool.map(of_chunk, range(first, last + 1, CHUNK * step)))


def bits(x: float) -> int:
    return int(np.float32(x).view(np.uint32))


# Magnitudes outside these have results that say themselves: checked for every number too, without NumPy's functions.
RANGES = {"exp": (2.0**-26, 104.0), "log": (0.0, np.inf), "sigmoid": (2.0**-25, 104.0), "tanh": (2.0**-13, 10.0)}


def trivially(name: str, x: Array) -> Array:
    """Return the results for numbers outside RANGES."""
    small = np.abs(x) < 1
    if name == "tanh":
        return np.where(small, x, np.sign(x))
    if name == "exp":
        return np.where(small, 1, np.where(x > 0, np.inf, 0))
    return np.where(small, 0.5, np.where(x > 0, 1, 0))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_float32(simd: str, name: str) -> None:
    every = simd == _core.simd_available()[-1] or "FASTMLP_EXHAUSTIVE" in os.environ
    step = 1 if every else 64
    low, high = RANGES[name]

    def compare(x: Array) -> int:
        return worst(name, x)

    def compare_trivial(x: Array) -> int:
        got, exact = _core.vector_function(name, x), trivially(name, x).astype(np.float32)
        return FUNCTIONS[name][1] if all_within(got, exact, FUNCTIONS[name][1]) else int(distance(got, exact).max())

    signs = [0] if name == "log" else [0, 1 << 31]
    with ThreadPoolExecutor(2) as pool:
        for sign in signs:
            assert worst_of_all(pool, compare, sign + bits(low), sign + bits(high), step) <= FUNCTIONS[name][1]
            if name == "log":
                continue
            # Of the numbers that say themselves a part is enough: they only differ in their last bits.
            for first, last in ((0, bits(low) - 1), (bits(high), bits(np.inf))):
                assert worst_of_all(pool, compare_trivial, sign + first, sign + last, step * 8) <= FUNCTIONS[name][1]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_over_all_exponents(simd: str, name: str, rng: np.random.Generator) -> None:
    x = rng.integers(0, np.float64(np.inf).view(np.int64), 1_000_000).view(np.float64)
    x = np.concatenate([x, 10 ** rng.uniform(-17, 3, 1_000_000), rng.uniform(0.5, 2, 500_000)])
    assert worst(name, x if name == "log" else np.concatenate([x, -x])) <= FUNCTIONS[name][1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("exp", [-np.inf, -0.0, 0.0, np.inf, 1e4, -1e4], [0, 1, 1, np.inf, np.inf, 0]),
        ("log", [0.0, -0.0, 1.0, np.inf, -1.0, -np.inf], [-np.inf, -np.inf, 0, np.inf, np.nan, np.nan]),
        ("sigmoid", [-np.inf, -0.0, 0.0, np.inf], [0, 0.5, 0.5, 1]),
        ("tanh", [-np.inf, -0.0, 0.0, np.inf], [-1, -0.0, 0, 1]),
    ],
)
def test_special_values(simd: str, name: str, x: list[float], expected: list[float], dtype: Any) -> None:
    got = _core.vector_function(name, np.array([*x, np.nan], dtype))
    assert np.array_equal(got, np.array([*expected, np.nan], dtype), equal_nan=True)
    assert np.array_equal(np.signbit(got[:-1]), np.signbit(np.array(expected, dtype))) or np.isnan(expected).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_stays_with_any_sign_and_payload(simd: str, dtype: Any, rng: np.random.Generator) -> None:
    bits_of = BITS[np.dtype(dtype)]
    inf = np.array(np.inf, dtype).view(bits_of)
    nan = rng.integers(inf + 1, np.iinfo(bits_of).max, 1000, bits_of, endpoint=True)
    x = np.concatenate([nan, nan | np.iinfo(bits_of).min]).view(dtype)
    for name in FUNCTIONS:
        assert np.isnan(_core.vector_function(name, x)).all()


@pytest.mark.parametrize(("dtype", "one_from"), [(np.float32, 10), (np.float64, 22)])
def test_tanh_is_odd_and_never_above_1(simd: str, dtype: Any, one_from: float, rng: np.random.Generator) -> None:
    x = rng.uniform(0, 1.2 * one_from, 2_000_000).astype(dtype)
    got = _core.vector_function("tanh", x)
    assert got.max() == 1
    assert np.all(got[x >= one_from] == 1)
    assert np.array_equal(_core.vector_function("tanh", -x), -got)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_and_arguments_below_the_normal_range(simd: str, dtype: Any) -> None:
    tiny = np.finfo(dtype).tiny
    below = np.geomspace(np.finfo(dtype).smallest_subnormal * 4, tiny, 1000).astype(dtype)
    log = _core.vector_function("log", below)
    assert distance(log, np.log(below.astype(np.longdouble)).astype(dtype)).max() <= 1
    x = np.log(below.astype(np.longdouble)).astype(dtype)
    exact = np.exp(x.astype(np.longdouble)).astype(dtype)
    assert distance(_core.vector_function("exp", x), exact).max() <= 2


def test_unknown_functions_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown name 'sinh'"):
        _core.vector_function("sinh", np.ones(3, np.float32))
