"""Steps whose size does not depend on the size of the gradient: Lion and iRprop+."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .. import checks
from ..arrays import Array
from .base import Optimizer


@dataclass(repr=False)
class Lion(Optimizer):
    """Lion: steps of one size, along the sign of a mean of gradients.

    W <- W - learning_rate * sign(beta_1 * m + (1 - beta_1) * dW); then m <- beta_2 * m + (1 - beta_2) * dW.
    Learning rates are three to ten times smaller than Adam's, and weight_decay as much larger.

    Parameters
    ----------
    learning_rate : float, default 0.0001
        Step size, above 0.
    beta_1, beta_2 : float, default 0.9 and 0.99
        Decay of the mean that gives the direction, and of the one that is kept, in [0, 1).
    **penalties
        l1, l2, weight_decay, decay_biases, clip_value, clip_norm, max_norm and schedule: see
        :class:`fastmlp.Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If a hyperparameter is outside its range.

    References
    ----------
    X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.Lion(weight_decay=0.1)
    Lion(learning_rate=0.0001, beta_1=0.9, beta_2=0.99, weight_decay=0.1)
    """

    learning_rate: float = 0.0001
    beta_1: float = 0.9
    beta_2: float = 0.99

    HYPERPARAMETERS: ClassVar[tuple[str, ...]] = ("learning_rate", "beta_1", "beta_2")

    def check(self) -> None:
        super().check()
        checks.number(self.beta_1, "beta_1", 0, 1)
        checks.number(self.beta_2, "beta_2", 0, 1)

    @property
    def rule(self) -> str:
        return "lion"

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("m",)

    def step(self, W: Array, dW: Array, learning_rate: float, rose: bool) -> None:
        real, m = W.dtype.type, self.slots[0]
        W -= real(learning_rate) * np.sign(real(self.beta_1) * m + real(1 - self.beta_1) * dW)
        m[:] = real(self.beta_2) * m + real(1 - self.beta_2) * dW


@dataclass(repr=False)
class Rprop(Optimizer):
    """iRprop+: every parameter has a step size of its own, which follows the signs of its gradients.

    Where dW has the sign that it had in the last step, size <- min(increase * size, largest). Where the
    sign has changed, size <- max(decrease * size, smallest), the last step is taken back if the loss rose,
    and there is no other step; the next one keeps its size. Otherwise W <- W - sign(dW) * size. Noise would
    change signs, so batches are all rows (``batch_size=None``). The loss is that of the data, without
    penalties.

    Parameters
    ----------
    learning_rate : float, default 0.0125
        Size of the first step, above 0. There is no schedule and no weight_decay, which need a learning rate.
    decrease, increase : float, default 0.5 and 1.2
        Factors of a step size, in (0, 1) and above 1.
    smallest, largest : float, default 0.0 and 50.0
        Bounds of the step sizes, with smallest <= learning_rate <= largest.
    **penalties
        l1, l2, decay_biases, clip_value, clip_norm and max_norm: see :class:`fastmlp.Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If a hyperparameter is outside its range.

    References
    ----------
    C. Igel, M. Huesken, "Empirical evaluation of the improved Rprop learning algorithms",
    Neurocomputing 50, 2003.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.Rprop()
    Rprop(learning_rate=0.0125, decrease=0.5, increase=1.2, smallest=0.0, largest=50.0)
    """

    learning_rate: float = 0.0125
    decrease: float = 0.5
    increase: float = 1.2
    smallest: float = 0.0
    largest: float = 50.0

    HYPERPARAMETERS: ClassVar[tuple[str, ...]] = ("learning_rate", "decrease", "increase", "smallest", "largest")
    FULL_BATCH: ClassVar[bool] = True

    def check(self) -> None:
        super().check()
        checks.number(self.decrease, "decrease", 0, 1, open_low=True)
        checks.number(self.increase, "increase", 1, math.inf, open_low=True)
        checks.number(self.smallest, "smallest", 0, math.inf)
        checks.number(self.largest, "largest", 0, math.inf, open_low=True)
        if not self.smallest <= self.learning_rate <= self.largest:
            raise ValueError(
                f"learning_rate={self.learning_rate!r} is the first step size of Rprop: it must lie between "
                f"smallest={self.smallest!r} and largest={self.largest!r}"
            )
        if self.schedule is not None or self.weight_decay:
            name = "weight_decay" if self.schedule is None else "schedule"
            raise ValueError(f"Rprop has no use for {name}: it finds its step sizes by itself, without a learning rate")

    @property
    def rule(self) -> str:
        return "rprop"

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("gradient", "size")

    def step(self, W: Array, dW: Array, learning_rate: float, rose: bool) -> None:
        real = W.dtype.type
        gradient, size = self.slots
        if self.steps == 1:
            size[:] = real(learning_rate)
        # Of the signs: a product of gradients might underflow.
        agreement = np.sign(gradient) * np.sign(dW)
        stays, turns = agreement > 0, agreement < 0
        if rose:
            W[turns] += np.sign(gradient[turns]) * size[turns]
        size[stays] = np.minimum(real(self.increase) * size[stays], real(self.largest))
        size[turns] = np.maximum(real(self.decrease) * size[turns], real(self.smallest))
        gradient[:] = np.where(turns, 0, dW)
        W -= np.sign(gradient) * size
