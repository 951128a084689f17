"""What every update rule has: numbers, state, and what surrounds its formula."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import numpy as np

from .. import checks, schedules
from ..arrays import Array, aligned_zeros, has_room, with_room
from ..schedules import Schedule

if TYPE_CHECKING:
    from ..layers import Layers

Self = TypeVar("Self", bound="Optimizer")

# What runs write themselves; whatever else changes has the core look at the object again.
COUNTED = ("steps", "epochs", "last_loss", "checked")


@dataclass(repr=False)
class Optimizer(ABC):
    """What every update rule has: its numbers, penalties and limits, a schedule, and slots.

    The slots and the counts stay with the object from one ``train`` to the next, so that two calls with
    the same object go on where one longer call would be. A step does, in this order: the gradient of the
    batch's mean loss; the terms of l2 and l1; clip_value or clip_norm; weight_decay; the rule's
    formula; max_norm. Penalties do not depend on the batch size, and are no part of ``history.loss``.

    Parameters
    ----------
    learning_rate : float
        Step size, above 0.
    l1, l2 : float, default 0.0
        Penalties: the objective is the mean loss ``+ l1 * sum |w| + l2 / 2 * sum w^2``, so that the gradient
        gets the terms ``l1 * sign(w) + l2 * w``.
    weight_decay : float, default 0.0 (0.01 for AdamW)
        Decoupled decay (Loshchilov & Hutter 2019): w <- w - learning_rate * weight_decay * w, before
        the rule's formula and at its learning rate, with the schedule's factor.
    decay_biases : bool, default False
        Whether l1, l2 and weight_decay act on biases too.
    clip_value : float, optional
        Largest size of an element of the gradient.
    clip_norm : float, optional
        Largest Euclidean norm of the gradient of all parameters: a longer one is scaled down to it
        (Pascanu et al. 2013).
    max_norm : float, optional
        Largest Euclidean norm of the weights into a neuron, without its bias: after each step, longer
        ones are scaled down to it (Srivastava et al. 2014).
    schedule : Schedule or callable, optional
        Factor of the learning rate over time: one of :mod:`fastmlp.schedules`, or a function that is
        called once per epoch with its number, counted from 0 since the schedule is in use, and gives
        that epoch's factor.

    Attributes
    ----------
    steps : int
        Number of steps done.
    epochs : int
        Number of epochs done with a schedule: where on its course the next run begins.
    last_loss : float or None
        Loss of the last step's batch, for rules that ask whether it rose.
    slots : list of ndarray, shapes (n_parameters,)
        The rule's numbers for each parameter.

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019. R. Pascanu, T. Mikolov,
    Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013. N. Srivastava et al.,
    "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.SGD(0.1, l2=1e-4, clip_norm=1.0)
    SGD(learning_rate=0.1, momentum=0.0, nesterov=False, normalized=False, l2=0.0001, clip_norm=1.0)
    """

    learning_rate: float
    l1: float = field(default=0.0, kw_only=True)
    l2: float = field(default=0.0, kw_only=True)
    weight_decay: float = field(default=0.0, kw_only=True)
    decay_biases: bool = field(default=False, kw_only=True)
    clip_value: float | None = field(default=None, kw_only=True)
    clip_norm: float | None = field(default=None, kw_only=True)
    max_norm: float | None = field(default=None, kw_only=True)
    schedule: Schedule | Callable[[int], float] | None = field(default=None, kw_only=True)
    steps: int = field(default=0, init=False)
    epochs: int = field(default=0, init=False)
    last_loss: float | None = field(default=None, init=False)
    slots: list[Array] = field(default_factory=list, init=False, compare=False)
    HYPERPARAMETERS: ClassVar[tuple[str, ...]] = ()
    # Whether a step only means something with the gradient of all samples.
    FULL_BATCH: ClassVar[bool] = False
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

    def check(self) -> None:
        """Raise ValueError or TypeError if a number is outside its range."""
        checks.number(self.learning_rate, "learning_rate", 0, math.inf, open_low=True)
        for name in ("l1", "l2", "weight_decay"):
            checks.number(getattr(self, name), name, 0, math.inf)
        checks.flag(self.decay_biases, "decay_biases")
        for name in ("clip_value", "clip_norm", "max_norm"):
            if (limit := getattr(self, name)) is not None:
                checks.number(limit, name, 0, math.inf, open_low=True)
        if self.clip_value is not None and self.clip_norm is not None:
            raise ValueError("clip_value and clip_norm are both set: choose one")
        if self.normalizes and self.clip_norm is not None:
            raise ValueError("clip_norm has no use with normalized=True, which gives every gradient the norm 1")
        if self.decay_biases and not (self.l1 or self.l2 or self.weight_decay):
            raise ValueError("decay_biases=True needs an l1, l2 or weight_decay above 0")
        if self.schedule is not None and not callable(self.schedule):
            raise TypeError(
                f"schedule must be one of fastmlp.schedules, or a function of the epoch, not {self.schedule!r}"
            )

    def check_batch(self, batch_size: int, n: int) -> None:
        """Raise ValueError if the rule cannot work with batches of so many of n samples."""
        if self.FULL_BATCH and batch_size < n:
            raise ValueError(
                f"{type(self).__name__} compares gradients of all samples: it needs batch_size=None, "
                f"and not {batch_size} of {n} rows"
            )

    def hyperparameters(self) -> list[float]:
        """Return the hyperparameters of the rule, in the order of their names."""
        return [getattr(self, name) for name in self.HYPERPARAMETERS]

    def penalties(self) -> list[float]:
        """Return what surrounds the rule, in the order of the core's ``Penalties``; 0 is none."""
        limits = (self.clip_value or 0, self.clip_norm or 0, self.max_norm or 0)
        return [self.l1, self.l2, self.weight_decay, self.decay_biases, *limits, self.normalizes]

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
        on = tuple(map(bool, self.penalties()))
        return self.rule, on, id(self.schedule), self.steps, self.epochs, tuple(map(id, self.slots))

    def reset(self) -> None:
        """Forget the state: the next ``train`` starts the rule, and its schedule, afresh."""
        self.steps = self.epochs = 0
        self.last_loss = None
        self.slots = []
        if isinstance(self.schedule, Schedule):
            self.schedule.reset()

    def factors(self, epochs: int, n_batches: int) -> Array | None:
        """Return the schedule's factor for every step of the next epochs, or None without a schedule."""
        if self.schedule is None:
            return None
        return schedules.factors(self.schedule, self.epochs, epochs, n_batches)

    @property
    def watches_losses(self) -> bool:
        """Whether the schedule is to be asked epoch by epoch: it has to know how one ended, or is a function."""
        return self.schedule is not None and not (
            isinstance(self.schedule, Schedule) and not self.schedule.watches_losses
        )

    def end_epochs(self, losses: Sequence[float], factors: Sequence[float] = ()) -> list[float]:
        """Note the end of epochs, and return the learning rate of each one's last step.

        Parameters
        ----------
        losses : sequence of float
            What each epoch is judged by: its validation loss, or its training loss without one.
        factors : sequence of float
            The schedule's factor in each epoch's last step; empty without a schedule.
        """
        if self.schedule is None:
            return [self.learning_rate] * len(losses)
        for loss in losses:
            self.epochs += 1
            if isinstance(self.schedule, Schedule):
                self.schedule.end_epoch(self.epochs, loss)
        return [self.learning_rate * factor for factor in factors]

    def update(self, net: Layers, gradient: Array, loss: float, factor: float = 1.0) -> None:
        """Move the parameters of ``net``, in place, by one step.

        Parameters
        ----------
        net : Layers
            The network; its ``parameters`` are moved.
        gradient : ndarray, shape (n_parameters,)
            Derivatives of the batch's mean loss.
        loss : float
            That loss.
        factor : float, default 1.0
            The schedule's factor of the learning rate.
        """
        W, dW, real = net.parameters, gradient, net.dtype.type
        learning_rate = self.learning_rate * factor
        rose = self.last_loss is not None and loss > self.last_loss
        if self.l1 or self.l2:
            dW = dW + self._decays(net) * (real(self.l2) * W + real(self.l1) * np.sign(W))
        if self.clip_value is not None:
            dW = np.clip(dW, -real(self.clip_value), real(self.clip_value))
        if self.normalizes or self.clip_norm is not None:
            dW = dW * real(self._scale(dW))
        if self.weight_decay:
            W *= 1 - self._decays(net) * real(learning_rate * self.weight_decay)
        self.steps += 1
        self.step(W, dW, learning_rate, rose)
        if self.FULL_BATCH:
            self.last_loss = loss
        if self.max_norm is not None:
            for w in net.weights:
                norms = np.sqrt(np.square(w, dtype=np.float64).sum(axis=0))
                w *= np.where(norms > self.max_norm, self.max_norm / np.maximum(norms, self.max_norm), 1).astype(real)

    def _decays(self, net: Layers) -> Array:
        """Return 1 for each parameter that penalties act on, and 0 for the others."""
        sizes = [(W.size, W.shape[1] if net.bias else 0) for W in net.weights]
        return np.concatenate([np.repeat(np.array([1, self.decay_biases], net.dtype), n) for n in sizes])

    def _scale(self, gradient: Array) -> float:
        """Return the factor that gives the gradient the norm 1, or one of clip_norm at most."""
        norm = math.sqrt(float(np.square(gradient, dtype=np.float64).sum()))
        if self.clip_norm is not None:
            return self.clip_norm / norm if norm > self.clip_norm else 1
        # A gradient so small that dividing by its norm overflows counts as none.
        return 1 / norm if norm > 1 / float(np.finfo(gradient.dtype).max) else 0

    @abstractmethod
    def step(self, W: Array, dW: Array, learning_rate: float, rose: bool) -> None:
        """Apply the rule's formula to the flat arrays W and dW; the loss rose since the last step, or not."""

    def state(self) -> dict[str, Any]:
        """Return all that a later object needs to go on as this one would, beside its arguments.

        Returns
        -------
        dict
            steps, epochs and last_loss; schedule, a dict of numbers (None among them) that JSON can hold;
            and slots, the arrays by name. They are the object's own: copy or write them before it goes on.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.SGD(0.1).state()
        {'steps': 0, 'epochs': 0, 'last_loss': None, 'schedule': {}, 'slots': {}}
        """
        schedule = self.schedule.state() if isinstance(self.schedule, Schedule) else {}
        return {
            "steps": self.steps,
            "epochs": self.epochs,
            "last_loss": self.last_loss,
            "schedule": schedule,
            "slots": dict(zip(self.slot_names, self.slots, strict=False)),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what ``state()`` of an object with the same arguments gave; arrays are copied.

        Raises
        ------
        ValueError
            If the state is that of another rule or schedule. The object is then as it was.
        """
        slots = state["slots"]
        if slots and tuple(slots) != self.slot_names:
            raise ValueError(f"the state of {self.rule!r} has slots {list(self.slot_names)}, and not {list(slots)}")
        if isinstance(self.schedule, Schedule):
            self.schedule.load_state(state["schedule"])
        elif state["schedule"]:
            raise ValueError(f"the state has a schedule's numbers {list(state['schedule'])}, and there is no schedule")
        self.steps, self.epochs, self.last_loss = state["steps"], state["epochs"], state["last_loss"]
        self.slots = [with_room(np.asarray(slot)) for slot in slots.values()]

    def __repr__(self) -> str:
        common = {f.name: f.default for f in fields(Optimizer) if f.kw_only}
        shown = [
            f"{f.name}={getattr(self, f.name)!r}"
            for f in sorted(fields(self), key=lambda f: f.name in common)
            if f.init and (f.default != common.get(f.name, self) or getattr(self, f.name) != f.default)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: object) -> None:
        if name not in COUNTED:
            self.__dict__.pop("checked", None)
        object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "checked"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A slot restored from bytes has lost its alignment.
        slots = state.pop("slots")
        self.__dict__.update(state)
        self.slots = [with_room(slot) for slot in slots]
        if isinstance(self.schedule, Schedule):
            self.schedule = copy.deepcopy(self.schedule)

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        other = object.__new__(type(self))
        other.__setstate__(self.__getstate__())
        return other
