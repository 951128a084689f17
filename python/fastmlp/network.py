"""The network whose mathematics runs in the compiled core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from .reference import checks
from .reference.arrays import Array
from .reference.layers import Layers
from .reference.losses import LOSSES
from .reference.optimizers import RULES, Optimizer
from .reference.results import Gradients, History, Trace
from .reference.training import ALL_DONE, Monitor, Task, check_samples, check_task

# Those whose numbers follow from their attributes alone.
OWN_OPTIMIZERS = {type(optimizer) for optimizer in RULES.values()}


class Network(Layers):
    """A multilayer perceptron, trained and run by the compiled core.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of neurons of each layer: inputs, hidden layers (none is allowed), outputs.
    activation : str or sequence of str, default "tanh"
        Activation of all hidden layers, or one name per hidden layer: "linear", "sigmoid",
        "relu" or "tanh".
    output_activation : str, default "linear"
        Activation of the output layer.
    bias : bool, default True
        Whether layers add biases to their net inputs.
    init : {"glorot_uniform", "he_uniform", "zeros"}, default "glorot_uniform"
        How the initial weights are drawn. Biases start at zero.
    dtype : {"float32", "float64"}, default "float32"
        Type of the parameters, and of all that is computed with them.
    random_state : None, int or numpy.random.Generator, optional
        Source of the initial weights. A Generator goes on where it was.

    Raises
    ------
    ValueError, TypeError
        If an argument is outside its range or of the wrong type; the message says which.

    See Also
    --------
    fastmlp.reference.Network : the same face in NumPy, written to be read.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
    >>> net = fastmlp.Network([1, 16, 1], random_state=0)
    >>> history = net.train(X, np.sin(3 * X), epochs=500, batch_size=20,
    ...                     optimizer=fastmlp.Adam(learning_rate=0.01), random_state=0)
    >>> bool(history.loss[-1] < 1e-3)
    True
    """

    def _lay_out(self, sizes: tuple[int, ...], activations: tuple[str, ...], bias: bool, dtype: np.dtype[Any]) -> None:
        super()._lay_out(sizes, activations, bias, dtype)
        compiled = _core.NetworkFloat32 if dtype == np.float32 else _core.NetworkFloat64
        self._core = compiled(sizes, activations, bias, self._parameters)

    def predict(self, X: npt.ArrayLike, n_threads: int | None = None) -> Array:
        """Return the outputs Y_hat for the rows of X.

        Parameters
        ----------
        X : array_like, shape (n, n_in)
            Inputs, one row per sample. An array of the network's dtype in C order is read where it is;
            anything else is converted first.
        n_threads : int, optional
            The most threads to use; by default all that this process may use. A small job uses fewer.

        Returns
        -------
        ndarray, shape (n, n_out)
            Y_hat, in the network's dtype. A row's values do not depend on the rows around it.

        Raises
        ------
        ValueError
            If the shape does not fit, or an element is NaN or infinite.
        TypeError
            If X does not hold real numbers.

        Examples
        --------
        >>> import fastmlp
        >>> net = fastmlp.Network.from_parameters([[[1.0], [2.0]]], [[0.5]])
        >>> net.predict([[1.0, 1.0], [0.0, 0.0]])
        array([[3.5],
               [0.5]])
        """
        if n_threads is None and (Y_hat := self._core.predict_if_plain(X)) is not None:
            return Y_hat
        return self._core.predict(self._inputs(X), checks.threads(n_threads))

    def loss(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        loss: str = "squared_error",
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return J, the mean loss of the samples.

        Parameters
        ----------
        X : array_like, shape (n, n_in)
            Inputs.
        Y : array_like, shape (n, n_out), or (n,) for a single output
            Targets.
        loss : {"squared_error"}, default "squared_error"
            1/2 * sum over outputs of (Y_hat - Y)^2, for each sample.
        sample_weight : array_like, shape (n,), optional
            Weights of the samples in the mean: not negative, and not all zero.

        Returns
        -------
        float

        Raises
        ------
        ValueError, TypeError
            If shapes do not fit, a number is not finite, or a name is unknown.

        Examples
        --------
        >>> import fastmlp
        >>> net = fastmlp.Network.from_parameters([[[1.0]]])
        >>> net.loss([[1.0], [3.0]], [0.0, 0.0])
        2.5
        """
        checks.find(loss, LOSSES, "loss")
        return self._core.loss(*check_samples(self, X, Y, sample_weight, _core.find_nonfinite), loss, 0)

    def gradients(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        loss: str = "squared_error",
        sample_weight: npt.ArrayLike | None = None,
    ) -> Gradients:
        """Return J and its derivatives with respect to all weights and biases.

        Parameters
        ----------
        X, Y, loss, sample_weight
            As for :meth:`loss`.

        Returns
        -------
        Gradients
            ``loss`` (J), ``weights`` (dW[1]..dW[L]) and ``biases`` (db[1]..db[L]).

        Raises
        ------
        ValueError, TypeError
            If shapes do not fit, a number is not finite, or a name is unknown.

        Examples
        --------
        >>> import fastmlp
        >>> net = fastmlp.Network.from_parameters([[[0.95]]])
        >>> net.gradients([[2.0]], [[1.0]]).weights[0]
        array([[1.8]])
        """
        checks.find(loss, LOSSES, "loss")
        samples = check_samples(self, X, Y, sample_weight, _core.find_nonfinite)
        flat = type(self).__new__(type(self))
        Layers._lay_out(flat, self._sizes, self._activations, self._bias, self.dtype)
        J = self._core.gradient(*samples, loss, flat.parameters, 0)
        return Gradients(J, flat.weights, flat.biases)

    def trace(self, X: npt.ArrayLike, Y: npt.ArrayLike | None = None, loss: str = "squared_error") -> Trace:
        """Return every quantity of a forward pass and, with Y, of a backward pass.

        Parameters
        ----------
        X : array_like, shape (n, n_in)
            Inputs.
        Y : array_like, shape (n, n_out), or (n,) for a single output, optional
            Targets.
        loss : {"squared_error"}, default "squared_error"
            Loss of a sample.

        Returns
        -------
        Trace
            Z, A and, with Y, J, delta, dW and db, as lists indexed by the layer's number.

        Raises
        ------
        ValueError, TypeError
            If shapes do not fit, a number is not finite, or a name is unknown.

        Examples
        --------
        >>> import fastmlp
        >>> net = fastmlp.Network.from_parameters([[[0.8]], [[0.6]]], activation="linear")
        >>> step = net.trace([[2.0]], [[1.0]])
        >>> step.Z[1], step.A[2], step.dW[2]
        (array([[1.6]]), array([[0.96]]), array([[-0.064]]))
        """
        checks.find(loss, LOSSES, "loss")
        if Y is None:
            X = self._inputs(X)
            _, Z, A, _ = self._core.trace(X, None, loss)
            return Trace([None, *Z], [X, *A])
        X, Y, _ = check_samples(self, X, Y, None, _core.find_nonfinite)
        J, Z, A, delta = self._core.trace(X, Y, loss)
        gradients = self.gradients(X, Y, loss)
        dW, db = [None, *gradients.weights], [None, *(gradients.biases or [None] * len(Z))]
        return Trace([None, *Z], [X, *A], J, [None, *delta], dW, db)

    def train(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        *,
        epochs: int,
        batch_size: int | None = None,
        optimizer: Optimizer | None = None,
        loss: str = "squared_error",
        shuffle: bool = True,
        sample_weight: npt.ArrayLike | None = None,
        validation_data: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        callbacks: Iterable[Any] = (),
        progress: bool = False,
        random_state: int | np.random.Generator | None = None,
        n_threads: int | None = None,
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
        optimizer : SGD or Adam, optional
            The update rule, with its state, which it keeps from call to call. By default a new ``Adam()``.
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
                self._run(task, monitor, threads)
        finally:
            self._core.release()
        return monitor.history

    def _run(self, task: Task, monitor: Monitor, n_threads: int) -> None:
        """Run the compiled loop, which comes back to ``report`` now and then if there is anything to do there."""
        optimizer = task.optimizer
        rule = self._rule(optimizer)
        if type(optimizer) in OWN_OPTIMIZERS:
            optimizer.checked = rule
        seen, steps_before = _core.Progress(), optimizer.steps
        X_validation, Y_validation = task.validation or (None, None)
        # NumPy's own guard of the generator that the loop draws from; others may have it in reports.
        bits = task.rng.bit_generator if task.rng else None

        def report() -> list[float] | None:
            with _released(bits and bits.lock):
                optimizer.steps = steps_before + seen.steps
                return None if monitor.add(*seen.take()) else optimizer.hyperparameters()

        try:
            with bits.lock if bits else nullcontext():
                self._core.train(
                    task.X,
                    task.Y,
                    task.sample_weight,
                    X_validation,
                    Y_validation,
                    task.epochs,
                    task.batch_size,
                    bits.capsule if bits else None,
                    task.loss,
                    rule,
                    steps_before,
                    n_threads,
                    bool(monitor.callbacks),
                    seen,
                    report if bits or monitor.has_watchers else None,
                )
        finally:
            optimizer.steps = steps_before + seen.steps
        monitor.add(*seen.take())

    def _rule(self, optimizer: Optimizer) -> _core.Rule:
        """Return what the core knows of an optimizer that was checked and prepared."""
        return _core.Rule(
            optimizer,
            optimizer.attributes(),
            optimizer.rule,
            optimizer.normalizes,
            optimizer.hyperparameters(),
            optimizer.slots,
            self.dtype,
        )

    def _can_read(self, X: object, Y: object) -> bool:
        return self._core.can_read(X, Y)

    def _inputs(self, X: npt.ArrayLike) -> Array:
        n_in = self._sizes[0]
        return checks.matrix(X, "X", self.dtype, n_in, f"a network of {n_in} input(s)", _core.find_nonfinite)


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
