"""Losses: the error of one sample, and its derivative with respect to the output.

Each class is the twin of the struct of the same name in ``cpp/ops/losses.h``.
"""

from __future__ import annotations

from .arrays import Array


class SquaredError:
    """1/2 * sum over outputs of (Y_hat - Y)^2."""

    name = "squared_error"

    @staticmethod
    def value(Y_hat: Array, Y: Array) -> Array:
        """Return the loss of each sample, shape (n,)."""
        residual = Y_hat - Y
        loss: Array = 0.5 * (residual * residual).sum(axis=1)
        return loss

    @staticmethod
    def derivative(Y_hat: Array, Y: Array) -> Array:
        """Return d loss / d Y_hat of each sample, shape (n, n_out)."""
        return Y_hat - Y


Loss = type[SquaredError]

LOSSES: dict[str, Loss] = {SquaredError.name: SquaredError}
