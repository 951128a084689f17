"""A callback that keeps what a network was like during a run, to be shown as a moving picture."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..reference import checks
from ..reference.arrays import Array
from ..reference.monitor import ALL_DONE, State
from ..reference.results import History
from ..reference.sparse import is_sparse
from ..reference.training import check_samples
from . import scenes
from .animation import animate
from .models import evenly
from .replay import Replay

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation

# The most samples that are kept to be drawn.
N_SAMPLES = 500


class Recorder:
    """Keep snapshots of a run's parameters, and show them as a moving picture.

    A callback for ``train`` of both networks and for the estimators' ``callbacks``. What it keeps is bounded: when
    there are ``max_frames`` snapshots, every second one is dropped, and from there on they are taken half as often.
    They stay evenly spaced, and the first (before training) and the last are always there. Each ``train`` starts
    afresh; a run that is resumed from a checkpoint is recorded from there on.

    Parameters
    ----------
    every : int, default 1
        Epochs from one snapshot to the next, to begin with.
    max_frames : int, default 100
        The most snapshots, at least 2. Each takes the memory of ``net.parameters``.
    at : iterable of int, optional
        The very epochs to keep, beside the first and the last, instead of every so many: such as more of them at
        first, when a network changes fastest. Then ``every`` and ``max_frames`` play no part.

    Attributes
    ----------
    epochs : list of int
        Number of epochs done at each snapshot.
    snapshots : list of ndarray, shapes (n_parameters,)
        Copies of ``net.parameters``.
    history : History
        The run's own history, with every epoch's losses.

    Raises
    ------
    ValueError, TypeError
        If an argument is outside its range.

    Examples
    --------
    >>> import fastmlp, numpy as np, tempfile
    >>> X = np.linspace(-1, 1, 40).reshape(-1, 1)
    >>> net = fastmlp.Network([1, 8, 1], random_state=0)
    >>> recorder = fastmlp.plot.Recorder(max_frames=10)
    >>> history = net.train(X, np.sin(4 * X), epochs=64, optimizer=fastmlp.Adam(0.02), callbacks=[recorder])
    >>> recorder.epochs
    [0, 8, 16, 24, 32, 40, 48, 56, 64]
    >>> folder = tempfile.mkdtemp()
    >>> recorder.animate(f"{folder}/fit.gif")
    >>> replay = recorder.replay(f"{folder}/fit.html")
    """

    def __init__(self, every: int = 1, max_frames: int = 100, at: Iterable[int] | None = None) -> None:
        self.every = checks.integer(every, "every", 1)
        self.max_frames = checks.integer(max_frames, "max_frames", 2)
        self.at = None if at is None else frozenset(checks.integer(epoch, "an epoch of at", 0) for epoch in at)
        self._forget()

    def _forget(self) -> None:
        self.epochs: list[int] = []
        self.snapshots: list[Array] = []
        self.history = History()
        self._spacing = self.every
        self._network: Any = None
        self._loss: Any = None
        self._samples: tuple[Array, Array] | None = None

    def on_train_begin(self, state: State) -> None:
        """Start afresh with the network as it is."""
        self._forget()
        self._network, self._loss, self.history = state.network.copy(), state.task.loss, state.history
        self._keep_samples(state)
        self._note(state, True)

    def on_epoch_end(self, state: State) -> None:
        """Take a snapshot, if it is time to."""
        # The last one may be another's on_train_end to change: EarlyStopping puts the best parameters back.
        is_last = state.epoch == state.epochs or state.history.stop_reason != ALL_DONE
        if is_last or self._is_due(state.epoch):
            self._note(state, is_last)

    def on_train_end(self, state: State) -> None:
        """Take the last snapshot."""
        if state.epoch > self.epochs[-1]:
            self._note(state, True)
        self._keep_samples(state)  # without those that were held out once all callbacks had begun

    def _is_due(self, epoch: int) -> bool:
        if self.at is not None:
            return epoch in self.at
        return (epoch - self.epochs[0]) % self._spacing == 0

    def _note(self, state: State, in_any_case: bool) -> None:
        if len(self.epochs) == self.max_frames and self.at is None:
            del self.epochs[1::2], self.snapshots[1::2]
            self._spacing *= 2
            if not in_any_case and not self._is_due(state.epoch):
                return
        self.epochs.append(state.epoch)
        self.snapshots.append(state.network.parameters.copy())

    def _keep_samples(self, state: State) -> None:
        if state.network.layer_sizes[0] <= 2:  # others are not drawn
            self._samples = _some(state.task.X, state.task.Y)

    def animate(
        self,
        path: str | os.PathLike[str] | None = None,
        kind: str | None = None,
        X: npt.ArrayLike | None = None,
        Y: npt.ArrayLike | None = None,
        *,
        title: str = "",
        show_loss: bool = True,
        fps: float = 10,
        dpi: float = 100,
    ) -> FuncAnimation | None:
        """Write the run to a file as an animation, or return it as one of matplotlib's.

        Parameters
        ----------
        path : str or path-like, optional
            Where to: a GIF (``.gif``), or a video (``.mp4``), for which the program ffmpeg has to be installed.
            Without it nothing is written, and an animation is returned, which a notebook shows.
        kind : {"fit", "boundary", "weights", "network", "loss"}, optional
            What is shown: "fit" the curves of a network with one input; "boundary" the regions of a classifier with
            two inputs, or the surface of a regression; "weights" the matrices and biases of up to 12 layers as heat
            maps; "network" the neurons of a small network, with the weights as lines; "loss" the losses alone. By
            default "fit" for one input, "boundary" for two, and "weights" for more.
        X, Y : array_like, optional
            Samples to draw, as for ``train``. By default some (at most 500) of those trained on.
        title : str, default ""
            Words above the picture.
        show_loss : bool, default True
            Whether the losses are drawn beside it.
        fps : float, default 10
            Frames of a second, at most 100.
        dpi : float, default 100
            Pixels of an inch. A picture and the losses are 780 pixels wide with 100.

        Returns
        -------
        matplotlib.animation.FuncAnimation or None
            None if it was written to a file.

        Raises
        ------
        ValueError, TypeError
            If nothing is recorded, or an argument does not fit the network.
        ImportError
            If matplotlib is not installed.
        RuntimeError
            If the path ends in .mp4 and there is no ffmpeg.
        OSError
            If the file cannot be written.
        """
        return animate(self._film(kind, X, Y, title), path, checks.flag(show_loss, "show_loss"), fps, dpi)

    def replay(
        self,
        path: str | os.PathLike[str] | None = None,
        kind: str | None = None,
        X: npt.ArrayLike | None = None,
        Y: npt.ArrayLike | None = None,
        *,
        title: str = "",
    ) -> Replay:
        """Make a page for the browser that replays the run, with a slider, and the losses beside it.

        The page is one file, which needs no network and no further package.

        Parameters
        ----------
        path : str or path-like, optional
            Where to write it. Without it nothing is written; a notebook shows what is returned.
        kind : {"fit", "boundary", "weights", "network", "loss"}, optional
            What is shown, as for :meth:`animate`.
        X, Y : array_like, optional
            Samples to draw, as for ``train``. By default some (at most 500) of those trained on.
        title : str, default ""
            The page's title.

        Returns
        -------
        Replay
            The page, whose text is ``replay.html``.

        Raises
        ------
        ValueError, TypeError
            If nothing is recorded, or an argument does not fit the network.
        OSError
            If the file cannot be written.
        """
        page = Replay(self._film(kind, X, Y, title))
        if path is not None:
            page.save(path)
        return page

    def _film(self, kind: str | None, X: npt.ArrayLike | None, Y: npt.ArrayLike | None, title: str) -> scenes.Film:
        if not self.epochs:
            raise ValueError("nothing is recorded yet: pass the recorder to train(..., callbacks=[recorder])")
        if not isinstance(title, str):
            raise TypeError(f"title must be a string, not {title!r}")
        net = self._network.copy()
        n_in = net.layer_sizes[0]
        default = {1: "fit", 2: "boundary"}.get(n_in, "weights")
        n_needed, make = checks.find(default if kind is None else kind, scenes.KINDS, "kind")
        if n_needed not in (0, n_in):
            inputs = "one input" if n_needed == 1 else f"{n_needed} inputs"
            raise ValueError(f"kind {kind!r} is for networks with {inputs}, and this one has {n_in}")
        samples = self._checked(X, Y)
        words = f"{'-'.join(map(str, net.layer_sizes))}, {', '.join(dict.fromkeys(net.activations))}"
        scene = make(net, self.snapshots, *(samples or (None, None))) if make else None
        return scenes.Film(scene, list(self.epochs), self.history, title, words)

    def _checked(self, X: npt.ArrayLike | None, Y: npt.ArrayLike | None) -> tuple[Array, Array] | None:
        """Return the user's samples, or those trained on."""
        if X is not None and Y is not None:
            inputs, targets, _ = check_samples(self._network, X, Y, None, self._loss)
            return _some(inputs, targets)
        if X is not None or Y is not None:
            raise ValueError("X and Y go together: pass both, or none for those trained on")
        return self._samples


def _some(X: Any, Y: Array) -> tuple[Array, Array]:
    """Return some of the samples, evenly chosen."""
    rows = evenly(len(Y), N_SAMPLES)
    chosen = X[rows].toarray() if is_sparse(X) else X[rows]
    return np.array(chosen, np.float64), np.array(Y[rows], np.float64)
