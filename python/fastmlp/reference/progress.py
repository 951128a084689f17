"""How a run shows its progress on stderr: a panel by rich where that is installed, one plain line otherwise."""

from __future__ import annotations

import math
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .monitor import State

# Seconds from one look at the screen to the next.
INTERVAL = 0.1

# A curve in one line of text.
BLOCKS = "▁▂▃▄▅▆▇█"


class Progress(Protocol):
    """What shows the progress of a run."""

    def show(self, state: State) -> None:
        """Take note of the state, and show it now and then."""

    def close(self) -> None:
        """Leave the last state on lines of its own."""


def make_progress() -> Progress:
    """Return a panel on a terminal if rich is installed, and the plain line otherwise."""
    if sys.stderr.isatty():
        try:
            return ProgressPanel()
        except ImportError:
            pass
    return ProgressLine()


class ProgressLine:
    """One line: rewritten in place on a terminal, printed once, at the end, elsewhere."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._live = self._stream.isatty()
        self._last = time.perf_counter()
        self._state: State | None = None

    def show(self, state: State) -> None:
        """Note the state, and print it if a tenth of a second has gone by since the last time."""
        self._state = state
        now = time.perf_counter()
        if self._live and now - self._last > INTERVAL:
            self._last = now
            text = _line(state)[: shutil.get_terminal_size().columns - 1]  # one that goes on below cannot be rewritten
            print(f"\r{text}\x1b[K", end="", file=self._stream, flush=True)

    def close(self) -> None:
        """Leave the last state on a line of its own."""
        if self._state:
            text = _line(self._state)
            print(f"\r{text}\x1b[K" if self._live else text, file=self._stream, flush=True)


class ProgressPanel:
    """Some lines drawn by rich: a bar, the losses with their course, speed and time, and the learning rate."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        # Drawn from here: no thread of its own, which would be in the way of a fork. What callbacks print appears above
        # the panel if it goes to the terminal, and stays out of it if it goes to a file.
        to_terminal = sys.stdout.isatty()
        self._live = Live(console=Console(stderr=True), auto_refresh=False, redirect_stdout=to_terminal)
        self._last = time.perf_counter()
        self._state: State | None = None

    def show(self, state: State) -> None:
        """Note the state, and draw it if a tenth of a second has gone by since the last time."""
        self._state = state
        now = time.perf_counter()
        if now - self._last > INTERVAL:
            self._last = now
            self._draw(state)

    def close(self) -> None:
        """Draw the last state, and leave it."""
        try:
            if self._state:
                self._draw(self._state)
        finally:
            self._stop()

    def _stop(self) -> None:
        try:
            self._live.stop()
        except IndexError:  # rich takes back what it had not yet done when Ctrl-C came
            self._live.console.show_cursor(True)

    def _draw(self, state: State) -> None:
        self._live.start()
        console = self._live.console
        self._live.update(panel(state, console.width, console.options.ascii_only), refresh=True)


def panel(state: State, width: int, ascii_only: bool = False) -> Any:
    """Return what rich draws of a run, for a terminal of this many columns."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    bar_width = max(4, min(40, width - 58))
    table = Table.grid(padding=(0, 2))
    for least in (0, 12, 0, 0):  # or the rest would jump with every digit
        table.add_column(min_width=least, no_wrap=True)
    bar = ProgressBar(total=state.epochs, completed=state.epoch, width=bar_width)
    table.add_row("epoch", f"{state.epoch}/{state.epochs}", bar, _times(state))
    notes = [f"{_speed(state)} samples/s", *(f"learning rate {rate:.3g}" for rate in state.history.learning_rate[-1:])]
    curves = [("loss", state.history.loss), ("validation", state.history.validation_loss)]
    for name, curve in curves:
        if curve:
            course = "" if ascii_only else sparkline(curve, bar_width)
            table.add_row(name, f"{curve[-1]:.6g}", course, notes.pop(0) if notes else "")
    for note in notes:
        table.add_row("", "", "", note)
    return table


def sparkline(curve: list[float], width: int) -> str:
    """Return a curve as text: its values at evenly chosen epochs, up to the last, on a logarithmic scale if it may be.

    Examples
    --------
    >>> from fastmlp.reference.progress import sparkline
    >>> sparkline([8.0, 4.0, 2.0, 1.0], 4)
    '█▆▃▁'
    """
    n = min(width, len(curve))
    chosen = [curve[(i + 1) * len(curve) // n - 1] for i in range(n)]
    finite = [value for value in chosen if math.isfinite(value)]
    level = math.log if finite and min(finite) > 0 else float
    levels = [level(value) for value in finite]
    low, high = (min(levels), max(levels)) if levels else (0.0, 0.0)
    scale = (len(BLOCKS) - 1) / ((high - low) or math.inf)
    return "".join(BLOCKS[round((level(v) - low) * scale)] if math.isfinite(v) else " " for v in chosen)


def _line(state: State) -> str:
    history = state.history
    validation = f"  validation {history.validation_loss[-1]:.6g}" if history.validation_loss else ""
    return f"epoch {state.epoch}/{state.epochs}  loss {history.loss[-1]:.6g}{validation}  {history.seconds:.1f} s"


def _times(state: State) -> str:
    """Return how long a run has taken, and how long it may still take."""
    seconds = state.history.seconds
    left = seconds / max(state.epoch, 1) * (state.epochs - state.epoch)
    return _duration(seconds) + (f", {_duration(left)} left" if left else "")


def _duration(seconds: float) -> str:
    """Return seconds as they are, or as minutes and hours."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _speed(state: State) -> str:
    """Return the samples of a second, with a prefix."""
    speed = len(state.task.Y) * state.epoch / max(state.history.seconds, 1e-9)
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if speed >= size:
            return f"{speed / size:.3g} {prefix}"
    return f"{speed:.3g} "
