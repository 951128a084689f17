"""What a fit holds on to, so that the next one can go on."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

import numpy as np

from ..network import Network
from ..reference.optimizers import Optimizer
from ..reference.solvers import Solver
from . import settings
from .stopping import LossStopping, ScoreStopping

# The parameters that an optimizer, and what ends its runs, are made of.
ASKED = (
    *("solver", "learning_rate", "learning_rate_init", "power_t", "momentum", "nesterovs_momentum"),
    *("beta_1", "beta_2", "epsilon", "max_fun", "tol", "n_iter_no_change", "early_stopping", "weight_decay"),
    *settings.PENALTIES,
)
asked_of = attrgetter(*ASKED)


@dataclass
class Held:
    """Beside the network, all that changes with a fit; and the parameters that it was made of."""

    optimizer: Any
    stopping: LossStopping | ScoreStopping | None
    rng: np.random.Generator
    split_seed: int
    asked: tuple[Any, ...]

    @classmethod
    def of(cls, est: Any, optimizer: Optimizer | Solver, rng: np.random.Generator) -> Held:
        """Return what a first fit begins with."""
        return cls(optimizer, _stopping(est, optimizer), rng, int(rng.integers(2**31)), _noted(asked_of(est)))

    def followed(self, est: Any, net: Network, n_samples: int) -> Held:
        """Return what a fit goes on with: this, or one that heeds the parameters that were set since."""
        asked = asked_of(est)
        if asked == self.asked:
            return self
        before = copy.copy(est).set_params(**dict(zip(ASKED, self.asked, strict=True)))
        made, made_before = (_optimizer(e, net, n_samples) for e in (est, before))
        stopping = _going_on(_stopping(est, made), self.stopping)
        optimizer = _with_changes(self.optimizer, made_before, made)
        return Held(optimizer, stopping, self.rng, self.split_seed, _noted(asked))

    @contextmanager
    def unharmed(self, net: Network) -> Iterator[None]:
        """Have the network, and what is held beside it, be what they were, if an error ends a fit that goes on."""
        parameters, drawn = net.parameters.copy(), self.rng.bit_generator.state
        optimizer, stopping = copy.deepcopy(self.optimizer), copy.deepcopy(self.stopping)
        try:
            yield
        except BaseException:
            net.parameters[:] = parameters
            self.rng.bit_generator.state = drawn
            self.optimizer, self.stopping = optimizer, stopping
            raise


def _noted(asked: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return parameters, with a copy of the solver if it is an object, whose numbers its owner may set."""
    solver, *others = asked
    return (copy.copy(solver), *others)


def _optimizer(est: Any, net: Network, n_samples: int) -> Optimizer | Solver:
    return settings.make_optimizer(est, settings.chosen_solver(est, net, n_samples), n_samples)


def _stopping(est: Any, optimizer: Optimizer | Solver) -> LossStopping | ScoreStopping | None:
    """Return what watches over the epochs; the solvers know by themselves when to end."""
    adaptive = est.solver == "sgd" and est.learning_rate == "adaptive"
    if est.early_stopping:
        return ScoreStopping(est.tol, est.n_iter_no_change, adaptive)
    if isinstance(optimizer, Solver) or est.n_iter_no_change == math.inf:
        return None
    return LossStopping(est.tol, int(est.n_iter_no_change), adaptive)


def _going_on(stopping: Any, earlier: Any) -> Any:
    """Return what watches over the epochs, with the counts of an earlier one of its kind."""
    if stopping and type(stopping) is type(earlier):
        stopping.go_on_from(earlier)
    return stopping


def _with_changes(held: Any, before: Any, after: Any) -> Any:
    """Return a copy of an optimizer in use with what ``after`` has other than ``before``; or one of another kind."""
    if type(held) is not type(after):
        return after
    changed = copy.deepcopy(held)
    for name in (f.name for f in fields(after) if f.init):
        if getattr(before, name, None) != getattr(after, name):
            setattr(changed, name, getattr(after, name))
    return changed
