"""The network whose mathematics runs in the compiled core."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core, reference
from .reference import checks
from .reference.activations import activation_of, output_activation_of, pulled_back
from .reference.arrays import Array
from .reference.dropout import Dropout
from .reference.layers import Layers
from .reference.links import Link
from .reference.loss_choice import CustomLoss, LossSpec, loss_of
from .reference.losses import Given, Loss, SquaredError
from .reference.results import Gradients, Trace
from .reference.sparse import Inputs, InputsLike, check_inputs, dense
from .reference.specs import parameters
from .reference.training import check_samples
from .reference.validation import Samples
from .training import Trainable, core_loss


class Network(Trainable):
    """A multilayer perceptron, trained and run by the compiled core.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of neurons of each layer: inputs, hidden layers (none is allowed), outputs.
    activation : str or sequence of str, default "tanh"
        Activation of all hidden layers, or one name per hidden layer: "linear", "sigmoid", "relu",
        "tanh", "leaky_relu(slope)", "elu(alpha)", "selu", "gelu", "gelu_tanh", "silu", "mish",
        "softplus", "softsign", "hard_tanh", "sin" or "exp". Parameters in parentheses may be left out.
    output_activation : str, default "linear"
        Activation of the output layer: one of those, or "softmax" (probabilities of classes that
        exclude each other) or "mean_variance" (the means of all targets, then their variances).
    bias : bool, default True
        Whether layers add biases to their net inputs.
    init : str or callable, default "glorot_uniform"
        How the initial weights are drawn: "glorot_uniform", "glorot_normal", "he_uniform", "he_normal",
        "lecun_uniform", "lecun_normal", "orthogonal(gain)", "zeros", "constant(value)", or a function
        f(n_in, n_out, rng) that gives an array of shape (n_in, n_out). Biases start at zero.
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
        functions = [*map(activation_of, activations[:-1]), output_activation_of(activations[-1])]
        specs = [(s.name, parameters(s)[0] if parameters(s) else 0.0) for s in functions]
        self._core = compiled(sizes, specs, bias, self._parameters)

    def predict(self, X: InputsLike, n_threads: int | None = None) -> Array:
        """Return the outputs Y_hat for the rows of X.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_in)
            Inputs, one row per sample. An array of the network's dtype in C order is read where it is, and so is
            a sparse matrix of SciPy's in CSR format, which is never made dense as a whole; anything else is
            converted first.
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
        X: InputsLike,
        Y: npt.ArrayLike,
        loss: LossSpec = "squared_error",
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return J, the mean loss of the samples.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_in)
            Inputs.
        Y : array_like, shape (n, n_out), or (n,) for a single output
            Targets.
        loss : str or callable, default "squared_error"
            Loss of a sample: "squared_error" (1/2 * sum over outputs of (Y_hat - Y)^2), "absolute_error",
            "huber(delta)", "log_cosh", "quantile(level, ...)", "poisson", "gamma", "gaussian_nll" or
            "log_loss(label_smoothing)"; docs/training.md says which targets and which output activation
            each one takes. Or a function f(Y_hat, Y) that gives the losses, shape (n,), and their
            derivatives with respect to Y_hat, shape (n, n_out).
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
        J = loss_of(loss, self.activations[-1])
        X, Y, weight = self._samples(X, Y, sample_weight, J)
        return self._mean_loss(X, Y, weight, J)

    def gradients(
        self,
        X: InputsLike,
        Y: npt.ArrayLike,
        loss: LossSpec = "squared_error",
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
        J = loss_of(loss, self.activations[-1])
        samples = self._samples(X, Y, sample_weight, J)
        flat = type(self).__new__(type(self))
        Layers._lay_out(flat, self._sizes, self._activations, self._bias, self.dtype)
        value, flat.parameters[:] = self._value_and_gradient(*samples, J)
        return Gradients(value, flat.weights, flat.biases)

    def trace(self, X: InputsLike, Y: npt.ArrayLike | None = None, loss: LossSpec = "squared_error") -> Trace:
        """Return every quantity of a forward pass and, with Y, of a backward pass.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_in)
            Inputs.
        Y : array_like, shape (n, n_out), or (n,) for a single output, optional
            Targets.
        loss : str or callable, default "squared_error"
            Loss of a sample, as for :meth:`loss`.

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
        if Y is None:
            X = self._inputs(X)
            _, Z, A, _ = self._core.trace(X, None, core_loss(SquaredError()))
            return Trace([None, *Z], [dense(X), *A], origin=self._origin())
        chosen = loss_of(loss, self.activations[-1])
        X, Y, _ = self._samples(X, Y, None, chosen)
        losses, slope = self._given_slope(X, Y, chosen)
        if losses is None:
            J, Z, A, delta = self._core.trace(X, Y, core_loss(chosen))
        else:
            J = _mean(losses, None)
            _, Z, A, delta = self._core.trace(X, slope, core_loss(Given()))
        gradients = self.gradients(X, Y, loss)
        dW, db = [None, *gradients.weights], [None, *(gradients.biases or [None] * len(Z))]
        return Trace([None, *Z], [dense(X), *A], J, [None, *delta], dW, db, self._origin(Y, chosen))

    def jacobian(self, X: InputsLike) -> Array:
        """Return the derivatives of every output with respect to every parameter.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_in)
            Inputs.

        Returns
        -------
        ndarray, shape (n, n_out, p)
            dY_hat[i, k] / dparameters, for each row and output, in the network's dtype and in the order of
            ``parameters``. It takes n * n_out * p numbers of memory.

        Raises
        ------
        ValueError
            If the shape does not fit, or an element is NaN or infinite.
        TypeError
            If X does not hold real numbers.

        Examples
        --------
        >>> import fastmlp
        >>> net = fastmlp.Network.from_parameters([[[2.0], [3.0]]], [[1.0]])
        >>> net.jacobian([[5.0, 7.0]])
        array([[[5., 7., 1.]]])
        """
        X = self._inputs(X)
        J = self._core.jacobian(X)
        output = output_activation_of(self.activations[-1])
        if not isinstance(output, Link):
            return J
        Y_hat, dZ = self.predict(X), J.copy()
        for k, slope in enumerate(np.eye(J.shape[1], dtype=self.dtype)):
            pulled = output.pull_back(Y_hat, np.broadcast_to(slope, Y_hat.shape))
            np.einsum("ij,ijp->ip", pulled, dZ, out=J[:, k])
        return J

    def _samples(self, X: InputsLike, Y: npt.ArrayLike, sample_weight: npt.ArrayLike | None, loss: Loss) -> Samples:
        return check_samples(self, X, Y, sample_weight, loss, _core.find_nonfinite)

    def _mean_loss(self, X: Inputs, Y: Array, weight: Array | None, loss: Loss, n_threads: int = 0) -> float:
        if isinstance(loss, CustomLoss):
            return _mean(loss.value(self._core.predict(X, n_threads), Y), weight)
        return self._core.loss(X, Y, weight, core_loss(loss), n_threads)

    def _twin(self) -> reference.Network:
        """Return the network of NumPy with these very parameters."""
        twin = reference.Network.__new__(reference.Network)
        twin.__dict__.update({name: value for name, value in self.__dict__.items() if name != "_core"})
        return twin

    def _value_and_gradient(
        self,
        X: Inputs,
        Y: Array,
        weight: Array | None,
        loss: Loss,
        dropout: Dropout | None = None,
        n_threads: int = 0,
    ) -> tuple[float, Array]:
        if dropout:  # with a user's own loss; the compiled loop has the other losses
            return self._twin()._value_and_gradient(X, Y, weight, loss, dropout)
        gradient = np.empty_like(self.parameters)
        losses, slope = self._given_slope(X, Y, loss, n_threads)
        if losses is None:
            return self._core.gradient(X, Y, weight, core_loss(loss), gradient, n_threads), gradient
        self._core.gradient(X, slope, weight, core_loss(Given()), gradient, n_threads)
        return _mean(losses, weight), gradient

    def _given_slope(self, X: Inputs, Y: Array, loss: Loss, n_threads: int = 0) -> tuple[Array | None, Array]:
        """Return what a user's own loss gives: losses, and derivatives as the core takes them; None, Y for others."""
        if not isinstance(loss, CustomLoss):
            return None, Y
        Y_hat = self._core.predict(X, n_threads)
        losses, slope = loss.both(Y_hat, Y)
        return losses, pulled_back(self.activations[-1], Y_hat, slope)

    def _first_delta(self, X: Inputs, Y_hat: Array, slope: Array) -> Array:
        slope = np.ascontiguousarray(pulled_back(self.activations[-1], Y_hat, slope))
        delta: list[Array] = self._core.trace(X, slope, core_loss(Given()), of_mean=False)[3]
        return delta[0]

    def _can_read(self, X: object, Y: object) -> bool:
        return self._core.can_read(X, Y)

    def _inputs(self, X: InputsLike) -> Inputs:
        return check_inputs(X, "X", self.dtype, self._sizes[0], _core.find_nonfinite)


def _mean(losses: Array, weight: Array | None) -> float:
    """Return the mean of the samples' losses, with weights whose mean is 1."""
    return float((losses if weight is None else losses * weight).mean(dtype=np.float64))
