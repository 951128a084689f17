"""Steps scaled by means of squared gradients: Adagrad, RMSprop, Adam and its variants."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from .. import checks
from ..arrays import Array
from .base import Optimizer


class Adaptive(Optimizer):
    """A rule that divides by the root of a mean of squares, with an epsilon that keeps this finite."""

    epsilon: float  # a field of each rule, after its others

    def check(self) -> None:
        super().check()
        checks.number(self.epsilon, "epsilon", 0, math.inf, open_low=True)

    def prepare(self, parameters: Array) -> None:
        if self.epsilon < 1e3 * float(np.finfo(parameters.dtype).tiny):
            dtype = parameters.dtype.name
            raise ValueError(f"epsilon={self.epsilon!r} is too small for {dtype}: it would round to zero")
        super().prepare(parameters)


@dataclass(repr=False)
class Adagrad(Adaptive):
    """Adagrad: steps scaled by the sum of all squared gradients so far.

    v <- v + dW^2; W <- W - learning_rate * dW / (sqrt(v) + epsilon).

    Parameters
    ----------
    learning_rate : float, default 0.01
        Step size, above 0.
    epsilon : float, default 1e-10
        Keeps the division finite, above 0.
    **penalties
        l1, l2, weight_decay, decay_biases, clip_value, clip_norm, max_norm and schedule: see
        :class:`fastmlp.Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If a hyperparameter is outside its range.

    References
    ----------
    J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.Adagrad(0.1)
    Adagrad(learning_rate=0.1, epsilon=1e-10)
    """

    learning_rate: float = 0.01
    epsilon: float = 1e-10

    HYPERPARAMETERS: ClassVar[tuple[str, ...]] = ("learning_rate", "epsilon")

    @property
    def rule(self) -> str:
        return "adagrad"

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("v",)

    def step(self, W: Array, dW: Array, learning_rate: float, rose: bool) -> None:
        real, v = W.dtype.type, self.slots[0]
        v += dW * dW
        W -= real(learning_rate) * dW / (np.sqrt(v) + real(self.epsilon))


@dataclass(repr=False)
class RMSprop(Adaptive):
    """RMSprop: steps scaled by a running mean of squared gradients.

    v <- rho * v + (1 - rho) * dW^2; W <- W - learning_rate * dW / (sqrt(v) + epsilon).

    Parameters
    ----------
    learning_rate : float, default 0.001
        Step size, above 0.
    rho : float, default 0.9
        Decay of the running mean, in [0, 1).
    epsilon : float, default 1e-8
        Keeps the division finite, above 0.
    **penalties
        l1, l2, weight_decay, decay_biases, clip_value, clip_norm, max_norm and schedule: see
        :class:`fastmlp.Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If a hyperparameter is outside its range.

    References
    ----------
    G. Hinton, N. Srivastava, K. Swersky, "Neural networks for machine learning", lecture 6e,
    Coursera, 2012.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.RMSprop(0.01)
    RMSprop(learning_rate=0.01, rho=0.9, epsilon=1e-08)
    """

    learning_rate: float = 0.001
    rho: float = 0.9
    epsilon: float = 1e-8

    HYPERPARAMETERS: ClassVar[tuple[str, ...]] = ("learning_rate", "rho", "epsilon")

    def check(self) -> None:
        super().check()
        checks.number(self.rho, "rho", 0, 1)

    @property
    def rule(self) -> str:
        return "rmsprop"

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("v",)

    def step(self, W: Array, dW: Array, learning_rate: float, rose: bool) -> None:
        real, v = W.dtype.type, self.slots[0]
        v[:] = real(self.rho) * v + real(1 - self.rho) * dW * dW
        W -= real(learning_rate) * dW / (np.sqrt(v) + real(self.epsilon))


@dataclass(repr=False)
class Adam(Adaptive):
    """Adam: steps scaled by running means of the gradient and of its square.

    m <- beta_1 * m + (1 - beta_1) * dW; v <- beta_2 * v + (1 - beta_2) * dW^2; then, with t the
    number of steps, W <- W - learning_rate * (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon).

    Parameters
    ----------
    learning_rate : float, default 0.001
        Step size, above 0.
    beta_1, beta_2 : float, default 0.9 and 0.999
        Decay of the running means of the gradient and of its square, in [0, 1).
    epsilon : float, default 1e-8
        Keeps the division finite, above 0.
    **penalties
        l1, l2, weight_decay, decay_biases, clip_value, clip_norm, max_norm and schedule: see
        :class:`fastmlp.Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If a hyperparameter is outside its range.

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.Adam(learning_rate=0.01)
    Adam(learning_rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-08)
    """

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    HYPERPARAMETERS: ClassVar[tuple[str, ...]] = ("learning_rate", "beta_1", "beta_2", "epsilon")

    def check(self) -> None:
        super().check()
        checks.number(self.beta_1, "beta_1", 0, 1)
        checks.number(self.beta_2, "beta_2", 0, 1)

    @property
    def rule(self) -> str:
        return "adam"

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("m", "v")

    def step(self, W: Array, dW: Array, learning_rate: float, rose: bool) -> None:
        real = W.dtype.type
        beta_1, beta_2, t = self.beta_1, self.beta_2, self.steps
        m, v = self.slots
        m[:] = real(beta_1) * m + real(1 - beta_1) * dW
        v[:] = real(beta_2) * v + real(1 - beta_2) * dW * dW
        m_hat = m / real(1 - beta_1**t)
        v_hat = v / real(1 - beta_2**t)
        W -= real(learning_rate) * m_hat / (np.sqrt(v_hat) + real(self.epsilon))


@dataclass(repr=False)
class AdamW(Adam):
    """Adam with decoupled weight decay: W <- W - learning_rate * weight_decay * W, before Adam's step.

    An L2 penalty would be scaled like the gradient, and hardly act on weights whose gradients are large;
    decay acts on all alike.

    Parameters
    ----------
    learning_rate, beta_1, beta_2, epsilon
        As for :class:`Adam`.
    weight_decay : float, default 0.01
        Strength of the decay. Biases do not decay unless decay_biases is True.
    **penalties
        l1, l2, decay_biases, clip_value, clip_norm, max_norm and schedule: see
        :class:`fastmlp.Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If a hyperparameter is outside its range.

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.AdamW(0.01)
    AdamW(learning_rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-08, weight_decay=0.01)
    """

    weight_decay: float = field(default=0.01, kw_only=True)


@dataclass(repr=False)
class NAdam(Adam):
    """NAdam: Adam with Nesterov's momentum.

    m <- beta_1 * m + (1 - beta_1) * dW; v <- beta_2 * v + (1 - beta_2) * dW^2; then, with t the
    number of steps, m_hat = beta_1 * m / (1 - beta_1^(t+1)) + (1 - beta_1) * dW / (1 - beta_1^t) and
    W <- W - learning_rate * m_hat / (sqrt(v / (1 - beta_2^t)) + epsilon). beta_1 is the same for all t.

    Parameters
    ----------
    learning_rate : float, default 0.001
        Step size, above 0.
    beta_1, beta_2 : float, default 0.9 and 0.999
        Decay of the running means of the gradient and of its square, in [0, 1).
    epsilon : float, default 1e-8
        Keeps the division finite, above 0.
    **penalties
        l1, l2, weight_decay, decay_biases, clip_value, clip_norm, max_norm and schedule: see
        :class:`fastmlp.Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If a hyperparameter is outside its range.

    References
    ----------
    T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR 2016, workshop track.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.NAdam()
    NAdam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08)
    """

    @property
    def rule(self) -> str:
        return "nadam"

    def step(self, W: Array, dW: Array, learning_rate: float, rose: bool) -> None:
        real = W.dtype.type
        beta_1, beta_2, t = self.beta_1, self.beta_2, self.steps
        m, v = self.slots
        m[:] = real(beta_1) * m + real(1 - beta_1) * dW
        v[:] = real(beta_2) * v + real(1 - beta_2) * dW * dW
        m_hat = real(beta_1 / (1 - beta_1 ** (t + 1))) * m + real((1 - beta_1) / (1 - beta_1**t)) * dW
        v_hat = v / real(1 - beta_2**t)
        W -= real(learning_rate) * m_hat / (np.sqrt(v_hat) + real(self.epsilon))
