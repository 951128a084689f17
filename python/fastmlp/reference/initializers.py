"""Initial weights: how they are drawn. Biases start at zero.

Limits and deviations keep the variance of signals from layer to layer: with the mean of n_in and n_out
for gradients as well (Glorot), for n_in alone (LeCun), for n_in where relu halves it (He).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from . import checks, specs
from .arrays import Array


@dataclass(frozen=True)
class Initializer(ABC):
    """What every initialiser has."""

    name: ClassVar[str]

    @abstractmethod
    def draw(self, n_in: int, n_out: int, rng: np.random.Generator) -> Array:
        """Return weights of shape (n_in, n_out)."""


class _Uniform(Initializer):
    """Uniform with a variance of share / fan."""

    share: ClassVar[int]

    @staticmethod
    def fan(n_in: int, n_out: int) -> int:
        """Return the number of neurons that decides."""
        return n_in

    def draw(self, n_in: int, n_out: int, rng: np.random.Generator) -> Array:
        limit = math.sqrt(3 * self.share / self.fan(n_in, n_out))
        return rng.uniform(-limit, limit, (n_in, n_out))


class _Normal(_Uniform):
    """Normal with a variance of share / fan."""

    def draw(self, n_in: int, n_out: int, rng: np.random.Generator) -> Array:
        return rng.normal(0, math.sqrt(self.share / self.fan(n_in, n_out)), (n_in, n_out))


class GlorotUniform(_Uniform):
    """Uniform in +-sqrt(6 / (n_in + n_out)): Glorot & Bengio (AISTATS 2010)."""

    name = "glorot_uniform"
    share = 2

    @staticmethod
    def fan(n_in: int, n_out: int) -> int:
        return n_in + n_out


class GlorotNormal(_Normal):
    """Normal with variance 2 / (n_in + n_out): Glorot & Bengio (AISTATS 2010)."""

    name = "glorot_normal"
    share = 2

    @staticmethod
    def fan(n_in: int, n_out: int) -> int:
        return n_in + n_out


class HeUniform(_Uniform):
    """Uniform in +-sqrt(6 / n_in), made for relu: He et al. (ICCV 2015)."""

    name = "he_uniform"
    share = 2


class HeNormal(_Normal):
    """Normal with variance 2 / n_in, made for relu: He et al. (ICCV 2015)."""

    name = "he_normal"
    share = 2


class LecunUniform(_Uniform):
    """Uniform in +-sqrt(3 / n_in): LeCun et al. (Efficient BackProp, 1998)."""

    name = "lecun_uniform"
    share = 1


class LecunNormal(_Normal):
    """Normal with variance 1 / n_in, right for selu: LeCun et al. (Efficient BackProp, 1998)."""

    name = "lecun_normal"
    share = 1


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """Rows or columns, whichever are fewer, at right angles and of length ``gain``: Saxe et al. (ICLR 2014)."""

    name = "orthogonal"
    gain: float = 1.0

    def __post_init__(self) -> None:
        checks.number(self.gain, "gain", 0, math.inf, open_low=True)

    def draw(self, n_in: int, n_out: int, rng: np.random.Generator) -> Array:
        q, r = np.linalg.qr(rng.standard_normal((max(n_in, n_out), min(n_in, n_out))))
        q *= np.where(np.diag(r) < 0, -self.gain, self.gain)  # signs that make it uniform over all of them
        W: Array = q if n_in >= n_out else q.T
        return W


class Zeros(Initializer):
    """All zero: for networks without hidden layers, and for tests."""

    name = "zeros"

    def draw(self, n_in: int, n_out: int, rng: np.random.Generator) -> Array:
        return np.zeros((n_in, n_out))


@dataclass(frozen=True)
class Constant(Initializer):
    """All the same. Neurons of a layer that start alike stay alike."""

    name = "constant"
    value: float = 0.0

    def __post_init__(self) -> None:
        checks.number(self.value, "value", -math.inf, math.inf, open_low=True)

    def draw(self, n_in: int, n_out: int, rng: np.random.Generator) -> Array:
        return np.full((n_in, n_out), self.value)


_all: tuple[type[Initializer], ...] = (
    *(GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal),
    *(Orthogonal, Zeros, Constant),
)
INITIALIZERS: dict[str, type[Initializer]] = {init.name: init for init in _all}

Draw = Callable[[int, int, np.random.Generator], Any]


def initializer_of(init: object) -> Draw:
    """Return what draws weights: for a spec such as "he_normal", or a user's own function of the same arguments."""
    if not callable(init):
        return specs.make(init, INITIALIZERS, "init").draw

    def checked(n_in: int, n_out: int, rng: np.random.Generator) -> Array:
        W = np.asarray(init(n_in, n_out, rng))
        if W.shape != (n_in, n_out):
            raise ValueError(f"init {init!r} gave weights of shape {W.shape}, not {(n_in, n_out)}")
        return W

    return checked
