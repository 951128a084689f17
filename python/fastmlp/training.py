"""Training by the compiled loop: what comes before it, after it, and when it lets Python have a look."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._core import LevenbergMarquardtFloat32, LevenbergMarquardtFloat64, Rule
from .reference import checks
from .reference.arrays import Array
from .reference.layers import Layers
from .reference.loss_choice import LossSpec
from .reference.losses import Loss
from .reference.optimizers import OPTIMIZERS, Optimizer
from .reference.results import History
from .reference.solvers import LevenbergMarquardt, Solver
from .reference.specs import parameters
from .reference.training import ALL_DONE, Monitor, Task, check_task

# Steps of a run with a schedule that the core has the factors of at a time.
MOST_FACTORS = 1_000_000


class Trainable(Layers):
    """Layers whose parameters the compiled core can train."""

    _core: _core.NetworkFloat32 | _core.NetworkFloat64

    def train(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        *,
        epochs: int,
        batch_size: int | None = None,
        optimizer: Optimizer | Solver | None = None,
        loss: LossSpec = "squared_error",
        shuffle: bool = True,
        sample_weight: npt.ArrayLike | None = None,
        validation_data: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        callbacks: Iterable[Any] = (),
        progress: bool = False,
        random_state: int | np.random.Generator | None = None,
        n_threads: int | None = None,
        metrics: Sequence[str | Callable[[Array, Array], float]] = (),
        dropout: float | Sequence[float] = 0.0,
        max_time: float | None = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> History:
        """Fit the parameters to X and Y by gradient descent.

        Parameters
        ----------
        X : array_like, shape (n, n_in)
            Inputs.
        Y : array_like, shape (n, n_out), or (n,) for a single output
            Targets.
        epochs : int
            How often all samples are gone through; 0 leaves the network as it is.
        batch_size : int, optional
            Samples of one update: None takes all (batch gradient descent), 1 is stochastic gradient
            descent, anything between is mini-batch descent. Gradients are averaged over the batch; the
            last, shorter batch of an epoch counts too.
        optimizer : Optimizer or solver, optional
            The update rule, such as ``fastmlp.SGD(0.1)``, with its penalties, limits and schedule, and its
            state, which it keeps from call to call. By default a new ``Adam()``. ``fastmlp.LBFGS()`` and
            ``fastmlp.LevenbergMarquardt()`` are solvers: an epoch is an iteration of theirs, with all samples.
        loss : {"squared_error"}, default "squared_error"
            Loss of a sample.
        shuffle : bool, default True
            Draw the samples of each epoch's batches in a new random order. A single batch of all
            samples has no order.
        sample_weight : array_like, shape (n,), optional
            Weights of the samples: not negative, and not all zero. They are scaled to a mean of 1, and
            multiply the loss of their samples.
        validation_data : pair of array_like, optional
            Inputs and targets whose mean loss is recorded at each epoch's end.
        callbacks : iterable of objects, default ()
            Objects with one or more of the methods on_train_begin(state), on_epoch_end(state) and
            on_train_end(state); a run stops when on_epoch_end gives back something truthy. Without
            callbacks no Python code runs between epochs, which is faster for very small networks.
        progress : bool, default False
            Show a line with epoch, loss and time on stderr.
        random_state : None, int or numpy.random.Generator, optional
            Source of the shuffles. A Generator goes on where it was.
        n_threads : int, optional
            The most threads to use; by default all that this process may use. Steps that are too
            small to share use one. The result has the same bits for any number.

        Returns
        -------
        History
            ``history.loss`` has one value per epoch.

        Raises
        ------
        ValueError, TypeError
            If an argument is wrong. The network is then as it was.
        RuntimeError
            If this network is being trained already, or a callback gives the optimizer another rule.
        MemoryError
            If the matrices of LevenbergMarquardt would take more than its ``memory_limit``.
        KeyboardInterrupt
            On Ctrl-C, within a tenth of a second for networks of up to a few million parameters. The
            parameters are those of the last whole step.

        Examples
        --------
        >>> import fastmlp
        >>> net = fastmlp.Network.from_parameters([[[0.95]]])
        >>> history = net.train([[2.0]], [1.0], epochs=20, optimizer=fastmlp.SGD(learning_rate=0.1))
        >>> round(float(net.weights[0][0, 0]), 4)
        0.5
        """
        done = self._core.train_if_plain(
            X,
            Y,
            epochs,
            batch_size,
            optimizer,
            loss,
            shuffle,
            sample_weight,
            validation_data,
            callbacks,
            progress,
            random_state,
            n_threads,
            metrics,
            dropout,
            max_time,
            resume,
        )
        if done is not None:
            losses, seconds = done
            return History(losses, [], seconds, ALL_DONE)
        task = check_task(
            self,
            X,
            Y,
            epochs,
            batch_size,
            optimizer,
            loss,
            shuffle,
            sample_weight,
            validation_data,
            random_state,
            _core.find_nonfinite,
        )
        threads = checks.threads(n_threads)
        monitor = Monitor(self, task, callbacks, progress)
        if not self._core.claim():
            raise RuntimeError(
                "this network is being trained by another thread, or by the run that this callback belongs to: "
                "train a copy(), or wait"
            )
        try:
            task.optimizer.prepare(self.parameters)
            with monitor:
                if isinstance(task.optimizer, Solver):
                    task.optimizer.solve(self, task, monitor)
                else:
                    self._run(task, task.optimizer, monitor, threads)
        finally:
            self._core.release()
        return monitor.history

    def _run(self, task: Task, optimizer: Optimizer, monitor: Monitor, n_threads: int) -> None:
        """Run the compiled loop: at one go, or in stretches of epochs for which a schedule gives the factors."""
        rule = self._rule(optimizer)
        if type(optimizer) in OPTIMIZERS and optimizer.schedule is None and not optimizer.FULL_BATCH:
            optimizer.checked = rule
        done = 0
        while done < task.epochs:
            longest = 1 if optimizer.watches_losses else max(1, MOST_FACTORS // task.n_batches)
            epochs = task.epochs - done if optimizer.schedule is None else min(longest, task.epochs - done)
            factors = optimizer.factors(epochs, task.n_batches)
            if not self._run_stretch(task, optimizer, monitor, n_threads, rule, epochs, factors):
                return
            done += epochs

    def _run_stretch(
        self,
        task: Task,
        optimizer: Optimizer,
        monitor: Monitor,
        n_threads: int,
        rule: Rule,
        epochs: int,
        factors: Array | None,
    ) -> bool:
        """Run some epochs, coming back now and then if there is anything to do; return whether to carry on."""
        seen, steps_before = _core.Progress(optimizer.last_loss), optimizer.steps
        ends = iter(() if factors is None else factors[task.n_batches - 1 :: task.n_batches].tolist())
        X_validation, Y_validation = task.validation or (None, None)
        # NumPy's own guard of the generator that the loop draws from; others may have it in reports.
        bits = task.rng.bit_generator if task.rng else None
        stopped = False

        def add() -> None:
            nonlocal stopped
            losses, validation_losses = seen.take()
            stopped |= monitor.add(losses, validation_losses, list(islice(ends, len(losses))))

        def report() -> list[float] | None:
            with _released(bits and bits.lock):
                optimizer.steps = steps_before + seen.steps
                add()
                return None if stopped else optimizer.hyperparameters() + optimizer.penalties()

        try:
            with bits.lock if bits else nullcontext():
                self._core.train(
                    task.X,
                    task.Y,
                    task.sample_weight,
                    X_validation,
                    Y_validation,
                    epochs,
                    task.batch_size,
                    bits.capsule if bits else None,
                    core_loss(task.loss),
                    rule,
                    factors,
                    steps_before,
                    n_threads,
                    bool(monitor.callbacks),
                    seen,
                    report if bits or monitor.has_watchers else None,
                )
        except BaseException:
            losses, validation_losses = seen.take()  # of epochs that nobody has heard of
            optimizer.end_epochs(validation_losses or losses)
            raise
        finally:
            optimizer.steps = steps_before + seen.steps
            if optimizer.FULL_BATCH:
                optimizer.last_loss = seen.last_loss
        add()
        return not stopped

    def _least_squares(
        self, X: Array, Y: Array, weight: Array | None, rule: LevenbergMarquardt, state: list[float]
    ) -> LevenbergMarquardtFloat32 | LevenbergMarquardtFloat64:
        compiled = LevenbergMarquardtFloat32 if self.dtype == np.float32 else LevenbergMarquardtFloat64
        tolerances = rule.largest_damping, rule.gradient_tolerance, rule.step_tolerance
        return compiled(self._core, X, Y, weight, *tolerances, rule.accelerated, rule.bayesian, state)

    def _rule(self, optimizer: Optimizer) -> Rule:
        """Return what the core knows of an optimizer that was checked and prepared."""
        return Rule(
            optimizer,
            optimizer.rule,
            optimizer.hyperparameters() + optimizer.penalties(),
            optimizer.slots,
            self.dtype,
        )


def core_loss(loss: Loss) -> _core.Loss:
    """Return what the core knows of a loss."""
    return _core.Loss(loss.key(), parameters(loss))


@contextmanager
def _released(lock: Any) -> Iterator[None]:
    """Give a lock, if there is one, to others for a while."""
    if lock:
        lock.release()
    try:
        yield
    finally:
        if lock:
            lock.acquire()
