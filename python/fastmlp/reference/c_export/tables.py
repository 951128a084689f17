"""Tables of activations in fixed point, looked up with linear interpolation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..activations import Activation
from ..arrays import Array
from .forms import shifted

# Bits of a net input that is looked up, by those of the outputs, and how much finer the table's values are than the
# outputs: where int8 saturates, they still have room.
INPUT_BITS = {8: 16, 16: 20}
FINER_BITS = {8: 7, 16: 0}

# A table has 2**k intervals. Above the most, precision is lost: the report says how much.
FEWEST, MOST = 5, 11

# Points at which a tail is compared with its end, and points within each interval.
TAIL_POINTS, INNER_POINTS = 257, 8


@dataclass(frozen=True)
class Table:
    """An activation at 2**k + 1 net inputs, from -2**(input_bits - 1) on.

    Attributes
    ----------
    values : ndarray of int16
        The activation, times 2**(out_bits + finer).
    input_bits, z_bits : int
        Bits of the net input that is looked up, and how many of them are fraction bits.
    step_bits : int
        Bits within an interval.
    finer : int
        How many fraction bits the values have beyond those of the outputs.
    """

    values: Array
    input_bits: int
    z_bits: int
    step_bits: int
    finer: int

    @property
    def largest(self) -> int:
        """The largest net input."""
        return (1 << (self.input_bits - 1)) - 1

    def look_up(self, z: Array) -> Array:
        """Return the activation at net inputs, int64, not saturated yet: what the C code computes."""
        u = np.clip(z, -self.largest - 1, self.largest) + (self.largest + 1)
        i, rest = u >> self.step_bits, u & ((1 << self.step_bits) - 1)
        t = self.values.astype(np.int64)
        return shifted((t[i] << self.step_bits) + (t[i + 1] - t[i]) * rest, self.step_bits + self.finer)


def make_table(activation: Activation, bits: int, out_bits: int, sum_bits: int, z_bound: float) -> Table:
    """Return the smallest table that is as good as outputs of so many bits can show.

    Parameters
    ----------
    activation : Activation
        What is tabulated.
    bits, out_bits : int
        Bits of an output, and how many of them are fraction bits.
    sum_bits : int
        Fraction bits of the sums from which net inputs come: those have no more.
    z_bound : float
        No net input is larger.
    """
    input_bits = INPUT_BITS[bits]
    z_bits = min(input_bits - 1 - _range(activation, bits, out_bits, z_bound), sum_bits)
    end = 2.0 ** (input_bits - 1 - z_bits)
    finer = FINER_BITS[bits]
    for k in range(FEWEST, MOST + 1):
        values = _saturated(activation, np.linspace(-end, end, 2**k + 1), out_bits + finer, 16)
        table = Table(np.rint(values).astype(np.int16), input_bits, z_bits, input_bits - k, finer)
        if _fits(table) and _error(activation, k, end, z_bound, bits, out_bits) <= 0.5:
            break
    return table


def _range(activation: Activation, bits: int, out_bits: int, z_bound: float) -> int:
    """Return the smallest m so that beyond -2**m and 2**m the output changes by less than half a unit, or no net input
    is there."""
    m = -30
    while 2.0**m < z_bound and not all(
        _levels_off(activation, end, bits, out_bits, z_bound) for end in (-(2.0**m), 2.0**m)
    ):
        m += 1
    return m


def _levels_off(activation: Activation, end: float, bits: int, out_bits: int, z_bound: float) -> bool:
    tail = _saturated(activation, np.copysign(np.geomspace(abs(end), z_bound, TAIL_POINTS), end), out_bits, bits)
    return bool((np.abs(tail - tail[0]) < 0.5).all())


def _error(activation: Activation, k: int, end: float, z_bound: float, bits: int, out_bits: int) -> float:
    """Return the largest error of linear interpolation, in units of the output, where net inputs can be."""
    z = np.linspace(-end, end, 2**k * INNER_POINTS + 1)
    exact = _saturated(activation, z, out_bits, bits)
    lines = np.interp(
        z, z[::INNER_POINTS], _saturated(activation, z[::INNER_POINTS], out_bits, bits + FINER_BITS[bits])
    )
    lines = np.clip(lines, -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)
    return float(np.abs(exact - lines)[np.abs(z) <= z_bound + end / 2**k].max())


def _saturated(activation: Activation, z: Array, out_bits: int, bits: int) -> Array:
    """Return the activation in units of 2**-out_bits, within what so many bits hold, not rounded."""
    with np.errstate(over="ignore"):
        values: Array = np.ldexp(activation.value(z), out_bits)
    return np.clip(values, -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)


def _fits(table: Table) -> bool:
    """Return whether no intermediate result of a look-up can leave an int32."""
    t = table.values.astype(np.int64)
    largest = max(np.abs(t).max(), np.abs(np.diff(t)).max())
    return bool((int(largest) << table.step_bits) + (1 << (table.step_bits + table.finer)) < 2**31)
