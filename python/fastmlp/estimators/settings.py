"""What an estimator's parameters stand for: activations, a loss, an optimizer, threads."""

from __future__ import annotations

import copy
import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from ..lbfgs import LBFGS
from ..network import Network
from ..reference import checks, schedules
from ..reference.activations import activation_of
from ..reference.arrays import Array
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

# Steps of second order go on where a gradient is already small: 1e-7 at the default tol.
LM_TOLERANCE = 1e-3

# SciPy's own: ten million times the distance from 1 to the next float64.
LBFGS_TOLERANCE = 1e7 * float(np.finfo(np.float64).eps)


def our_activation(name: Any) -> Any:
    """Return an activation's name as networks have it."""
    return OUR_NAMES.get(name, name) if isinstance(name, str) else name


def hidden_sizes(sizes: Any) -> list[int]:
    """Return hidden_layer_sizes, which may be a single int, as a list."""
    given = [sizes] if isinstance(sizes, (int, np.integer)) or not hasattr(sizes, "__iter__") else list(sizes)
    return [checks.integer(n, f"hidden_layer_sizes[{i}]", 1) for i, n in enumerate(given)]


def hidden_activations(activation: Any, n_hidden: int) -> str | list[str]:
    """Return the activations of the hidden layers as ``Network`` takes them."""
    if isinstance(activation, str):
        return str(our_activation(activation))
    names = [our_activation(name) for name in activation]
    if len(names) != n_hidden:
        raise ValueError(f"activation names {len(names)} layers, and hidden_layer_sizes has {n_hidden}")
    return names


def check_settings(est: Any) -> None:
    """Raise ValueError or TypeError if a parameter is outside its range, before anything has happened."""
    hidden_sizes(est.hidden_layer_sizes)
    if isinstance(est.activation, str):
        activation_of(str(our_activation(est.activation)))
    if not isinstance(est.solver, (Optimizer, Solver)):
        checks.find(est.solver, dict.fromkeys(SOLVERS), "solver")
    checks.number(est.alpha, "alpha", 0, math.inf)
    if not (isinstance(est.batch_size, str) and est.batch_size == "auto"):
        checks.integer(est.batch_size, "batch_size", 1)
    checks.find(est.learning_rate, dict.fromkeys(("constant", "invscaling", "adaptive")), "learning_rate")
    checks.number(est.power_t, "power_t", 0, math.inf)
    checks.integer(est.max_iter, "max_iter", 1)
    checks.integer(est.max_fun, "max_fun", 1)
    checks.number(est.tol, "tol", 0, math.inf)
    if est.n_iter_no_change != math.inf:
        checks.integer(est.n_iter_no_change, "n_iter_no_change", 1)
    for name in ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping"):
        checks.flag(getattr(est, name), name)
    if est.early_stopping:
        checks.number(est.validation_fraction, "validation_fraction", 0, 1, open_low=True)


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


def batch_size(est: Any, optimizer: Optimizer | Solver, n_samples: int) -> int:
    """Return the number of samples of a batch."""
    if isinstance(optimizer, Solver) or optimizer.FULL_BATCH:
        return n_samples
    return min(200 if est.batch_size == "auto" else int(est.batch_size), n_samples)


def threads(n_jobs: int | None) -> int | None:
    """Return the most threads to use: n_jobs, or what a pool of workers leaves to each, or None for all.

    In a worker of joblib's processes OMP_NUM_THREADS tells the share of the processors that is left to it; in one of
    its threads that share is one.
    """
    if n_jobs is not None:
        n = checks.integer(n_jobs, "n_jobs", -(2**31))
        if n == 0:
            raise ValueError("n_jobs must not be 0: None or -1 takes as many threads as this process may use")
        if n > 0:
            return n
        return None if n == -1 else max(1, _core.n_threads() + 1 + n)
    from joblib.parallel import get_active_backend

    if getattr(get_active_backend()[0], "nesting_level", 0):
        return 1
    share = os.environ.get("OMP_NUM_THREADS", "")
    return int(share) if share.isdecimal() and int(share) > 0 else None


def generator(random_state: Any) -> np.random.Generator:
    """Return the generator that random_state stands for; one that is passed goes on where it was."""
    if isinstance(random_state, (np.random.Generator, int, np.integer)):
        return checks.generator(random_state)
    from sklearn.utils import check_random_state

    seeds = check_random_state(random_state).randint(2**31 - 1, size=4)
    return np.random.default_rng(seeds.tolist())
