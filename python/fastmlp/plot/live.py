"""A picture of the losses that is drawn anew while a run goes on."""

from __future__ import annotations

import io
import math
import sys
import time
from typing import Any

from ..reference import checks
from ..reference.monitor import State
from ..reference.progress import Progress, make_progress
from .course import losses
from .style import matplotlib, panel, root_of

# The most of a run's time that pictures may take.
SHARE = 0.2


class Live:
    """Show the losses of a run while it goes on: in a notebook, as a picture that is updated in place.

    A terminal has no place for a picture. There, and wherever else there is no notebook, this does what
    ``train(progress=True)`` does: so there is one thing for texts, and ``Live`` adds the picture. That is why
    ``progress`` need not know of notebooks, nor draw pictures where a line was asked for. Both look at a run ten times
    a second and not at every epoch, since tiny networks have epochs of a microsecond.

    Parameters
    ----------
    seconds : float, default 0.5
        Time from one picture to the next, at least; more where drawing would take over a fifth of the run. The last
        epoch is always shown.

    Raises
    ------
    ValueError, TypeError
        If ``seconds`` is outside its range.
    ImportError
        From ``train`` in a notebook, if matplotlib is not installed.

    Examples
    --------
    >>> import fastmlp
    >>> net = fastmlp.Network([1, 1], init="zeros")
    >>> history = net.train([[1.0]], [1.0], epochs=50, callbacks=[fastmlp.plot.Live()])
    """

    def __init__(self, seconds: float = 0.5) -> None:
        self.seconds = checks.number(seconds, "seconds", 0, math.inf)
        self._view: Progress | None = None

    def on_train_begin(self, state: State) -> None:
        """Look where the run is to be shown."""
        self._view = NotebookPicture(self.seconds) if in_notebook() else make_progress()

    def on_progress(self, state: State) -> None:
        """Show the run, if it is time to."""
        if self._view:
            self._view.show(state)

    def on_train_end(self, state: State) -> None:
        """Show the run as it ended."""
        if self._view:
            self._view.close()
            self._view = None


class NotebookPicture:
    """The losses as a picture in the output of a notebook's cell."""

    def __init__(self, seconds: float) -> None:
        matplotlib()  # or an error that names it, before the run
        self._seconds = seconds
        self._next = -math.inf
        self._state: State | None = None
        self._handle: Any = None

    def show(self, state: State) -> None:
        """Note the state, and draw it if enough time has gone by since the last time."""
        self._state = state
        start = time.perf_counter()
        if start >= self._next:
            is_first = self._handle is None  # which takes longer than the others: it loads fonts
            self._draw(state)
            now = time.perf_counter()
            wait = 0.0 if is_first else (now - start) * (1 - SHARE) / SHARE
            self._next = now + max(self._seconds, wait)

    def close(self) -> None:
        """Draw the last state."""
        if self._state:
            self._draw(self._state)

    def _draw(self, state: State) -> None:
        from IPython.display import Image, display

        image = Image(data=picture(state), format="png", width=640)
        if self._handle is None:
            self._handle = display(image, display_id=True)
        else:
            self._handle.update(image)


def picture(state: State) -> bytes:
    """Return the losses of a run so far as a PNG."""
    axes = losses(state.history, ax=panel(None, (6.4, 3.6)))
    axes.set_title(f"epoch {state.epoch}/{state.epochs}   loss {state.history.loss[-1]:.3g}", family="monospace")
    file = io.BytesIO()
    root_of(axes).savefig(file, format="png", dpi=160)
    return file.getvalue()


def in_notebook() -> bool:
    """Return whether this runs in a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None
