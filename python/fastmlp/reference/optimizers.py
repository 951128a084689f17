"""Update rules: how a gradient becomes a step, and the state that a rule carries along.

The compiled core takes the same objects. Each rule name is a struct in ``cpp/ops/optimizers.h``
whose hyperparameters and slots have the names, and the order, given here.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, cast

import numpy as np

from . import checks
from .arrays import Array, aligned_zeros, has_room, with_room


@dataclass
class Optimizer(ABC):
    """What every update rule has: hyperparameters, and slots with one number per parameter.

    The slots and the step count stay with the object from one ``train`` to the next, so that
    two calls with the same object go on where one longer call would be.
    """

    steps: int = field(default=0, init=False, repr=False)
    slots: list[Array] = field(default_factory=list, init=False, repr=False, compare=False)
    HYPERPARAMETERS: ClassVar[tuple[str, ...]] = ()
    # What the core keeps of the object once it is checked; no field, and not part of the state.
    checked = cast(Any, None)

    @property
    @abstractmethod
    def rule(self) -> str:
        """Name of the update rule."""

    @property
    @abstractmethod
    def slot_names(self) -> tuple[str, ...]:
        """Name of each array of state."""

    @property
    def normalizes(self) -> bool:
        """Whether the gradient is divided by its norm before the update."""
        return False

    def __post_init__(self) -> None:
        self.check()

    @abstractmethod
    def check(self) -> None:
        """Raise ValueError or TypeError if a hyperparameter is outside its range."""

    def hyperparameters(self) -> list[float]:
        """Return the hyperparameters of the rule, in the order of their names."""
        return [getattr(self, name) for name in self.HYPERPARAMETERS]

    def attributes(self) -> list[str]:
        """Return the names of the attributes that the rule and its numbers follow from."""
        return [f.name for f in fields(self) if f.name != "steps"]

    def prepare(self, parameters: Array) -> None:
        """Make the slots for these parameters, or check that the slots held are theirs.

        Raises
        ------
        ValueError
            If the object holds the state of a network of another size or dtype.
        """
        names = self.slot_names
        for slot in self.slots:
            if slot.shape != parameters.shape or slot.dtype != parameters.dtype:
                raise ValueError(
                    f"this {type(self).__name__} holds the state of {slot.size} {slot.dtype} parameters, and the "
                    f"network has {parameters.size} {parameters.dtype}: use a new object, or call reset() first"
                )
        # Kernels work on whole vectors: what was put in from elsewhere gets a place of its own.
        self.slots[:] = [slot if has_room(slot) else with_room(slot) for slot in self.slots]
        while len(self.slots) < len(names):
            self.slots.append(aligned_zeros(parameters.size, parameters.dtype))

    def identity(self) -> tuple[object, ...]:
        """Return what stays the same while a run lasts."""
        return self.rule, self.normalizes, self.steps, tuple(map(id, self.slots))

    def reset(self) -> None:
        """Forget the state: the next ``train`` starts the rule afresh."""
        self.steps = 0
        self.slots = []
        self.checked = None

    def update(self, parameters: Array, gradient: Array) -> None:
        """Move the parameters, in place, by one step of the rule."""
        if self.normalizes:
            norm = math.sqrt(float(np.square(gradient, dtype=np.float64).sum()))
            # A gradient so small that dividing by its norm overflows counts as none.
            scale = 1 / norm if norm > 1 / float(np.finfo(parameters.dtype).max) else 0
            gradient = gradient * parameters.dtype.type(scale)
        self.steps += 1
        self.step(parameters, gradient)

    @abstractmethod
    def step(self, W: Array, dW: Array) -> None:
        """Apply the rule's formula to the flat arrays W and dW."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "checked"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A slot restored from bytes has lost its alignment.
        slots = state.pop("slots")
        self.__dict__.update(state)
        self.slots = []
        for slot in slots:
            self.slots.append(with_room(slot))

    def __deepcopy__(self, memo: dict[int, Any]) -> Optimizer:
        other = object.__new__(type(self))
        other.__setstate__(self.__getstate__())
        return other


@dataclass
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
        checks.number(self.learning_rate, "learning_rate", 0, math.inf, open_low=True)
        checks.number(self.momentum, "momentum", 0, 1)
        checks.flag(self.nesterov, "nesterov")
        checks.flag(self.normalized, "normalized")
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

    def step(self, W: Array, dW: Array) -> None:
        eta, mu = W.dtype.type(self.learning_rate), W.dtype.type(self.momentum)
        if not self.momentum:
            W -= eta * dW
            return
        velocity = self.slots[0]
        velocity[:] = mu * velocity - eta * dW
        W += mu * velocity - eta * dW if self.nesterov else velocity


@dataclass
class Adam(Optimizer):
    """Adam: steps scaled by running means of the gradient and of its square.

    m <- beta_1 * m + (1 - beta_1) * dW; v <- beta_2 * v + (1 - beta_2) * dW^2; then, with t the
    number of steps, W <- W - learning_rate * (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon).

    Parameters
    ----------
    learning_rate : float, default 0.001
        Step size, above 0.
    beta_1, beta_2 : float, default 0.9 and 0.999
        Decay of the running means of the gradient and of its square, in [0, 1).
    epsilon : float, default 1e-8
        Keeps the division finite, above 0.

    Raises
    ------
    ValueError, TypeError
        If a hyperparameter is outside its range.

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.Adam(learning_rate=0.01)
    Adam(learning_rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-08)
    """

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    HYPERPARAMETERS: ClassVar[tuple[str, ...]] = ("learning_rate", "beta_1", "beta_2", "epsilon")

    def check(self) -> None:
        checks.number(self.learning_rate, "learning_rate", 0, math.inf, open_low=True)
        checks.number(self.beta_1, "beta_1", 0, 1)
        checks.number(self.beta_2, "beta_2", 0, 1)
        checks.number(self.epsilon, "epsilon", 0, math.inf, open_low=True)

    def prepare(self, parameters: Array) -> None:
        if self.epsilon < 1e3 * float(np.finfo(parameters.dtype).tiny):
            dtype = parameters.dtype.name
            raise ValueError(f"epsilon={self.epsilon!r} is too small for {dtype}: it would round to zero")
        super().prepare(parameters)

    @property
    def rule(self) -> str:
        return "adam"

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("m", "v")

    def step(self, W: Array, dW: Array) -> None:
        real = W.dtype.type
        beta_1, beta_2, t = self.beta_1, self.beta_2, self.steps
        m, v = self.slots
        m[:] = real(beta_1) * m + real(1 - beta_1) * dW
        v[:] = real(beta_2) * v + real(1 - beta_2) * dW * dW
        m_hat = m / real(1 - beta_1**t)
        v_hat = v / real(1 - beta_2**t)
        W -= real(self.learning_rate) * m_hat / (np.sqrt(v_hat) + real(self.epsilon))


# Every rule of the core, by name, with an object that uses it.
RULES: dict[str, Optimizer] = {
    optimizer.rule: optimizer for optimizer in (SGD(), SGD(momentum=0.9), SGD(momentum=0.9, nesterov=True), Adam())
}
