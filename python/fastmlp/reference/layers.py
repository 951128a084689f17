"""What a network is: its layers' sizes and activations, and one flat buffer of parameters."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from . import checks, tensors
from .activations import activation_names
from .arrays import Array, aligned_zeros
from .initializers import Draw, initializer_of
from .loss_choice import LossSpec
from .losses import Loss
from .portable import Portable
from .results import Gradients, Origin
from .sealed import Codec
from .sparse import Inputs, InputsLike

# Rows whose derivatives by the inputs are computed together.
ROWS_AT_A_TIME = 1024

Self = TypeVar("Self", bound="Layers")


class Layers(Portable, ABC):
    """Sizes, activations and parameters: what both networks share, whoever computes with them."""

    # What their files are written and read by.
    _codec: Codec = tensors

    def __init__(
        self,
        layer_sizes: Sequence[int],
        activation: str | Sequence[str] = "tanh",
        output_activation: str = "linear",
        bias: bool = True,
        init: str | Draw = "glorot_uniform",
        dtype: npt.DTypeLike = "float32",
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        sizes = checks.layer_sizes(layer_sizes)
        names = activation_names(activation, output_activation, sizes)
        draw = initializer_of(init)
        rng = checks.generator(random_state)
        self._lay_out(sizes, names, checks.flag(bias, "bias"), checks.dtype(dtype))
        for i, W in enumerate(self._weights):
            with np.errstate(over="ignore"):
                W[:] = draw(*W.shape, rng)
            if (index := checks.find_nonfinite(W)) >= 0:
                raise ValueError(f"init {init!r} gave weights[{i}] a {W.flat[index]}: weights are finite")

    @classmethod
    def from_parameters(
        cls: type[Self],
        weights: Sequence[npt.ArrayLike],
        biases: Sequence[npt.ArrayLike] | None = None,
        activation: str | Sequence[str] = "tanh",
        output_activation: str = "linear",
        dtype: npt.DTypeLike | None = None,
    ) -> Self:
        """Make a network with given weights and biases, which are copied.

        Parameters
        ----------
        weights : sequence of array_like, shapes (n_in, n_out)
            W[l] of each layer; the rows of one are the columns of the one before.
        biases : sequence of array_like, shapes (n_out,), optional
            b[l] of each layer. None makes a network without biases.
        activation : str or sequence of str, default "tanh"
            Activation of all hidden layers, or one name per hidden layer.
        output_activation : str, default "linear"
            Activation of the output layer.
        dtype : {"float32", "float64"}, optional
            By default float32 if every weight is float32, otherwise float64.

        Returns
        -------
        Network

        Raises
        ------
        ValueError
            If shapes do not fit each other, an activation is unknown, or a number is not finite.
        TypeError
            If an array does not hold real numbers.

        Examples
        --------
        >>> import fastmlp
        >>> net = fastmlp.Network.from_parameters([[[0.95]]], activation="linear")
        >>> net.predict([[2.0]])
        array([[1.9]])
        """
        W = [np.asarray(w) for w in weights]
        for i, w in enumerate(W):
            if w.ndim != 2 or 0 in w.shape:
                raise ValueError(f"weights[{i}] must have shape (n_in, n_out), each at least 1; got {w.shape}")
            if i and w.shape[0] != W[i - 1].shape[1]:
                raise ValueError(
                    f"weights[{i}] has {w.shape[0]} rows, and weights[{i - 1}] has {W[i - 1].shape[1]} columns"
                )
        if not W:
            raise ValueError("weights is empty: a network has one matrix of weights at least")
        if biases is not None and len(biases) != len(W):
            raise ValueError(f"there are {len(W)} weights and {len(biases)} biases: one of each per layer")
        if dtype is None:
            dtype = np.float32 if all(w.dtype == np.float32 for w in W) else np.float64
        checked = checks.dtype(dtype)
        sizes = (W[0].shape[0], *(w.shape[1] for w in W))
        names = activation_names(activation, output_activation, sizes)
        W = [checks.matrix(w, f"weights[{i}]", checked, w.shape[1], "its layer") for i, w in enumerate(W)]
        b = [
            checks.matrix(np.reshape(v, (1, -1)), f"biases[{i}]", checked, W[i].shape[1], f"weights[{i}]")
            for i, v in enumerate(biases or ())
        ]
        net = cls.__new__(cls)
        net._lay_out(sizes, names, biases is not None, checked)
        for view, w in zip(net._weights, W, strict=True):
            view[:] = w
        for view, v in zip(net._biases, b, strict=True):
            view[:] = v[0]
        return net

    def _lay_out(self, sizes: tuple[int, ...], activations: tuple[str, ...], bias: bool, dtype: np.dtype[Any]) -> None:
        """Allocate the parameters, all zero, in the order W[1], b[1], W[2], b[2], ..."""
        self._sizes, self._activations, self._bias = sizes, activations, bias
        shapes = list(itertools.pairwise(sizes))
        self._parameters = aligned_zeros(sum((n + bias) * m for n, m in shapes), dtype)
        weights, biases, start = [], [], 0
        for n, m in shapes:
            weights.append(self._parameters[start : start + n * m].reshape(n, m))
            start += n * m
            if bias:
                biases.append(self._parameters[start : start + m])
                start += m
        self._weights, self._biases = tuple(weights), tuple(biases)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Number of neurons of each layer, the inputs first."""
        return self._sizes

    @property
    def activations(self) -> tuple[str, ...]:
        """Activation of each layer, the output's last, such as "tanh" or "leaky_relu(0.2)"."""
        return self._activations

    @property
    def bias(self) -> bool:
        """Whether the layers have biases."""
        return self._bias

    @property
    def weights(self) -> tuple[Array, ...]:
        """W[1]..W[L], each (n_in, n_out): live views into ``parameters``."""
        return self._weights

    @property
    def biases(self) -> tuple[Array, ...]:
        """b[1]..b[L], each (n_out,): live views into ``parameters``; empty without biases."""
        return self._biases

    @property
    def parameters(self) -> Array:
        """All weights and biases in one flat array: W[1], b[1], W[2], b[2], ... It is live."""
        return self._parameters

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._parameters.dtype

    # What those who compute with the layers give.

    @abstractmethod
    def predict(self, X: InputsLike, n_threads: int | None = None) -> Array: ...

    @abstractmethod
    def loss(
        self,
        X: InputsLike,
        Y: npt.ArrayLike,
        loss: LossSpec = "squared_error",
        sample_weight: npt.ArrayLike | None = None,
    ) -> float: ...

    @abstractmethod
    def gradients(
        self,
        X: InputsLike,
        Y: npt.ArrayLike,
        loss: LossSpec = "squared_error",
        sample_weight: npt.ArrayLike | None = None,
    ) -> Gradients: ...

    @abstractmethod
    def _inputs(self, X: InputsLike) -> Inputs:
        """Return X in the network's dtype, checked."""

    @abstractmethod
    def _first_delta(self, X: Inputs, Y_hat: Array, slope: Array) -> Array:
        """Return delta[1] of each row by itself, for derivatives ``slope`` of something by the outputs."""

    def _origin(self, Y: Array | None = None, loss: Loss | None = None) -> Origin:
        """Return what a trace is computed from, as it is now."""
        weights, biases = (tuple(a.copy() for a in arrays) for arrays in (self._weights, self._biases))
        return Origin(weights, biases, self._activations, Y, loss)

    def _in_float64(self: Self) -> Self:
        """Return an independent network with the same parameters in float64."""
        other = type(self).__new__(type(self))
        other._lay_out(self._sizes, self._activations, self._bias, np.dtype(np.float64))
        other._parameters[:] = self._parameters
        return other

    def _can_read(self, X: object, Y: object) -> bool:
        """Return whether X and Y are known to be right as they are; what is not goes through every check."""
        return False

    def input_gradients(self, X: InputsLike) -> Array:
        """Return the derivatives of every output with respect to every input: how each row's outputs would change.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_in)
            Inputs.

        Returns
        -------
        ndarray, shape (n, n_out, n_in)
            dY_hat[i, j] / dX[i, k], in the network's dtype.

        Raises
        ------
        ValueError, TypeError
            As :meth:`fastmlp.Network.predict`.

        Examples
        --------
        >>> import fastmlp
        >>> net = fastmlp.Network.from_parameters([[[2.0], [-1.0]]], activation="linear")
        >>> net.input_gradients([[1.0, 1.0]])
        array([[[ 2., -1.]]])
        """
        X = self._inputs(X)
        n, n_in, n_out = X.shape[0], self._sizes[0], self._sizes[-1]
        gradients = np.empty((n, n_out, n_in), self.dtype)
        for start in range(0, n, ROWS_AT_A_TIME):
            rows = slice(start, start + ROWS_AT_A_TIME)
            Y_hat = self.predict(X[rows])
            for j in range(n_out):
                slope = np.zeros_like(Y_hat)
                slope[:, j] = 1
                gradients[rows, j] = self._first_delta(X[rows], Y_hat, slope) @ self._weights[0].T
        return gradients

    def as_dtype(self: Self, dtype: npt.DTypeLike) -> Self:
        """Return a copy of the network that computes in another precision.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            The precision.

        Returns
        -------
        Network

        Raises
        ------
        ValueError
            If a parameter is not finite, or would not be in that precision.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Network([2, 1]).as_dtype("float64")
        Network([2, 1], output_activation='linear', dtype='float64')
        """
        chosen = checks.dtype(dtype)
        with np.errstate(over="ignore"):  # found, with its place, below
            parameters = self._parameters.astype(chosen)
        if (index := checks.find_nonfinite(parameters)) >= 0:
            raise ValueError(f"parameters[{index}] is {self._parameters[index]}: it has no place in {chosen.name}")
        other = type(self).__new__(type(self))
        other.__setstate__({**self.__getstate__(), "parameters": parameters})
        return other

    def copy(self: Self) -> Self:
        """Return an independent network with the same layers and parameters."""
        other = type(self).__new__(type(self))
        other.__setstate__(self.__getstate__())
        return other

    __copy__ = copy

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        return {
            "layer_sizes": self._sizes,
            "activations": self._activations,
            "bias": self._bias,
            "parameters": self._parameters,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        parameters = state["parameters"]
        self._lay_out(state["layer_sizes"], state["activations"], state["bias"], parameters.dtype)
        if parameters.shape != self._parameters.shape:
            raise ValueError(f"{parameters.size} parameters do not fit layers of {self._parameters.size}")
        self._parameters[:] = parameters

    def __repr__(self) -> str:
        *hidden, output = self._activations
        same = hidden[0] if hidden and len(set(hidden)) == 1 else hidden
        arguments = [repr(list(self._sizes))]
        if hidden:
            arguments.append(f"activation={same!r}")
        arguments.append(f"output_activation={output!r}")
        if not self._bias:
            arguments.append("bias=False")
        arguments.append(f"dtype={self.dtype.name!r}")
        return f"{type(self).__name__}({', '.join(arguments)})"
