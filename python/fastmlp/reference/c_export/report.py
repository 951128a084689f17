"""What an export tells of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CReport:
    """What a header computes, measured on calibration data against the network in float64.

    The C arithmetic is followed step by step in NumPy. In fixed point that is the same to the last bit; in floating
    point the functions of <math.h> may differ in the last place.

    Attributes
    ----------
    kind : str
        "float32", "float64", "int16" or "int8".
    n_rows : int
        Rows that it was measured on.
    max_error, rms_error : float
        Largest and root mean squared difference of an output. Where fixed point gives the net inputs of the last
        layer in place of its outputs, of those.
    agreement : float or None
        For classifiers the share of rows whose class is the same.
    data_bytes : int
        Bytes of the const arrays that predict reads: weights, biases, tables, scaling in floating point.
    stack_bytes : int
        Bytes of the arrays that predict has on the stack.
    """

    kind: str
    n_rows: int
    max_error: float
    rms_error: float
    agreement: float | None
    data_bytes: int
    stack_bytes: int
