"""Training by the compiled loop: what comes before it, after it, and when it lets Python have a look."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core, tensors
from ._core import LevenbergMarquardtFloat32, LevenbergMarquardtFloat64, Progress, Rule
from .reference import divergence
from .reference.arrays import Array
from .reference.layers import Layers
from .reference.loop import run_batches
from .reference.loss_choice import CustomLoss, LossSpec
from .reference.losses import Loss
from .reference.monitor import ALL_DONE, Monitor
from .reference.optimizers import OPTIMIZERS, Optimizer
from .reference.results import History
from .reference.solvers import LevenbergMarquardt, Solver
from .reference.sparse import Inputs, InputsLike
from .reference.specs import parameters
from .reference.training import Task, check_task

# Steps of a run with a schedule that the core has the factors of at a time.
MOST_FACTORS = 100_000


class Trainable(Layers):
    """Layers whose parameters the compiled core can train."""

    _core: _core.NetworkFloat32 | _core.NetworkFloat64
    _codec = tensors

    def train(
        self,
        X: InputsLike,
        Y: npt.ArrayLike,
        *,
        epochs: int,
        batch_size: int | None = None,
        optimizer: Optimizer | Solver | None = None,
        loss: LossSpec = "squared_error",
        shuffle: bool = True,
        sample_weight: npt.ArrayLike | None = None,
        validation_data: tuple[npt.ArrayLike, ...] | float | None = None,
        callbacks: Iterable[Any] = (),
        progress: bool = False,
        random_state: int | np.random.Generator | None = None,
        n_threads: int | None = None,
        metrics: Sequence[str | Callable[[Array, Array], float]] = (),
        dropout: float | Sequence[float] = 0.0,
        max_time: float | None = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> History:
        """Fit the parameters to X and Y.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_in)
            Inputs. Sparse matrices of SciPy's are read row by row, and never made dense as a whole; those of
            other formats than CSR are converted to it once. The result has the same bits as with X.toarray().
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
        loss : str or callable, default "squared_error"
            Loss of a sample, as for :meth:`loss`. A function of your own is called for every batch, which
            takes longer than a loss that the core knows, and with dropout, batches are NumPy's.
        shuffle : bool, default True
            Draw the samples of each epoch's batches in a new random order. A single batch of all
            samples has no order.
        sample_weight : array_like, shape (n,), optional
            Weights of the samples: not negative, and not all zero. They are scaled to a mean of 1, and
            multiply the loss of their samples.
        validation_data : (X, Y), (X, Y, sample_weight) or float, optional
            Samples whose mean loss is recorded at each epoch's end. A float is the fraction of the rows to
            hold out for that: before the first epoch, the first ones of a permutation drawn from
            ``random_state``. Each call draws anew; pass the samples themselves to keep them.
        callbacks : iterable of objects, default ()
            Objects with one or more of the methods on_train_begin(state), on_epoch_end(state), on_progress(state) and
            on_train_end(state), such as :class:`fastmlp.EarlyStopping`, :class:`fastmlp.Checkpoint`,
            :class:`fastmlp.CSVLog` or :class:`fastmlp.LogToLogger`; a run stops when on_epoch_end gives back
            something truthy, and a string is the reason. Without on_epoch_end and metrics no Python code runs
            between epochs, which is faster for very small networks.
        progress : bool, default False
            Show epoch, losses and time on stderr: with their course, speed and the time left on a terminal where rich
            is installed (``pip install 'fastmlp[progress]'``), otherwise in one line. That is drawn ten times a
            second, however many epochs that are.
        random_state : None, int or numpy.random.Generator, optional
            Source of the shuffles, of dropout and of the rows to hold out. A Generator goes on where it was.
        n_threads : int, optional
            The most threads to use; by default all that this process may use. Steps that are too
            small to share use one. The result has the same bits for any number.
        metrics : sequence of str or callable, default ()
            What to record at each epoch's end, of the validation data or, without such, of the training
            data: names of :mod:`fastmlp.reference.metrics`, or functions f(Y, Y_hat) -> float. The name
            "gradient_norm" asks for that of the training loss, which takes one more pass over the data.
        dropout : float or sequence of float, default 0.0
            Share of each hidden layer's activations that is dropped in a step, in [0, 1), or one for each
            of them; what stays is scaled so that the mean does (Srivastava et al., JMLR 2014). What is
            dropped follows from ``random_state``, and is the same for any number of threads. The recorded
            training loss is that with dropout; predictions and validation drop nothing.
        max_time : float, optional
            Seconds after which the run ends, between two steps.
        resume : str or path-like, optional
            What :class:`fastmlp.Checkpoint` wrote in a run with the same arguments: network, optimizer,
            generator, callbacks and history are put where they were, and the run goes on up to ``epochs`` in
            all, to the very bits of a run that was never interrupted, but for LBFGS, which begins its memory anew.
            One that a callback had ended stays so.

        Returns
        -------
        History
            Loss, metrics and learning rate of each epoch, the time, and why the run ended.

        Warns
        -----
        DivergenceWarning
            If numbers become too large. The run ends, and the network has the last finite parameters. Where an
            update overflowed, an optimizer with slots is reset.

        Raises
        ------
        ValueError, TypeError
            If an argument is wrong, or the checkpoint is damaged or another run's. The network is then as it was.
        OSError
            If the checkpoint cannot be read.
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
            losses, rates, seconds, trouble = done
            history = History(losses, [], {}, rates, [], seconds, ALL_DONE)
            if trouble:
                assert isinstance(optimizer, Optimizer)  # asked only here: the answer takes longer than a short run
                X = np.asarray(X)
                n_batches = -(-len(X) // (batch_size or len(X)))
                history.stop_reason = divergence.settle(self, optimizer, X, n_batches, *trouble)
                divergence.warn(history.stop_reason)
            return history
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
            metrics,
            dropout,
            max_time,
            n_threads,
            _core.find_nonfinite,
        )
        monitor = Monitor(self, task, callbacks, progress)
        if not self._core.claim():
            raise RuntimeError(
                "this network is being trained by another thread, or by the run that this callback belongs to: "
                "train a copy(), or wait"
            )
        try:
            monitor.prepare(resume)
            with monitor:
                if isinstance(task.optimizer, Solver):
                    task.optimizer.solve(self, task, monitor)
                elif isinstance(task.loss, CustomLoss):
                    run_batches(self, task, task.optimizer, monitor)
                else:
                    self._run(task, task.optimizer, monitor)
        finally:
            self._core.release()
        if monitor.diverged:
            divergence.warn(monitor.history.stop_reason)
        return monitor.history

    def _run(self, task: Task, optimizer: Optimizer, monitor: Monitor) -> None:
        """Run the compiled loop: at one go, or in stretches of epochs for which a schedule gives the factors."""
        before = optimizer.steps
        while monitor.epochs_left:
            rule = self._rule(optimizer)
            if type(optimizer) in OPTIMIZERS and optimizer.schedule is None and not optimizer.FULL_BATCH:
                optimizer.checked = rule
            longest = 1 if optimizer.watches_losses else max(1, MOST_FACTORS // task.n_batches)
            epochs = monitor.epochs_left if optimizer.schedule is None else min(longest, monitor.epochs_left)
            factors = optimizer.factors(epochs, task.n_batches)
            plateau = monitor.plateaus[0] if len(monitor.plateaus) == 1 else None
            counted = plateau and (plateau.tolerance, plateau.best, plateau.patience, plateau.waited)
            seen = Progress(optimizer.last_loss, counted)
            carries_on = self._run_stretch(task, optimizer, monitor, rule, epochs, factors, seen)
            if seen.diverged:
                monitor.note_divergence(optimizer.steps - before, seen.bad_layer)
            if not carries_on:
                return

    def _run_stretch(
        self,
        task: Task,
        optimizer: Optimizer,
        monitor: Monitor,
        rule: Rule,
        epochs: int,
        factors: Array | None,
        seen: Progress,
    ) -> bool:
        """Run some epochs, coming back now and then if there is anything to do; return whether to carry on."""
        steps_before = optimizer.steps
        ends = iter(() if factors is None else factors[task.n_batches - 1 :: task.n_batches].tolist())
        X_validation, Y_validation, weight_validation = task.validation or (None, None, None)
        # NumPy's own guard of the generator that the loop draws from; others may have it in reports.
        bits = task.rng.bit_generator if task.rng else None
        stopped = False

        def note() -> None:
            optimizer.steps = steps_before + seen.steps
            if optimizer.FULL_BATCH:
                optimizer.last_loss = seen.last_loss

        def add() -> None:
            nonlocal stopped
            losses, validation_losses = seen.take()
            last_factors = list(islice(ends, len(losses)))
            stopped |= monitor.add(losses, validation_losses, last_factors, tell=not seen.diverged)
            stopped |= seen.diverged or monitor.time_is_over()

        def report() -> list[float] | None:
            with _released(bits and bits.lock):
                note()
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
                    weight_validation,
                    epochs,
                    task.batch_size,
                    bits.capsule if bits else None,
                    task.shuffles,
                    task.dropout,
                    core_loss(task.loss),
                    rule,
                    factors,
                    steps_before,
                    task.n_threads,
                    monitor.watches_epochs,
                    seen,
                    report if bits or monitor.callbacks or monitor.has_watchers else None,
                )
        except BaseException:
            if monitor.callbacks or optimizer.schedule is not None:
                losses, validation_losses = seen.take()  # of epochs that nobody has heard of
                monitor.add(losses, validation_losses, list(islice(ends, len(losses))), tell=False)
            raise
        finally:
            note()
        add()
        return not stopped

    def _least_squares(
        self, X: Inputs, Y: Array, weight: Array | None, rule: LevenbergMarquardt, state: list[float]
    ) -> LevenbergMarquardtFloat32 | LevenbergMarquardtFloat64:
        compiled = LevenbergMarquardtFloat32 if self.dtype == np.float32 else LevenbergMarquardtFloat64
        numbers = rule.largest_damping, rule.gradient_tolerance, rule.step_tolerance, rule.l2
        return compiled(self._core, X, Y, weight, *numbers, rule.accelerated, rule.bayesian, state)

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
