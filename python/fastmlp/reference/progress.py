"""How a run shows its progress on stderr: a bar by rich where that is installed, one plain line otherwise."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

from .results import History


class Progress(Protocol):
    """What shows the progress of a run."""

    def show(self, epoch: int, epochs: int, history: History) -> None:
        """Take note of the state, and show it now and then."""

    def close(self) -> None:
        """Leave the last state on a line of its own."""


def make_progress() -> Progress:
    """Return a bar on a terminal if rich is installed, and the plain line otherwise."""
    if sys.stderr.isatty():
        try:
            return ProgressBar()
        except ImportError:
            pass
    return ProgressLine()


class ProgressLine:
    """One line: rewritten in place on a terminal, printed once, at the end, elsewhere."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._live = self._stream.isatty()
        self._start = self._last = time.perf_counter()
        self._text = ""

    def show(self, epoch: int, epochs: int, history: History) -> None:
        """Note the state, and print it if a tenth of a second has gone by since the last time."""
        now = time.perf_counter()
        self._text = f"epoch {epoch}/{epochs}  {_losses(history)}  {now - self._start:.1f} s"
        if self._live and now - self._last > 0.1:
            self._last = now
            print(f"\r{self._text}\x1b[K", end="", file=self._stream, flush=True)

    def close(self) -> None:
        """Leave the last state on a line of its own."""
        if self._text:
            print(f"\r{self._text}\x1b[K" if self._live else self._text, file=self._stream, flush=True)


class ProgressBar:
    """A bar drawn by rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns: list[Any] = [
            TextColumn("epoch {task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        ]
        # Drawn from here: no thread of its own, which would be in the way of a fork.
        self._bar = Progress(*columns, console=Console(stderr=True), auto_refresh=False)
        self._task = self._bar.add_task("", total=None)
        self._last = time.perf_counter()

    def show(self, epoch: int, epochs: int, history: History) -> None:
        """Note the state, and draw it if a tenth of a second has gone by since the last time."""
        now = time.perf_counter()
        self._bar.update(self._task, completed=epoch, total=epochs, description=_losses(history))
        if now - self._last > 0.1:
            self._last = now
            self._bar.start()
            self._bar.refresh()

    def close(self) -> None:
        """Draw the last state, and leave it."""
        self._bar.start()
        self._bar.refresh()
        self._bar.stop()


def _losses(history: History) -> str:
    validation = f"  validation {history.validation_loss[-1]:.6g}" if history.validation_loss else ""
    return f"loss {history.loss[-1]:.6g}{validation}"
