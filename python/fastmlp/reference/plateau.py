"""When a loss has stopped falling."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Plateau:
    """Counts the epochs whose loss is not below the best one by ``tolerance``; its twin is in ``cpp/train.h``.

    A callback that has one as its ``plateau``, instead of a method ``on_epoch_end``, is asked only where it ends:
    its ``on_plateau(state)`` gives the reason why the run ends, or something falsy to have it go on. The compiled loop
    then need not come back to Python before.
    """

    tolerance: float
    patience: float  # a whole number, or inf
    best: float = math.inf
    waited: int = 0

    def add(self, loss: float) -> bool:
        """Note an epoch's loss; return whether more epochs than ``patience`` have gone by without a better one."""
        self.waited = 0 if loss <= self.best - self.tolerance else self.waited + 1
        if loss < self.best:
            self.best = loss
        return self.waited > self.patience
