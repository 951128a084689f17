"""The network in NumPy: forward pass, backward pass and training, as the mathematics is written.

Rows are samples, and layers are numbered l = 1..L::

    A[0] = X
    Z[l] = A[l-1] @ W[l] + b[l]                       net input
    A[l] = s_l(Z[l])                                  activation; A[L] = Y_hat
    J    = mean over samples of the loss
    delta[L] = dJ/dZ[L]
    delta[l] = (delta[l+1] @ W[l+1].T) * s_l'(Z[l])
    dW[l] = A[l-1].T @ delta[l]                       db[l] = column sums of delta[l]
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from . import checks, divergence
from .activations import activation_of, output_activation_of
from .arrays import Array
from .dropout import Dropout
from .layers import Layers
from .levenberg_marquardt import Run
from .links import Link
from .loop import run_batches
from .loss_choice import LossSpec, loss_of
from .losses import Given, Loss
from .monitor import Monitor
from .optimizers import Optimizer
from .results import Gradients, History, Trace
from .solvers import LevenbergMarquardt, Solver
from .sparse import Inputs, InputsLike, check_inputs, dense
from .training import check_samples, check_task


class Network(Layers):
    """A multilayer perceptron computed by NumPy, to read and to check the compiled one against.

    Its constructor and methods are those of :class:`fastmlp.Network`, which see.
    """

    def forward(self, X: Inputs, dropout: Dropout | None = None) -> Trace:
        """Return Z and A of every layer, A[0] dense; some of A is dropped, if there is dropout."""
        W, b, s = self._by_layer()
        A: list[Any] = [dense(X)]
        Z: list[Any] = [None]
        for l in range(1, len(W)):
            Z.append(A[l - 1] @ W[l] + b[l] if self.bias else A[l - 1] @ W[l])
            A.append(s[l].value(Z[l]))
            if dropout and l < len(W) - 1:
                A[l] = A[l] * dropout.mask(l, A[l])
        return Trace(Z, A)

    def backward(
        self,
        trace: Trace,
        Y: Array,
        loss: Loss,
        sample_weight: Array | None = None,
        dropout: Dropout | None = None,
    ) -> Trace:
        """Add J, delta, dW and db to what ``forward`` gave. Sample weights have a mean of 1."""
        W, _, s = self._by_layer()
        Z: list[Any] = trace.Z
        A: list[Any] = trace.A
        n, L = len(Y), len(s) - 1
        delta: list[Any] = [None] * (L + 1)
        dW: list[Any] = [None] * (L + 1)
        db: list[Any] = [None] * (L + 1)

        through_link = loss.link is not None  # then the loss is a function of Z[L]
        out = Z[L] if through_link else A[L]
        error, slope = loss.value(out, Y), loss.derivative(out, Y)
        if isinstance(s[L], Link) and not through_link:
            slope, through_link = s[L].pull_back(A[L], slope), True
        if sample_weight is not None:
            error = sample_weight * error
            slope = sample_weight[:, np.newaxis] * slope
        J = float(error.mean(dtype=np.float64))
        delta[L] = (slope if through_link else slope * s[L].derivative(Z[L], A[L])) / n
        for l in range(L, 0, -1):
            if l < L and not dropout:
                delta[l] = (delta[l + 1] @ W[l + 1].T) * s[l].derivative(Z[l], A[l])
            elif l < L and dropout:  # what is dropped has no part in the outputs
                slope = s[l].derivative(Z[l], s[l].value(Z[l])) * dropout.mask(l, Z[l])
                delta[l] = (delta[l + 1] @ W[l + 1].T) * slope
            dW[l] = A[l - 1].T @ delta[l]
            if self.bias:
                db[l] = delta[l].sum(axis=0)
        return Trace(Z, A, J, delta, dW, db)

    def predict(self, X: InputsLike, n_threads: int | None = None) -> Array:
        """Return Y_hat; see :meth:`fastmlp.Network.predict`. NumPy chooses its own threads."""
        checks.threads(n_threads)
        return self.forward(self._inputs(X)).A[-1]

    def loss(
        self,
        X: InputsLike,
        Y: npt.ArrayLike,
        loss: LossSpec = "squared_error",
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return J; see :meth:`fastmlp.Network.loss`."""
        return self.gradients(X, Y, loss, sample_weight).loss

    def gradients(
        self,
        X: InputsLike,
        Y: npt.ArrayLike,
        loss: LossSpec = "squared_error",
        sample_weight: npt.ArrayLike | None = None,
    ) -> Gradients:
        """Return J and its derivatives; see :meth:`fastmlp.Network.gradients`."""
        J = loss_of(loss, self.activations[-1])
        X, Y, weight = check_samples(self, X, Y, sample_weight, J)
        step: Any = self.backward(self.forward(X), Y, J, weight)
        return Gradients(step.J, tuple(step.dW[1:]), tuple(step.db[1:] if self.bias else ()))

    def trace(self, X: InputsLike, Y: npt.ArrayLike | None = None, loss: LossSpec = "squared_error") -> Trace:
        """Return every quantity of a step; see :meth:`fastmlp.Network.trace`."""
        if Y is None:
            return replace(self.forward(self._inputs(X)), origin=self._origin())
        J = loss_of(loss, self.activations[-1])
        X, Y, _ = check_samples(self, X, Y, None, J)
        return replace(self.backward(self.forward(X), Y, J), origin=self._origin(Y, J))

    def jacobian(self, X: InputsLike) -> Array:
        """Return the derivatives of Y_hat by all parameters; see :meth:`fastmlp.Network.jacobian`."""
        W, _, s = self._by_layer()
        trace: Any = self.forward(self._inputs(X))
        Z, A = trace.Z, trace.A
        n, L = len(A[0]), len(s) - 1
        J = np.empty((n, self.layer_sizes[-1], self.parameters.size), self.dtype)
        for output in range(J.shape[1]):
            delta = np.zeros_like(A[L])
            delta[:, output] = 1
            delta = s[L].pull_back(A[L], delta) if isinstance(s[L], Link) else delta * s[L].derivative(Z[L], A[L])
            parts = []
            for l in range(L, 0, -1):
                if l < L:
                    delta = (delta @ W[l + 1].T) * s[l].derivative(Z[l], A[l])
                dW = (A[l - 1][:, :, np.newaxis] * delta[:, np.newaxis, :]).reshape(n, W[l].size)
                parts.append(np.hstack([dW, delta]) if self.bias else dW)
            J[:, output] = np.hstack(parts[::-1])
        return J

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
        """Fit the parameters to X and Y; see :meth:`fastmlp.Network.train`."""
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
        )
        monitor = Monitor(self, task, callbacks, progress)
        monitor.prepare(resume)
        # Numbers that overflow are found by the loss.
        with monitor, np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if isinstance(task.optimizer, Solver):
                task.optimizer.solve(self, task, monitor)
            else:
                run_batches(self, task, task.optimizer, monitor)
        if monitor.diverged:
            divergence.warn(monitor.history.stop_reason)
        return monitor.history

    def _value_and_gradient(
        self, X: Inputs, Y: Array, weight: Array | None, loss: Loss, dropout: Dropout | None = None, n_threads: int = 0
    ) -> tuple[float, Array]:
        step: Any = self.backward(self.forward(X, dropout), Y, loss, weight, dropout)
        return step.J, self._flat(step)

    def _least_squares(
        self, X: Inputs, Y: Array, weight: Array | None, rule: LevenbergMarquardt, state: list[float]
    ) -> Run:
        return Run(self, X, Y, weight, rule, state)

    def _by_layer(self) -> tuple[list[Any], list[Any], list[Any]]:
        """Return W, b and s as lists indexed by the layer's number, from 1."""
        *hidden, output = self.activations
        s = [None, *map(activation_of, hidden), output_activation_of(output)]
        return [None, *self.weights], [None, *self.biases], s

    def _first_delta(self, X: Inputs, Y_hat: Array, slope: Array) -> Array:
        step: Any = self.backward(self.forward(X), slope * self.dtype.type(X.shape[0]), Given())
        first: Array = step.delta[1]
        return first

    def _mean_loss(self, X: Inputs, Y: Array, weight: Array | None, loss: Loss, n_threads: int = 0) -> float:
        step: Any = self.backward(self.forward(X), Y, loss, weight)
        return float(step.J)

    def _inputs(self, X: InputsLike) -> Inputs:
        return check_inputs(X, "X", self.dtype, self.layer_sizes[0])

    def _flat(self, step: Any) -> Array:
        """Return the gradient in the order of ``parameters``."""
        pairs = zip(step.dW[1:], step.db[1:], strict=True)
        return np.concatenate([g.ravel() for pair in pairs for g in pair if g is not None])
