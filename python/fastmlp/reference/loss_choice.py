"""What may be passed as ``loss``: the spec of a loss that is known, or a function of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import specs
from .arrays import Array
from .links import LINKS
from .losses import LOSSES, Loss

# What names a loss: a spec, or a function of Y_hat and Y that returns losses and derivatives.
LossSpec = str | Callable[[Array, Array], tuple[Any, Any]]


@dataclass(frozen=True)
class CustomLoss(Loss):
    """A user's own: a function of Y_hat and Y that gives the loss of each sample and its derivatives by Y_hat."""

    name = "custom"
    function: Callable[[Array, Array], tuple[Any, Any]]

    def both(self, out: Array, Y: Array) -> tuple[Array, Array]:
        """Return value and derivative, checked."""
        try:
            value, slope = self.function(out, Y)
        except (TypeError, ValueError) as error:
            if error.__traceback__ and error.__traceback__.tb_next:
                raise
            raise TypeError(
                f"loss {self.function!r} must give a pair: losses (n,) and derivatives (n, n_out)"
            ) from None
        value, slope = np.asarray(value, out.dtype), np.ascontiguousarray(slope, out.dtype)
        for what, array, shape in (("losses", value, out.shape[:1]), ("derivatives", slope, out.shape)):
            if array.shape != shape:
                raise ValueError(f"loss {self.function!r} gave {what} of shape {array.shape}, not {shape}")
        return value, slope

    def value(self, out: Array, Y: Array) -> Array:
        return self.both(out, Y)[0]

    def derivative(self, out: Array, Y: Array) -> Array:
        return self.both(out, Y)[1]


def loss_of(spec: object, output_activation: str) -> Loss:
    """Return the loss that a spec, or a function, stands for at the end of a network with that output activation.

    Raises
    ------
    ValueError, TypeError
        If there is no such loss, or it does not go with the output activation.
    """
    if callable(spec):
        return CustomLoss(spec)
    same_link = [loss for loss in LOSSES.values() if loss.link == output_activation]
    known = {loss.name: loss for loss in (*LOSSES.values(), *same_link)}
    loss = specs.make(spec, known, "loss")
    if loss.link is None and output_activation in LINKS:
        right = ", ".join(f"loss={other.name!r}" for other in same_link)
        raise ValueError(f"loss {spec!r} cannot be taken through output_activation={output_activation!r}: use {right}")
    if loss.link not in (None, output_activation):
        links = " or ".join(repr(other.link) for other in LOSSES.values() if other.name == loss.name)
        raise ValueError(f"loss {spec!r} needs a network with output_activation={links}, not {output_activation!r}")
    return loss
