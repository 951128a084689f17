"""What watches a run: history, callbacks, progress, time, and numbers that become too large."""

from __future__ import annotations

import copy
import math
import operator
import os
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from . import checkpoints, checks
from .arrays import Array
from .divergence import settle
from .optimizers import Optimizer
from .progress import make_progress
from .results import History
from .solvers import Solver
from .training import Task


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
    optimizer : Optimizer
        The update rule, with its state.
    task : Task
        The checked arguments of ``train``.
    callbacks : list
        All callbacks of the run.
    fingerprint : dict
        What must be the same in a run that goes on from a checkpoint of this one.

    Examples
    --------
    >>> import fastmlp
    >>> class Printer:
    ...     def on_epoch_end(self, state: fastmlp.State) -> None:
    ...         print(f"{state.epoch}/{state.epochs}: {state.history.loss[-1]:.3f}")
    >>> net = fastmlp.Network([1, 1], init="zeros")
    >>> history = net.train([[1.0]], [1.0], epochs=2, optimizer=fastmlp.SGD(0.1), callbacks=[Printer()])
    1/2: 0.500
    2/2: 0.320
    """

    network: Any
    epoch: int
    epochs: int
    history: History
    optimizer: Optimizer | Solver
    task: Task
    callbacks: list[Any]
    fingerprint: dict[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether no epoch follows: all are done, or a callback has asked to stop."""
        return self.epoch >= self.epochs or self.history.stop_reason != ALL_DONE


class Callback(Protocol):
    """What ``train(callbacks=...)`` takes: any object with one or more of these methods.

    One that has something to remember may also have ``state()``, which gives a dictionary of what JSON can hold and
    of arrays, and ``load_state(dictionary)``: then checkpoints hold it, and a resumed run calls ``load_state`` before
    ``on_train_begin``, where ``state.epoch`` is above 0.

    Examples
    --------
    >>> import fastmlp
    >>> class LowEnough(fastmlp.Callback):
    ...     def on_epoch_end(self, state):
    ...         return "it is low enough" if state.history.loss[-1] < 0.1 else None
    >>> net = fastmlp.Network([1, 1], init="zeros")
    >>> net.train([[1.0]], [1.0], epochs=99, optimizer=fastmlp.SGD(0.1), callbacks=[LowEnough()]).stop_reason
    'it is low enough'
    """

    def on_train_begin(self, state: State) -> None:
        """Be told that a run begins."""

    def on_epoch_end(self, state: State) -> object:
        """Be told that an epoch is done; what is truthy stops the run, and a string is the reason why."""

    def on_progress(self, state: State) -> None:
        """Be told how far a run has come: by the compiled core ten times a second, however short its epochs are.

        This is for what shows a run. It costs less than ``on_epoch_end``, where tiny networks have epochs of a
        microsecond.
        """

    def on_train_end(self, state: State) -> None:
        """Be told that a run is over, also when an exception ended it."""


# Why a run ended that was let run.
ALL_DONE = "all epochs done"

EVENTS = ("on_train_begin", "on_epoch_end", "on_progress", "on_train_end")


def check_callbacks(callbacks: Iterable[Any]) -> list[Any]:
    """Return the callbacks as a list, each with a method to call."""
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a sequence of callbacks, such as [callback], not {callbacks!r}")
    checked = list(callbacks)
    for callback in checked:
        if isinstance(callback, type):
            raise TypeError(f"callback {callback.__name__} is a class: pass an object, {callback.__name__}(...)")
        listens = any(callable(getattr(callback, event, None)) for event in EVENTS)
        if not listens and getattr(callback, "plateau", None) is None:
            raise TypeError(f"callback {callback!r} has none of the methods {', '.join(EVENTS)}")
    return sorted(checked, key=lambda callback: getattr(callback, "comes_last", False))


class Monitor:
    """Keeps the history of a run, and tells callbacks and the progress line about it.

    Use it as a context: leaving it closes the run, whatever ended it.
    """

    def __init__(self, net: Any, task: Task, callbacks: Iterable[Any], progress: bool) -> None:
        names = [name for name, metric in task.metrics.items() if metric]
        self.history = History(metrics={name: [] for name in names}, stop_reason=ALL_DONE)
        self.callbacks = check_callbacks(callbacks) if callbacks != () else []
        self.plateaus = [plateau for c in self.callbacks if (plateau := getattr(c, "plateau", None))]
        self.state = State(net, 0, task.epochs, self.history, task.optimizer, task, self.callbacks)
        self._task = task
        self._progress = make_progress() if checks.flag(progress, "progress") else None
        shows = [show for c in self.callbacks if callable(show := getattr(c, "on_progress", None))]
        self._shows = [*([self._progress.show] if self._progress else []), *shows]
        self._start = time.perf_counter()
        self._seconds_before, self._epochs_before = 0.0, 0
        self.diverged = False
        self._begun: list[Any] = []
        self._before: Array | None = None  # parameters before those of the checkpoint that a run goes on from

    def prepare(self, resume: str | os.PathLike[str] | None) -> None:
        """Put everything where the run is to begin: where the checkpoint is, if there is one."""
        if self.callbacks or resume is not None:
            self.state.fingerprint = checkpoints.fingerprint(self.state)
        self._before = None if resume is None else self.state.network.parameters.copy()
        if resume is not None:
            checkpoints.resume(resume, self.state)
        self._task.optimizer.prepare(self.state.network.parameters)

    def __enter__(self) -> Monitor:
        self._start = time.perf_counter()
        self._seconds_before, self._epochs_before = self.history.seconds, self.state.epoch
        try:
            for callback in self.callbacks:
                self._call(callback, "on_train_begin")
                self._begun.append(callback)
            if self.callbacks:
                self._task.optimizer.check()
                self._task.optimizer.prepare(self.state.network.parameters)  # what was put into its slots
            if self._before is None:
                self._task.hold_out()
        except BaseException:
            if self._before is not None:
                self.state.network.parameters[:] = self._before
            self._end(self._begun)
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._take_time()
        if self._progress:
            self._progress.close()
        self._end(self._begun)

    def _end(self, callbacks: list[Any]) -> None:
        """Tell them that the run is over, each of them whatever the ones before may raise."""
        if not callbacks:
            return
        try:
            self._call(callbacks[0], "on_train_end")
        finally:
            self._end(callbacks[1:])

    @property
    def watches_epochs(self) -> bool:
        """Whether every epoch's end is to be told, with the parameters as they are then."""
        listens = any(callable(getattr(callback, "on_epoch_end", None)) for callback in self.callbacks)
        return listens or len(self.plateaus) > 1 or bool(self._task.metrics)

    @property
    def has_watchers(self) -> bool:
        """Whether anybody wants to see a run before it is over."""
        return self.watches_epochs or bool(self._shows) or self._task.max_time is not None

    @property
    def epochs_left(self) -> int:
        """Number of epochs still to do."""
        had_ended = self.history.stop_reason != ALL_DONE
        return 0 if had_ended else max(self.state.epochs - self.state.epoch, 0)

    def add(
        self,
        losses: list[float],
        validation_losses: list[float],
        factors: Sequence[float] = (),
        tell: bool = True,
    ) -> bool:
        """Note the end of epochs, if there are any, and tell callbacks; return whether one asks to stop.

        A schedule's factors of the learning rate are those of each epoch's last step.
        """
        if not losses:
            return False
        self.history.loss += losses
        self.history.validation_loss += validation_losses
        self.history.learning_rate += self._task.optimizer.end_epochs(validation_losses or losses, factors)
        if self._task.metrics:
            self._measure()
        self._take_time()
        self.state.epoch += len(losses)
        for show in self._shows:
            show(self.state)
        return tell and bool(self.callbacks) and self._ask_to_stop(losses)

    def time_is_over(self) -> bool:
        """Return whether the run has taken as long as it may."""
        limit = self._task.max_time
        if limit is None or time.perf_counter() - self._start < limit or not self.epochs_left:
            return False
        self.history.stop_reason = f"max_time of {limit:g} s was over after epoch {self.state.epoch}"
        return True

    def note_divergence(self, steps: int, bad_layer: int) -> None:
        """Note that numbers became too large after so many steps of this run; see :func:`settle`."""
        task = self._task
        steps += self._epochs_before * task.n_batches
        self.diverged = True
        self.history.stop_reason = settle(self.state.network, task.optimizer, task.X, task.n_batches, steps, bad_layer)

    def _measure(self) -> None:
        """Note the metrics of the network as it is."""
        task, net = self._task, self.state.network
        X, Y = task.validation[:2] if task.validation else (task.X, task.Y)
        n_threads = task.n_threads or None
        Y_hat = net.predict(X, n_threads) if self.history.metrics else Y
        for name, metric in task.metrics.items():
            if metric:
                self.history.metrics[name].append(float(metric(Y, Y_hat)))
            else:
                _, gradient = net._value_and_gradient(
                    task.X, task.Y, task.sample_weight, task.loss, n_threads=task.n_threads
                )
                self.history.gradient_norm.append(math.sqrt(float(np.square(gradient, dtype=np.float64).sum())))

    def _take_time(self) -> None:
        self.history.seconds = self._seconds_before + time.perf_counter() - self._start

    def _ask_to_stop(self, losses: list[float]) -> bool:
        optimizer = self._task.optimizer
        before, slots = dict(vars(optimizer)), list(optimizer.slots)
        for callback in self.callbacks:
            self._ask(callback, losses)
        # Most callbacks leave it alone, which is seen sooner than checked.
        if not (_are_same(vars(optimizer).values(), before.values()) and _are_same(optimizer.slots, slots)):
            _check_change(optimizer, before, slots)
        return self.history.stop_reason != ALL_DONE

    def _call(self, callback: Any, event: str) -> object:
        method = getattr(callback, event, None)
        return method(self.state) if callable(method) else None

    def _ask(self, callback: Any, losses: list[float]) -> None:
        """Tell a callback that epochs are over. The first one that gives something truthy is why the run ends."""
        event, plateau = "on_epoch_end", getattr(callback, "plateau", None)
        if plateau:
            if not any(plateau.add(loss) for loss in losses):
                return
            event = "on_plateau"
        answer = self._call(callback, event)
        if answer and self.history.stop_reason == ALL_DONE:
            default = f"{type(callback).__name__} asked to stop after epoch {self.state.epoch}"
            self.history.stop_reason = answer if isinstance(answer, str) else default


def _are_same(things: Collection[object], others: Collection[object]) -> bool:
    """Return whether these are the very same objects."""
    return len(things) == len(others) and all(map(operator.is_, things, others))


def _check_change(optimizer: Optimizer | Solver, before: dict[str, Any], slots: list[Array]) -> None:
    """Raise an error if an optimizer that had these attributes and slots was changed beyond what a run can follow."""
    former = copy.copy(optimizer)
    vars(former).update(before, slots=slots)
    if optimizer.identity() != former.identity():
        raise RuntimeError(
            "a callback changed the optimizer's rule, steps or slots, or turned a penalty, a limit or a schedule "
            "on or off; during a run it may change numbers, such as the learning rate, and what is in the slots"
        )
    optimizer.check()
