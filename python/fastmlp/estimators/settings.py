"""What an estimator's parameters stand for: activations, a loss, an optimizer, threads."""

from __future__ import annotations

import copy
import math
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from .. import _core
from ..lbfgs import LBFGS
from ..network import Network
from ..reference import checks, schedules
from ..reference.activations import activation_of
from ..reference.arrays import Array
from ..reference.monitor import check_callbacks
from ..reference.optimizers import SGD, Adagrad, Adam, AdamW, Lion, NAdam, Optimizer, RMSprop, Rprop
from ..reference.solvers import LevenbergMarquardt, Solver

# scikit-learn's names of activations that have another one here.
OUR_NAMES = {"identity": "linear", "logistic": "sigmoid"}
THEIR_NAMES = {ours: theirs for theirs, ours in OUR_NAMES.items()}

# What of an estimator's parameters a rule takes, by its own names for them.
PENALTIES = ("l1", "clip_value", "clip_norm", "max_norm", "schedule")
ADAPTIVE = {"epsilon": "epsilon"}
MOMENTS = {**ADAPTIVE, "beta_1": "beta_1", "beta_2": "beta_2"}
RULES: dict[str, tuple[type[Optimizer], dict[str, str]]] = {
    "sgd": (SGD, {"momentum": "momentum"}),
    "adam": (Adam, MOMENTS),
    "adamw": (AdamW, MOMENTS),
    "nadam": (NAdam, MOMENTS),
    "rmsprop": (RMSprop, ADAPTIVE),
    "adagrad": (Adagrad, ADAPTIVE),
    "lion": (Lion, {"beta_1": "beta_1", "beta_2": "beta_2"}),
    "rprop": (Rprop, {}),
}
SOLVERS = ("lbfgs", "lm", "auto", *RULES)

# Where solver="auto" takes Levenberg-Marquardt: its steps cost p^2 for each sample and output, and p^3 / 3.
MOST_PARAMETERS, MOST_PRODUCTS = 500, 2e9
SMOOTH = (
    *("linear", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu", "mish"),
    *("softplus", "softsign", "sin", "exp", "elu", "selu"),
)

# Samples of a batch with batch_size="auto".
AUTO_BATCH = 200

# Steps of second order go on where a gradient is already small: 1e-7 at the default tol.
LM_TOLERANCE = 1e-3

# Numbers that are there whatever the solver: their range, and whether its low end is left out.
RANGES: dict[str, tuple[float, float, bool]] = {
    **dict.fromkeys(("alpha", "power_t", "tol", "l1"), (0, math.inf, False)),
    **dict.fromkeys(("learning_rate_init", "epsilon"), (0, math.inf, True)),
    **dict.fromkeys(("momentum", "beta_1", "beta_2"), (0, 1, False)),
}

# SciPy's own: ten million times the distance from 1 to the next float64.
LBFGS_TOLERANCE = 1e7 * float(np.finfo(np.float64).eps)


def our_activation(name: Any) -> Any:
    """Return an activation's name as networks have it."""
    return OUR_NAMES.get(name, name) if isinstance(name, str) else name


def hidden_sizes(sizes: Any) -> list[int]:
    """Return hidden_layer_sizes, which may be a single int, as a list."""
    single = not hasattr(sizes, "__iter__") or getattr(sizes, "ndim", 1) == 0
    given = [sizes] if single else list(sizes)
    return [checks.integer(n, f"hidden_layer_sizes[{i}]", 1) for i, n in enumerate(given)]


def hidden_activations(activation: Any, n_hidden: int) -> str | list[str]:
    """Return the activations of the hidden layers as ``Network`` takes them."""
    if isinstance(activation, str):
        names = [activation]
    elif isinstance(activation, Iterable):
        names = list(activation)
        if len(names) != n_hidden:
            raise ValueError(f"activation names {len(names)} layers, and hidden_layer_sizes has {n_hidden}")
    else:
        raise TypeError(f"activation must be a name, or one for each hidden layer; not {activation!r}")
    ours = [our_activation(name) for name in names]
    for name in ours:
        activation_of(name)
    return ours[0] if isinstance(activation, str) else ours


def check_settings(est: Any) -> None:
    """Raise ValueError or TypeError if a parameter is outside its range, before anything has happened."""
    hidden_activations(est.activation, len(hidden_sizes(est.hidden_layer_sizes)))
    if not isinstance(est.solver, (Optimizer, Solver)):
        checks.find(est.solver, dict.fromkeys(SOLVERS), "solver")
    if not (isinstance(est.batch_size, str) and est.batch_size == "auto"):
        checks.integer(est.batch_size, "batch_size", 1)
    checks.find(est.learning_rate, dict.fromkeys(("constant", "invscaling", "adaptive")), "learning_rate")
    for name, (low, high, open_low) in RANGES.items():
        checks.number(getattr(est, name), name, low, high, open_low=open_low)
    for name in ("max_iter", "max_fun"):
        checks.integer(getattr(est, name), name, 1)
    for name in ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping"):
        checks.flag(getattr(est, name), name)
    if est.n_iter_no_change != math.inf:
        checks.integer(est.n_iter_no_change, "n_iter_no_change", 1)
    if est.early_stopping:
        checks.number(est.validation_fraction, "validation_fraction", 0, 1, open_low=True)
    if not isinstance(est.verbose, (bool, np.bool_)):
        checks.integer(est.verbose, "verbose", 0)
    if est.max_time is not None:
        checks.number(est.max_time, "max_time", 0, math.inf, open_low=True)
    if isinstance(est.callbacks, Iterator):  # which is empty once it has been looked at
        raise TypeError(f"callbacks must be a sequence of callbacks, such as [callback], not {est.callbacks!r}")
    if est.callbacks != ():
        check_callbacks(est.callbacks)
    threads(est.n_jobs)


def partial_fit_is_there(est: Any) -> bool:
    """Return True if the solver takes samples batch by batch, and raise AttributeError otherwise."""
    solver = est.solver
    kind = type(solver) if isinstance(solver, Optimizer) else RULES[solver][0] if solver in RULES else None
    if kind is None or kind.FULL_BATCH:
        raise AttributeError(f"partial_fit needs a solver that takes batches, such as 'adam': {solver!r} does not")
    return True


def make_optimizer(est: Any, solver: Any, n_samples: float) -> Optimizer | Solver:
    """Return a new optimizer for a solver's name, with the numbers that the estimator has for it.

    Parameters
    ----------
    est : estimator
        Whose parameters are taken.
    solver : str, Optimizer or Solver
        A name, but not "auto"; an object is copied, and has all of its numbers itself.
    n_samples : float
        Number of samples of an epoch, or its mean.
    """
    asked_for = [name for name in (*PENALTIES, "weight_decay") if getattr(est, name)]
    if asked_for and not (isinstance(solver, str) and solver in RULES):
        hint = "only update rules have it, such as solver='adam'" if isinstance(solver, str) else "set it on the object"
        raise ValueError(f"{asked_for[0]} has no effect with solver={solver!r}: {hint}")
    if isinstance(solver, (Optimizer, Solver)):
        copied = copy.deepcopy(solver)
        copied.reset()
        return copied
    if solver == "lbfgs":
        return LBFGS(tolerance=LBFGS_TOLERANCE, gradient_tolerance=est.tol, max_evaluations=est.max_fun)
    if solver == "lm":
        return LevenbergMarquardt(gradient_tolerance=LM_TOLERANCE * est.tol)
    rule, own = RULES[solver]
    numbers = {ours: getattr(est, theirs) for ours, theirs in own.items()}
    numbers |= {name: getattr(est, name) for name in PENALTIES}
    if isinstance(est.schedule, schedules.Schedule):  # which may remember losses, and each fit begins afresh
        numbers["schedule"] = copy.deepcopy(est.schedule)
        numbers["schedule"].reset()
    if est.weight_decay is not None:
        numbers["weight_decay"] = est.weight_decay
    if solver == "sgd":
        numbers["nesterov"] = est.nesterovs_momentum and est.momentum > 0
        if est.learning_rate == "invscaling":
            if est.schedule is not None:
                raise ValueError("schedule and learning_rate='invscaling' are both set: choose one")
            numbers["schedule"] = SampleScaling(est.power_t, n_samples)
    return rule(est.learning_rate_init, **numbers)


@dataclass
class SampleScaling(schedules.Schedule):
    """The rate of learning_rate="invscaling": after t samples, 1 / (1 + t)^power, the same for a whole epoch."""

    power: float
    n_samples: float

    def check(self) -> None:
        checks.number(self.power, "power_t", 0, math.inf)

    def at(self, t: Array) -> Array:
        return np.asarray((1 + np.floor(t) * self.n_samples) ** -float(self.power))


def chosen_solver(est: Any, net: Network, n_samples: int) -> Any:
    """Return the solver, with "auto" decided: the rule is in the estimators' docstring."""
    if not isinstance(est.solver, str) or est.solver != "auto":
        return est.solver
    p, residuals = net.parameters.size, n_samples * net.layer_sizes[-1]
    smooth = all(name.partition("(")[0] in SMOOTH for name in net.activations)
    small = p <= min(MOST_PARAMETERS, residuals) and p**2 * residuals <= MOST_PRODUCTS
    asked_for = [est.dropout, est.early_stopping, est.weight_decay, *(getattr(est, name) for name in PENALTIES)]
    fits = getattr(est, "loss", None) == "squared_error" and not any(asked_for)
    return "lm" if fits and smooth and small else "adam"


def takes_all(optimizer: Optimizer | Solver) -> bool:
    """Return whether a step takes all samples at once."""
    return isinstance(optimizer, Solver) or optimizer.FULL_BATCH


def batch_size(est: Any, optimizer: Optimizer | Solver, n_samples: int) -> int:
    """Return the number of samples of a batch."""
    if takes_all(optimizer):
        return n_samples
    return min(AUTO_BATCH if est.batch_size == "auto" else int(est.batch_size), n_samples)


def sharing_alpha(optimizer: Optimizer | Solver, n_samples: float) -> float:
    """Return what alpha is divided by, so that the penalty is scikit-learn's at the default batch_size."""
    return n_samples if takes_all(optimizer) else min(AUTO_BATCH, n_samples)


def threads(n_jobs: int | None) -> int | None:
    """Return the most threads to use: n_jobs, or what a pool of workers leaves to each, or None for all.

    In one of joblib's processes OMP_NUM_THREADS tells the share of the processors that is left to it; in one of its
    threads that share is one.
    """
    if n_jobs is not None:
        n = checks.integer(n_jobs, "n_jobs", -(2**31))
        if n == 0:
            raise ValueError("n_jobs must not be 0: None or -1 takes as many threads as this process may use")
        if n > 0:
            return n
        return None if n == -1 else max(1, _core.n_threads() + 1 + n)
    from joblib.parallel import get_active_backend

    given = os.environ.get("OMP_NUM_THREADS", "")
    share = int(given) if given.isdecimal() and int(given) > 0 else None
    if not getattr(get_active_backend()[0], "nesting_level", 0):
        return share
    is_a_process = threading.current_thread() is threading.main_thread()
    return share if share and is_a_process else 1


def generator(random_state: Any) -> np.random.Generator:
    """Return the generator that random_state stands for; one that is passed goes on where it was."""
    if isinstance(random_state, (np.random.Generator, int, np.integer)):
        return checks.generator(random_state)
    if not (random_state is None or isinstance(random_state, np.random.RandomState) or random_state is np.random):
        raise TypeError(f"random_state must be None, an integer, a RandomState or a Generator, not {random_state!r}")
    seeds = check_random_state(random_state).randint(2**31 - 1, size=4)
    return np.random.default_rng(seeds.tolist())
