"""Gradient descent, with momentum on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .. import checks
from ..arrays import Array
from .base import Optimizer


@dataclass(repr=False)
class SGD(Optimizer):
    """Gradient descent: W <- W - learning_rate * dW, with momentum on request.

    Batch, stochastic or mini-batch is chosen by the ``batch_size`` of ``train``.

    Parameters
    ----------
    learning_rate : float, default 0.01
        Step size, above 0.
    momentum : float, default 0.0
        Share of the last step that is kept, in [0, 1): velocity <- momentum * velocity -
        learning_rate * dW; W <- W + velocity (Polyak 1964).
    nesterov : bool, default False
        Nesterov's momentum, as reformulated by Sutskever et al. (2013):
        W <- W + momentum * velocity - learning_rate * dW, with the new velocity.
    normalized : bool, default False
        Divide the gradient of all parameters by its Euclidean norm first, so that every
        step has the length learning_rate. A zero gradient moves nothing.
    **penalties
        l1, l2, weight_decay, decay_biases, clip_value, clip_norm, max_norm and schedule: see
        :class:`fastmlp.Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If a hyperparameter is outside its range, or nesterov is asked for without momentum.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods",
    USSR Comp. Math. 4(5), 1964. I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the
    importance of initialization and momentum in deep learning", ICML 2013.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.SGD(learning_rate=0.1, momentum=0.9)
    SGD(learning_rate=0.1, momentum=0.9, nesterov=False, normalized=False)
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    normalized: bool = False

    HYPERPARAMETERS: ClassVar[tuple[str, ...]] = ("learning_rate", "momentum")

    def check(self) -> None:
        checks.flag(self.nesterov, "nesterov")
        checks.flag(self.normalized, "normalized")
        super().check()
        checks.number(self.momentum, "momentum", 0, 1)
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov=True needs a momentum above 0")

    @property
    def rule(self) -> str:
        if self.nesterov:
            return "nesterov"
        return "momentum" if self.momentum else "sgd"

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    @property
    def normalizes(self) -> bool:
        return self.normalized

    def step(self, W: Array, dW: Array, learning_rate: float, rose: bool) -> None:
        eta, mu = W.dtype.type(learning_rate), W.dtype.type(self.momentum)
        if not self.momentum:
            W -= eta * dW
            return
        velocity = self.slots[0]
        velocity[:] = mu * velocity - eta * dW
        W += mu * velocity - eta * dW if self.nesterov else velocity
