"""What surrounds the training loop: its checked inputs, callbacks, progress and history."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from . import checks
from .arrays import Array
from .layers import Layers
from .loss_choice import LossSpec, loss_of
from .losses import Loss
from .optimizers import Adam, Optimizer
from .results import History
from .solvers import Solver


@dataclass
class State:
    """What a callback sees of a run.

    Attributes
    ----------
    network : Network
        The network in training; its parameters are those at this moment.
    epoch : int
        Number of epochs done.
    epochs : int
        Number of epochs asked for.
    history : History
        The run so far.
    """

    network: Layers
    epoch: int
    epochs: int
    history: History


class Callback(Protocol):
    """What ``train(callbacks=...)`` takes: any object with one or more of these methods."""

    def on_train_begin(self, state: State) -> None:
        """Be told that a run begins."""

    def on_epoch_end(self, state: State) -> object:
        """Be told that an epoch is done; what is truthy stops the run."""

    def on_train_end(self, state: State) -> None:
        """Be told that a run is over, also when an exception ended it."""


# Why a run ended that was let run.
ALL_DONE = "all epochs done"

EVENTS = ("on_train_begin", "on_epoch_end", "on_train_end")


@dataclass
class Task:
    """The checked arguments of ``train``."""

    X: Array
    Y: Array
    sample_weight: Array | None
    validation: tuple[Array, Array] | None
    epochs: int
    batch_size: int
    loss: Loss
    optimizer: Optimizer | Solver
    rng: np.random.Generator | None  # None where no order is drawn

    @property
    def n_batches(self) -> int:
        """Number of steps of an epoch."""
        return -(-len(self.X) // self.batch_size)


def check_task(
    net: Layers,
    X: npt.ArrayLike,
    Y: npt.ArrayLike,
    epochs: int,
    batch_size: int | None,
    optimizer: Optimizer | Solver | None,
    loss: LossSpec,
    shuffle: bool,
    sample_weight: npt.ArrayLike | None,
    validation_data: tuple[npt.ArrayLike, npt.ArrayLike] | None,
    random_state: int | np.random.Generator | None,
    nonfinite: Callable[[Array], int] = checks.find_nonfinite,
) -> Task:
    """Check the arguments of ``train`` and fill in what was left out. Nothing is changed before all are right."""
    J = loss_of(loss, net.activations[-1])
    n_epochs = checks.integer(epochs, "epochs", 0)
    X, Y, weight = check_samples(net, X, Y, sample_weight, J, nonfinite)
    validation = None
    if validation_data is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            raise TypeError("validation_data must be a pair (X, Y)")
        names = ("validation_data[0]", "validation_data[1]")
        validation = check_samples(net, *validation_data, None, J, nonfinite, names)[:2]
    size = len(X) if batch_size is None else min(checks.integer(batch_size, "batch_size", 1), len(X))
    if optimizer is None:
        optimizer = Adam()
    elif isinstance(optimizer, Solver):
        optimizer.check_loss(J)
    elif not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an object such as fastmlp.Adam(), not {optimizer!r}")
    optimizer.check_batch(size, len(X))
    # A single batch of all rows has no order: it draws nothing.
    draws = checks.flag(shuffle, "shuffle") and size < len(X)
    rng = checks.generator(random_state) if draws or random_state is not None else None
    optimizer.check()
    if not net.parameters.flags.writeable:
        raise ValueError("the network's parameters were made read-only: they cannot be trained")
    return Task(X, Y, weight, validation, n_epochs, size, J, optimizer, rng if draws else None)


def check_samples(
    net: Layers,
    X: npt.ArrayLike,
    Y: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None,
    loss: Loss,
    nonfinite: Callable[[Array], int] = checks.find_nonfinite,
    names: tuple[str, str] = ("X", "Y"),
) -> tuple[Array, Array, Array | None]:
    """Return inputs, targets and weights (scaled to a mean of 1, or None) in the network's dtype."""
    n_in, n_out = net.layer_sizes[0], net.layer_sizes[-1]
    n_targets = loss.n_targets(n_out)
    if sample_weight is None and loss.domain is None and n_targets == n_out and net._can_read(X, Y):
        return X, Y, None  # type: ignore[return-value]  # arrays, as it has found
    X = checks.matrix(X, names[0], net.dtype, n_in, f"a network of {n_in} input(s)", nonfinite)
    Y = checks.targets(loss.encode(Y, n_out), names[1], net.dtype, n_targets, len(X), nonfinite, names[0])
    loss.check_domain(Y, names[1])
    weight = checks.weights_of_samples(sample_weight, len(X))
    return X, Y, None if weight is None else weight.astype(net.dtype)


class ProgressLine:
    """One line on stderr: rewritten in place on a terminal, printed once, at the end, elsewhere."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._live = self._stream.isatty()
        self._start = self._last = time.perf_counter()
        self._text = ""

    def show(self, epoch: int, epochs: int, history: History) -> None:
        """Note the state, and print it if a tenth of a second has gone by since the last time."""
        now = time.perf_counter()
        loss = f"  loss {history.loss[-1]:.6g}" if history.loss else ""
        validation = f"  validation {history.validation_loss[-1]:.6g}" if history.validation_loss else ""
        self._text = f"epoch {epoch}/{epochs}{loss}{validation}  {now - self._start:.1f} s"
        if self._live and now - self._last > 0.1:
            self._last = now
            print(f"\r{self._text}\x1b[K", end="", file=self._stream, flush=True)

    def close(self) -> None:
        """Leave the last state on a line of its own."""
        if self._text:
            print(f"\r{self._text}\x1b[K" if self._live else self._text, file=self._stream, flush=True)


def check_callbacks(callbacks: Iterable[Any]) -> list[Any]:
    """Return the callbacks as a list, each with a method to call."""
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a sequence of callbacks, such as [callback], not {callbacks!r}")
    checked = list(callbacks)
    for callback in checked:
        if not any(callable(getattr(callback, event, None)) for event in EVENTS):
            raise TypeError(f"callback {callback!r} has none of the methods {', '.join(EVENTS)}")
    return checked


class Monitor:
    """Keeps the history of a run, and tells callbacks and the progress line about it.

    Use it as a context: leaving it closes the run, whatever ended it.
    """

    def __init__(self, net: Layers, task: Task, callbacks: Iterable[Any], progress: bool) -> None:
        self.history = History(stop_reason=ALL_DONE)
        self.callbacks = check_callbacks(callbacks) if callbacks != () else []
        self._optimizer = task.optimizer
        self._state = State(net, 0, task.epochs, self.history)
        self._line = ProgressLine() if checks.flag(progress, "progress") else None
        self._start = time.perf_counter()

    def __enter__(self) -> Monitor:
        self._start = time.perf_counter()
        if self.callbacks:
            self._tell("on_train_begin")
            self._optimizer.check()
        return self

    def __exit__(self, *error: object) -> None:
        self.history.seconds = time.perf_counter() - self._start
        if self._line:
            self._line.close()
        if self.callbacks:
            self._tell("on_train_end")

    @property
    def has_watchers(self) -> bool:
        """Whether anybody wants to see a run before it is over."""
        return bool(self.callbacks or self._line)

    def add(self, losses: list[float], validation_losses: list[float], factors: Sequence[float] = ()) -> bool:
        """Note the end of epochs, if there are any, and tell everybody; return whether a callback asks to stop.

        A schedule's factors of the learning rate are those of each epoch's last step.
        """
        if not losses:
            return False
        self._optimizer.end_epochs(validation_losses or losses, factors)
        self.history.loss += losses
        self.history.validation_loss += validation_losses
        self.history.seconds = time.perf_counter() - self._start
        self._state.epoch += len(losses)
        if self._line:
            self._line.show(self._state.epoch, self._state.epochs, self.history)
        return bool(self.callbacks) and self._ask_to_stop()

    def _ask_to_stop(self) -> bool:
        before = self._optimizer.identity()
        stops = self._tell("on_epoch_end")
        if self._optimizer.identity() != before:
            raise RuntimeError(
                "a callback changed the optimizer's rule, steps or slots, or turned a penalty, a limit or a schedule "
                "on or off; during a run it may change numbers, such as the learning rate, and what is in the slots"
            )
        self._optimizer.check()
        if stops:
            self.history.stop_reason = f"{stops[0]} asked to stop after epoch {self._state.epoch}"
        return bool(stops)

    def _tell(self, event: str) -> list[str]:
        """Call the method ``event`` of every callback; return the names of those that gave something truthy."""
        methods = [(c, getattr(c, event)) for c in self.callbacks if callable(getattr(c, event, None))]
        return [type(c).__name__ for c, method in methods if method(self._state)]
