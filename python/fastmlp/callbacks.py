"""Callbacks: what ``train(callbacks=[...])`` tells about each epoch. They work with both networks.

Any object with one or more of the methods of :class:`fastmlp.reference.monitor.Callback` will do; these are ready-made.
"""

from __future__ import annotations

import logging
import math
import os
from typing import Any

from .reference import checks
from .reference.arrays import Array
from .reference.metrics import LARGER_IS_BETTER
from .reference.monitor import State


class EarlyStopping:
    """Stop when a curve has not got better for some epochs, and put the best parameters back.

    Parameters
    ----------
    patience : int, default 10
        Epochs without improvement after which the run ends, at least 1.
    min_delta : float, default 0.0
        What counts as improvement: more than this, not below 0.
    monitor : str, default "validation_loss"
        The curve: "validation_loss", "loss" or the name of a metric.
    mode : {"auto", "min", "max"}, default "auto"
        Whether smaller or larger is better; "auto" knows it of fastmlp's own metrics, and takes smaller for others.
    restore_best : bool, default True
        Whether the network gets the parameters of the best epoch when the run is over, however it ended.

    Attributes
    ----------
    best : float
        The best value so far.
    best_epoch : int
        The epoch that had it, counted from 1; 0 before the first.

    Raises
    ------
    ValueError, TypeError
        If an argument is outside its range or, from ``train``, if the curve is not recorded.

    References
    ----------
    L. Prechelt, "Early stopping - but when?", in Neural Networks: Tricks of the Trade, 1998.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> X = np.random.default_rng(0).standard_normal((60, 1))
    >>> net, stopping = fastmlp.Network([1, 8, 1], random_state=0), fastmlp.EarlyStopping(patience=3)
    >>> history = net.train(X, X, epochs=10_000, batch_size=5, optimizer=fastmlp.Adam(0.01),
    ...                     validation_data=0.3, random_state=0, callbacks=[stopping])
    >>> history.stop_reason == f"validation_loss has not improved for 3 epochs: best was epoch {stopping.best_epoch}"
    True
    """

    def __init__(
        self,
        patience: int = 10,
        min_delta: float = 0.0,
        monitor: str = "validation_loss",
        mode: str = "auto",
        restore_best: bool = True,
    ) -> None:
        self.patience = checks.integer(patience, "patience", 1)
        self.min_delta = checks.number(min_delta, "min_delta", 0, math.inf)
        if not isinstance(monitor, str):
            raise TypeError(f"monitor must be the name of a curve, such as 'validation_loss', not {monitor!r}")
        self.monitor = monitor
        signs = {"auto": -1 if monitor in LARGER_IS_BETTER else 1, "min": 1, "max": -1}
        self._sign = checks.find(mode, signs, "mode")
        self.restore_best = checks.flag(restore_best, "restore_best")
        self._forget()

    def _forget(self) -> None:
        self.best, self.best_epoch = self._sign * math.inf, 0
        self._parameters: Array | None = None

    def on_train_begin(self, state: State) -> None:
        """Start afresh, unless the run is resumed."""
        curves = state.task.curves()
        if self.monitor not in curves:
            data = "pass validation_data= to train, or X_val= and y_val= to an estimator's fit"
            missing = data if self.monitor == "validation_loss" else "is it among metrics=?"
            raise ValueError(f"{self.monitor!r} is not recorded: {missing}. Recorded are {', '.join(curves)}")
        if state.epoch == 0:
            self._forget()

    def on_epoch_end(self, state: State) -> str | None:
        """Compare, and give the reason to stop if there is one."""
        value = state.history.curves()[self.monitor][-1]
        # What is no number is worse than any.
        if math.isnan(self.best) or self._sign * (self.best - value) > self.min_delta or self.best_epoch == 0:
            self.best, self.best_epoch = value, state.epoch
            if self.restore_best:
                self._parameters = state.network.parameters.copy()
        waited = state.epoch - self.best_epoch
        if waited < self.patience:
            return None
        return f"{self.monitor} has not improved for {waited} epochs: best was epoch {self.best_epoch}"

    def on_train_end(self, state: State) -> None:
        """Put the best parameters back."""
        if self._parameters is not None:
            state.network.parameters[:] = self._parameters

    def state(self) -> dict[str, Any]:
        """Return what checkpoints hold."""
        return {"best": self.best, "best_epoch": self.best_epoch, "parameters": self._parameters}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what ``state()`` gave."""
        self.best, self.best_epoch, self._parameters = state["best"], state["best_epoch"], state["parameters"]


class CSVLog:
    """Write a line of a CSV file for each epoch: its number, every curve, and the seconds that went by.

    A run that is resumed goes on with the file, without lines of epochs after its checkpoint.

    Parameters
    ----------
    path : str or path-like
        Where. A file that is there is replaced, unless the run is resumed.

    Raises
    ------
    OSError
        From ``train``, if the file cannot be written.

    Examples
    --------
    >>> import fastmlp, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "log.csv")
    >>> history = fastmlp.Network([1, 1]).train([[1.0]], [0.0], epochs=2, callbacks=[fastmlp.CSVLog(path)])
    >>> header, first, second = path.read_text().splitlines()
    >>> header, first[:2], second[:2]
    ('epoch,loss,learning_rate,seconds', '1,', '2,')
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fsdecode(path)

    def on_train_begin(self, state: State) -> None:
        """Write the header, and what is there of a run that goes on."""
        header = ",".join(["epoch", *state.task.curves(), "seconds"])
        lines = _lines_up_to(state.epoch, self.path, header) if state.epoch else []
        self._write("w", header, *lines)

    def on_epoch_end(self, state: State) -> None:
        """Write a line."""
        curves = state.history.curves()
        values = [curves[name][-1] for name in state.task.curves()]
        self._write("a", ",".join(map(repr, [state.epoch, *values, state.history.seconds])))

    def _write(self, mode: str, *lines: str) -> None:
        with open(self.path, mode, encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


class LogToLogger:
    """Tell Python's logging about each epoch.

    Parameters
    ----------
    logger : logging.Logger or str, default "fastmlp"
        A logger, or the name of one.
    level : int, default logging.INFO
        Level of the messages.
    every : int, default 1
        Epochs from one message to the next.

    Raises
    ------
    ValueError, TypeError
        If an argument is outside its range.

    Examples
    --------
    >>> import fastmlp, logging, sys
    >>> logger = logging.getLogger("fastmlp")
    >>> logger.setLevel(logging.INFO)
    >>> logger.addHandler(logging.StreamHandler(sys.stdout))
    >>> net = fastmlp.Network([1, 1], init="zeros")
    >>> history = net.train([[1.0]], [2.0], epochs=2, optimizer=fastmlp.SGD(0.5), callbacks=[fastmlp.LogToLogger()])
    epoch 1/2: loss 2, learning_rate 0.5
    epoch 2/2: loss 0, learning_rate 0.5
    all epochs done
    >>> logger.handlers.clear()
    """

    def __init__(self, logger: logging.Logger | str = "fastmlp", level: int = logging.INFO, every: int = 1) -> None:
        if not isinstance(logger, (logging.Logger, str)):
            raise TypeError(f"logger must be a logging.Logger, or the name of one, not {logger!r}")
        self.logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self.level = checks.integer(level, "level", 0)
        self.every = checks.integer(every, "every", 1)

    def on_epoch_end(self, state: State) -> None:
        """Log the newest value of every curve."""
        if state.epoch % self.every == 0:
            values = ", ".join(f"{name} {curve[-1]:.6g}" for name, curve in state.history.curves().items())
            self.logger.log(self.level, "epoch %d/%d: %s", state.epoch, state.epochs, values)

    def on_train_end(self, state: State) -> None:
        """Log why the run ended."""
        self.logger.log(self.level, "%s", state.history.stop_reason)


def _lines_up_to(epoch: int, path: str, header: str) -> list[str]:
    """Return a log's lines of the first epochs. A last line that was cut short is none."""
    try:
        with open(path, encoding="utf-8") as file:
            found, *lines = file.read().splitlines() or [""]
    except FileNotFoundError:
        return []
    if found != header:
        raise ValueError(f"{path} is the log of another run: its columns are {found!r}, and not {header!r}")
    numbers = [(line.partition(",")[0], line) for line in lines if line.count(",") == header.count(",")]
    return [line for number, line in numbers if number.isdecimal() and int(number) <= epoch]
