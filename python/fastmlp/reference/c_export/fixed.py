"""A network in fixed point: how its formats are chosen, and the integer arithmetic that the C code does, in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import specs
from ..activations import Activation, LeakyRelu, activation_of, output_activation_of
from ..arrays import Array
from .forms import INTEGER_FORMS, Scales, rounding, shifted
from .tables import Table, make_table

if TYPE_CHECKING:
    from ..layers import Layers

# Bits of the accumulators, by those of the values. int64 keeps one bit in reserve.
SUM_BITS = {8: 32, 16: 63}

# Output activations that fixed point leaves out: it gives the net inputs of the last layer.
LEFT_OUT = ("softmax", "mean_variance", "exp")

# Smaller numbers than 2**-60 are zero.
MOST_FRACTION_BITS = 60

# Bits of the factor of a leaky relu, and the most of them behind the point.
SLOPE_BITS, MOST_SLOPE_BITS = 15, 24


@dataclass(frozen=True)
class FixedLayer:
    """A layer in integers. A weight stands for its value times 2**-weight_bits, a bias for its times 2**-sum_bits.

    Attributes
    ----------
    W : ndarray of int64, shape (n_in, n_out)
        Weights.
    b : ndarray of int64, shape (n_out,), or None
        Biases.
    activation : Activation
        What follows the sum.
    weight_bits : int
        Fraction bits of the weights.
    scales : Scales
        Fraction bits of sums and outputs.
    table : Table or None
        Values of the activation, if it has no integer form.
    """

    W: Array
    b: Array | None
    activation: Activation
    weight_bits: int
    scales: Scales
    table: Table | None

    def outputs(self, A: Array, bits: int) -> Array:
        """Return the layer's outputs as int64, as the C code computes them."""
        sums = _product(A, self.W, bits)
        if self.b is not None:
            sums = sums + self.b
        if self.table:
            v = self.table.look_up(shifted(sums, self.scales.sum_bits - self.table.z_bits))
        else:
            v = INTEGER_FORMS[self.activation.name].value(sums, self.scales)
        return saturated(v, bits)


@dataclass(frozen=True)
class FixedNetwork:
    """A network in integers of 8 or 16 bits."""

    layers: Sequence[FixedLayer]
    bits: int
    input_bits: int

    @property
    def out_bits(self) -> int:
        """Fraction bits of the outputs."""
        return self.layers[-1].scales.out_bits

    def outputs(self, A: Array) -> Array:
        """Return the integers that the C code computes of quantised inputs."""
        for layer in self.layers:
            A = layer.outputs(A, self.bits)
        return A


def saturated(v: Array, bits: int) -> Array:
    """Return v within what so many bits hold."""
    out: Array = np.clip(v, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    return out


def fraction_bits(values: Array, bits: int) -> int:
    """Return how many fraction bits give these values the least squared error, of two formats: one that just holds
    them, and one that saturates at the largest."""
    largest = float(np.abs(values).max())
    if largest == 0:
        return bits - 1
    finer = min(bits - 1 - math.ceil(math.log2(largest)), MOST_FRACTION_BITS)
    return min(
        (finer, finer - 1), key=lambda n: float(np.square(np.ldexp(quantised(values, n, bits), -n) - values).sum())
    )


def quantised(values: Array, n: int, bits: int) -> Array:
    """Return values as saturated integers with n fraction bits, halves rounded up, in float64."""
    return saturated(np.floor(np.ldexp(values, n) + 0.5), bits)


def left_out(network: Layers) -> bool:
    """Return whether fixed point gives the net inputs of the last layer in place of its outputs."""
    return output_activation_of(network.activations[-1]).name in LEFT_OUT


def forward(network: Layers, X: Array) -> tuple[list[Array], list[Array]]:
    """Return the net inputs and activations of every layer in float64, those of the inputs first."""
    Z, A = [X], [X.astype(np.float64)]
    for l, W in enumerate(network.weights):
        Z.append(A[-1] @ W.astype(np.float64) + (network.biases[l].astype(np.float64) if network.bias else 0))
        A.append(output_activation_of(network.activations[l]).value(Z[-1]))
    return Z, A


def quantise(network: Layers, X: Array, bits: int) -> FixedNetwork:
    """Return the network in fixed point, its formats chosen by what its layers give for X.

    Raises
    ------
    ValueError
        If a layer's sums do not fit the accumulators.
    """
    Z, A = forward(network, X)
    input_bits = n = fraction_bits(X, bits)
    layers = []
    for l, (W, spec) in enumerate(zip(network.weights, network.activations, strict=True), 1):
        last = l == len(network.weights) and left_out(network)
        activation = activation_of("linear" if last else spec)
        b = network.biases[l - 1].astype(np.float64) if network.bias else None
        seen = Z[l] if last else A[l]
        layers.append(_layer(f"layer {l}", W.astype(np.float64), b, activation, n, seen, bits))
        n = layers[-1].scales.out_bits
    return FixedNetwork(layers, bits, input_bits)


def _layer(
    where: str, W: Array, b: Array | None, activation: Activation, in_bits: int, seen: Array, bits: int
) -> FixedLayer:
    """Return a layer in fixed point whose accumulator provably cannot overflow."""
    if not np.isfinite(seen).all():
        raise ValueError(f"{where}: its outputs overflow for the rows of calibration: there is no format for them")
    out_bits, weight_bits = fraction_bits(seen, bits), fraction_bits(W, bits)
    if in_bits + weight_bits < 0:
        raise ValueError(
            f"{where}: its sums would count in units of {2.0 ** -(in_bits + weight_bits):g}: {_advice(bits)}"
        )
    for n in range(weight_bits, max(weight_bits - bits // 2, -in_bits) - 1, -1):
        W_fixed = quantised(W, n, bits).astype(np.int64)
        b_fixed = None if b is None else _fixed_bias(b, in_bits + n)
        bound = _bound(W_fixed, b_fixed, bits)
        sum_bits, table = in_bits + n, None
        if activation.name in INTEGER_FORMS:
            scales = _scales(where, activation, sum_bits, min(out_bits, sum_bits))
        else:
            scales = Scales(sum_bits, out_bits)
            table = make_table(activation, bits, out_bits, sum_bits, math.ldexp(bound, -sum_bits))
        shift = scales.sum_bits - table.z_bits if table else scales.shift
        if shift < SUM_BITS[bits] and bound + rounding(shift) < 2 ** (SUM_BITS[bits] - 1):
            if not table:
                _check_int64(where, activation, scales, bound)
            return FixedLayer(W_fixed, b_fixed, activation, n, scales, table)
    # Beyond that, half of the weights' bits would be lost.
    raise ValueError(
        f"{where}: its sums could overflow, as its biases are far larger than its weights: {_advice(bits)}"
    )


def _fixed_bias(b: Array, sum_bits: int) -> Array:
    """Return biases as int64; those that no accumulator holds stay too large for one."""
    with np.errstate(over="ignore"):
        return np.clip(np.floor(np.ldexp(b, sum_bits) + 0.5), -(2.0**62), 2.0**62).astype(np.int64)


def _bound(W: Array, b: Array | None, bits: int) -> int:
    """Return the largest size that a sum, or a part of it, can have."""
    of_weights = np.abs(W).sum(axis=0).tolist()
    of_biases = np.abs(b).tolist() if b is not None else [0] * len(of_weights)
    return max((int(w) << (bits - 1)) + int(v) for w, v in zip(of_weights, of_biases, strict=True))


def _scales(where: str, activation: Activation, sum_bits: int, out_bits: int) -> Scales:
    if not isinstance(activation, LeakyRelu):
        return Scales(sum_bits, out_bits)
    slope = activation.slope
    n = SLOPE_BITS - math.frexp(slope)[1] if slope else 0
    n = min(n, MOST_SLOPE_BITS)
    if n < 0:
        raise ValueError(f"{where}: {specs.text(activation)} is too steep for fixed point: 2**{SLOPE_BITS} is the most")
    return Scales(sum_bits, out_bits, min(round(slope * 2**n), 2**SLOPE_BITS - 1), n)


def _check_int64(where: str, activation: Activation, scales: Scales, bound: int) -> None:
    """Raise ValueError if an integer form could overflow an int64."""
    largest = bound
    if activation.name == "leaky_relu":
        largest = bound * scales.slope + rounding(scales.shift + scales.slope_bits)
    elif activation.name == "softsign":
        largest = bound * (1 << max(scales.out_bits, 0)) + bound + (1 << scales.sum_bits)
    if largest >= 2**63 or scales.shift + scales.slope_bits > 62:
        raise ValueError(
            f"{where}: {specs.text(activation)} of its sums, which could reach {bound}, overflows an int64"
        )


def _advice(bits: int) -> str:
    wider = "take kind='int16' or 'float32'" if bits == 8 else "take kind='float32'"
    return f"standardise the inputs and train again, or {wider}"


def _product(A: Array, W: Array, bits: int) -> Array:
    """Return A @ W of int64. Doubles do it faster, and exactly, as long as no sum can leave their 53 bits."""
    if int(np.abs(W).sum(axis=0).max()) << (bits - 1) < 2**53:
        return (A.astype(np.float64) @ W.astype(np.float64)).astype(np.int64)
    return A @ W
