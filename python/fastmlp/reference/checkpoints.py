"""Checkpoints: all that a run needs to go on as if nothing had happened."""

from __future__ import annotations

import copy
import math
import os
import re
import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from . import checks, sealed, tensors, trees
from .sealed import Codec

if TYPE_CHECKING:
    from .monitor import State

# Curves were lists before the third.
FORMATS = ("fastmlp-checkpoint-3", "fastmlp-checkpoint-2", "fastmlp-checkpoint-1")
PREVIOUS = ".previous"

# How much of a run an interruption costs, beside the epoch that it is in.
SECONDS_BETWEEN_COPIES = 1.0


class AnotherRunError(ValueError):
    """The error of a checkpoint that is another run's.

    Attributes
    ----------
    path, what : str
        Its file, and the first thing that differs.
    theirs, ours
        What that is in the checkpoint, and here.
    """

    def __init__(self, path: str, what: str, theirs: Any, ours: Any) -> None:
        super().__init__(path, what, theirs, ours)
        self.path, self.what, self.theirs, self.ours = path, what, theirs, ours

    def __str__(self) -> str:
        return (
            f"{self.path}: the checkpoint of another run: its {self.what} is {self.theirs!r}, and here it is "
            f"{self.ours!r}"
        )


class Checkpoint:
    """A callback that writes all of a run to a file, from which ``train(resume=path)`` goes on.

    The file is written beside the old one, and takes its place when it is on the disk: whatever happens, a file is
    there from which the run can go on. The one before is kept as ``path + ".previous"``, which ``resume`` takes where
    the newest is damaged or missing. All other callbacks are told of an epoch's end first, whatever their order.

    The last epoch's end is written too. An interruption, or another error, leaves what was at the end of the last epoch
    before it, or of one up to a second earlier; a copy in memory holds that until then.

    Parameters
    ----------
    path : str or path-like
        Where, in a folder that is there.
    every : int, default 1
        Epochs from one checkpoint to the next.
    seconds : float, optional
        Write at the end of the first epoch, and of each that ends so many seconds after the last one that was written,
        instead of after so many epochs.

    Raises
    ------
    ValueError, TypeError
        If an argument is outside its range.
    OSError
        From ``train``, if the file cannot be written: the last checkpoint is then as it was.

    See Also
    --------
    fastmlp.Network.train : its argument ``resume``.

    Examples
    --------
    >>> import fastmlp, os, tempfile
    >>> X, Y, path = [[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0], os.path.join(tempfile.mkdtemp(), "run.checkpoint")
    >>> def run(epochs, **arguments):
    ...     net = fastmlp.Network([1, 4, 1], random_state=0)
    ...     net.train(X, Y, epochs=epochs, batch_size=1, random_state=1, **arguments)
    ...     return net.parameters.tolist()
    >>> half = run(10, callbacks=[fastmlp.Checkpoint(path)])
    >>> run(20, resume=path) == run(20)
    True
    """

    comes_last = True

    def __init__(self, path: str | os.PathLike[str], every: int = 1, seconds: float | None = None) -> None:
        self.path = os.fsdecode(path)
        self.every = checks.integer(every, "every", 1)
        self.seconds = None if seconds is None else checks.number(seconds, "seconds", 0, math.inf)
        self._is_whole = False
        self._begin()

    def _begin(self) -> None:
        self._written = self._taken = -math.inf  # when the last one was written, and when one was taken
        self._kept: dict[str, Any] | None = None

    def on_train_begin(self, state: State) -> None:
        """Look whether there is a folder to write to, and a checkpoint to keep."""
        folder = os.path.dirname(os.path.realpath(self.path))
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"there is no folder {folder!r} for the checkpoint")
        self._begin()
        try:
            trees.read(self.path, state.network._codec, FORMATS)
            self._is_whole = True
        except (OSError, ValueError):
            self._is_whole = False

    def on_epoch_end(self, state: State) -> None:
        """Write, if it is time to, or keep what an interruption will write."""
        now = time.monotonic()
        is_due = state.epoch % self.every == 0 if self.seconds is None else now - self._written >= self.seconds
        if is_due or state.is_over:
            self._kept = taken(state)
            self._write_kept(state)
            self._written = self._taken = now
        elif now - self._taken >= SECONDS_BETWEEN_COPIES:
            self._kept = copy.deepcopy(taken(state))
            self._taken = now

    def on_train_end(self, state: State) -> None:
        """Write what was kept, if it is newer than what is written."""
        self._write_kept(state)

    def _write_kept(self, state: State) -> None:
        kept, self._kept = self._kept, None
        if kept is None:
            return
        # A damaged file must not take the place of the one before it, which may be the only one that is whole.
        previous = os.path.realpath(self.path) + PREVIOUS if self._is_whole else None
        try:
            write(self.path, state.network._codec, kept, previous)
        except KeyboardInterrupt:
            self._kept = copy.deepcopy(kept)  # for the end
            raise
        self._is_whole = True


def taken(state: State) -> dict[str, Any]:
    """Return the checkpoint of a run at an epoch's end. Its arrays are those of the run."""
    task, optimizer, history = state.task, state.optimizer, state.history
    return {
        "of": state.fingerprint,
        "epoch": state.epoch,
        "parameters": state.network.parameters,
        "numbers": _numbers_of(optimizer),
        "optimizer": optimizer.state(),
        "random_state": task.random_state and task.random_state.bit_generator.state,
        "held_out": task.held_out,
        "history": {f.name: _as_arrays(getattr(history, f.name)) for f in fields(history)},
        "callbacks": [callback.state() for callback in with_state(state.callbacks)],
    }


def write(path: str, codec: Codec, tree: dict[str, Any], previous: str | None = None) -> None:
    """Write a checkpoint, and keep the one before under another name."""
    try:
        trees.write(path, codec, FORMATS[0], tree, previous)
    except OSError as error:
        what = f"{error.strerror}: this checkpoint was not written, and the last one is as it was"
        raise OSError(error.errno, what, path) from error


def read(path: str | os.PathLike[str], codec: Codec = tensors) -> dict[str, Any]:
    """Return the newest checkpoint that is whole: the file, or the one before it.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If what is there is damaged.
    """
    try:
        return trees.read(path, codec, FORMATS)
    except (FileNotFoundError, ValueError):
        try:
            return trees.read(os.path.realpath(path) + PREVIOUS, codec, FORMATS)
        except (FileNotFoundError, ValueError):
            pass
        raise


def resume(path: str | os.PathLike[str], state: State) -> None:
    """Put network, optimizer, generator, callbacks and history where a checkpoint is.

    Raises
    ------
    ValueError
        If it is damaged, or of another run, as an `AnotherRunError`. Nothing is changed then.
    OSError
        If it cannot be read.
    """
    saved = read(path, state.network._codec)
    try:
        _check_run(os.fsdecode(path), state.fingerprint, saved["of"])
        saved["history"] = _as_lists(saved["history"])
        _check(saved, state)
        _restore(saved, state)
    except AnotherRunError:
        raise
    except sealed.REFUSED as error:
        raise sealed.refusal(path, error) from None


def fingerprint(state: State) -> dict[str, Any]:
    """Return what must be the same in a run that goes on, as JSON has it."""
    net, task, optimizer = state.network, state.task, state.task.optimizer
    return {
        "layer sizes": list(net.layer_sizes),
        "activations": list(net.activations),
        "use of biases": net.bias,
        "dtype": net.dtype.name,
        "optimizer": type(optimizer).__name__,
        **{f"optimizer's {name}": value for name, value in _arguments_of(optimizer).items()},
        "loss": _told(task.loss_spec),
        "batch size": task.batch_size,
        "number of rows": len(task.Y),
        "number of rows held out": task.n_held_out,
        "shuffling": task.shuffles,
        "dropout": task.dropout and list(task.dropout),
        "bit generator": task.random_state and type(task.random_state.bit_generator).__name__,
        "metrics": list(task.metrics),
        "validation": task.validation is not None,
        "callbacks with a state": [type(callback).__name__ for callback in with_state(state.callbacks)],
    }


def with_state(callbacks: list[Any]) -> list[Any]:
    """Return the callbacks that have something to remember."""
    return [c for c in callbacks if callable(getattr(c, "state", None)) and callable(getattr(c, "load_state", None))]


def _as_arrays(value: Any) -> Any:
    """Return what a history has, with arrays for its curves: a long run's are longer than a description may be."""
    if isinstance(value, dict):
        return {name: _as_arrays(curve) for name, curve in value.items()}
    return np.array(value, np.float64) if isinstance(value, list) else value


def _as_lists(value: Any) -> Any:
    """Return what ``_as_arrays`` was given."""
    if isinstance(value, dict):
        return {name: _as_lists(curve) for name, curve in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def _check_run(path: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Raise AnotherRunError if a checkpoint is another run's."""
    for what in [*ours, *theirs]:
        if ours.get(what) != theirs.get(what):
            raise AnotherRunError(path, what, theirs.get(what), ours.get(what))


def _check(saved: dict[str, Any], state: State) -> None:
    """Raise ValueError if what a checkpoint holds does not fit together."""
    epoch, net = checks.integer(saved["epoch"], "its epoch", 1), state.network
    parameters = saved["parameters"]
    if parameters.shape != net.parameters.shape or parameters.dtype != net.dtype:
        raise ValueError("its parameters do not fit its layers")
    if checks.find_nonfinite(parameters) >= 0:
        raise ValueError("its parameters are not finite")
    rows, n_rows, n_held_out = saved["held_out"], len(state.task.Y), state.task.n_held_out
    if n_held_out and (
        rows.dtype != np.int64
        or rows.shape != (n_held_out,)
        or rows[0] < 0
        or rows[-1] >= n_rows
        or np.any(np.diff(rows) <= 0)
    ):
        raise ValueError("the rows that it holds out are not rows of X")
    curves = saved["history"]
    always = [curves["loss"], *curves["metrics"].values()]
    others = [curves[name] for name in ("validation_loss", "learning_rate", "gradient_norm")]
    unknown = set(curves) - {f.name for f in fields(state.history)}
    if unknown or not isinstance(curves["stop_reason"], str) or list(curves["metrics"]) != list(state.history.metrics):
        raise ValueError("its history is none of such a run")
    if any(
        len(curve) != epoch or not all(isinstance(value, (int, float)) for value in curve)
        for curve in [*always, *filter(None, others)]
    ):
        raise ValueError("its history does not fit its epochs")
    checks.number(curves["seconds"], "its duration", 0, math.inf)


def _restore(saved: dict[str, Any], state: State) -> None:
    """Take everything over. What may still be refused is tried on copies, before anything is changed."""
    net, task, generator = state.network, state.task, state.task.random_state
    _restore_optimizer(copy.deepcopy(task.optimizer), saved, net)
    if generator:
        copy.deepcopy(generator.bit_generator).state = saved["random_state"]
    for callback, remembered in zip(with_state(state.callbacks), saved["callbacks"], strict=True):
        callback.load_state(remembered)
    _restore_optimizer(task.optimizer, saved, net)
    if generator:
        generator.bit_generator.state = saved["random_state"]
    net.parameters[:] = saved["parameters"]
    task.hold_out(saved["held_out"])
    state.epoch = saved["epoch"]
    for name, value in saved["history"].items():
        setattr(state.history, name, value)


def _restore_optimizer(optimizer: Any, saved: dict[str, Any], net: Any) -> None:
    names = _numbers_of(optimizer)
    for name, value in saved["numbers"].items():
        if name in names:
            setattr(optimizer, name, value)
    optimizer.check()
    optimizer.load_state(saved["optimizer"])
    checks.integer(optimizer.steps, "its number of steps", 0)
    optimizer.prepare(net.parameters)


def _arguments_of(optimizer: Any) -> dict[str, Any]:
    """Return what an optimizer was made with, as JSON has it."""
    values = {f.name: getattr(optimizer, f.name) for f in fields(optimizer) if f.init}
    return {name: _told(value) for name, value in values.items()}


def _told(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return re.sub(r" at 0x\w+", "", repr(value))  # a function is elsewhere in each process


def _numbers_of(optimizer: Any) -> dict[str, Any]:
    """Return the numbers of an optimizer as they are now: callbacks may have changed them."""
    values = {f.name: getattr(optimizer, f.name) for f in fields(optimizer) if f.init}
    return {name: value for name, value in values.items() if isinstance(value, (bool, int, float, np.generic))}
