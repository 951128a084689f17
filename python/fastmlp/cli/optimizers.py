"""Losses, optimizers and schedules by the names that the command line has for them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from .. import SGD, Adagrad, Adam, AdamW, LevenbergMarquardt, Lion, NAdam, RMSprop, Rprop, schedules
from ..errors import UserError
from ..lbfgs import LBFGS
from ..reference import specs
from ..reference.losses import LOSSES, Quantile, SquaredError
from ..reference.optimizers import Optimizer
from ..reference.schedules import Schedule
from ..reference.solvers import Solver

MOMENTUM = 0.9

# Rows of a batch that scikit-learn divides alpha by, at its default.
SKLEARN_BATCH = 200

OPTIMIZERS: dict[str, Callable[..., Optimizer | Solver]] = {
    "adam": Adam,
    "sgd": SGD,
    "adamw": AdamW,
    "nadam": NAdam,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "lion": Lion,
    "rprop": Rprop,
    "lbfgs": LBFGS,
    "lm": LevenbergMarquardt,
}

# Schedules that have a length get that of the run, and steps a third of it.
SCHEDULES: dict[str, Callable[[int], Schedule]] = {
    "constant": lambda epochs: schedules.Constant(),
    "step": lambda epochs: schedules.Step(max(epochs / 3, 1)),
    "exponential": lambda epochs: schedules.Exponential(),
    "inverse_scaling": lambda epochs: schedules.InverseScaling(),
    "cosine": lambda epochs: schedules.CosineRestarts(epochs),
    "one_cycle": lambda epochs: schedules.OneCycle(epochs),
    "warm_up": lambda epochs: schedules.WarmUp(max(epochs / 10, 1)),
    "reduce_on_plateau": lambda epochs: schedules.ReduceOnPlateau(),
    "cos_log4": lambda epochs: schedules.CosLog4(epochs),
}


def loss(text: str) -> str:
    """Check the name of a loss for argparse."""
    try:
        made = specs.make(text, {made.name: made for made in LOSSES.values()}, "loss")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if isinstance(made, Quantile) and len({f"{level:g}" for level in made.levels}) < len(made.levels):
        raise argparse.ArgumentTypeError(f"{text!r} has a level twice: its columns would have one name")
    return text.strip()


def takes_all_rows(name: str) -> bool:
    """Tell whether an optimizer takes all rows in each step."""
    return name in ("lbfgs", "lm") or bool(getattr(OPTIMIZERS[name], "FULL_BATCH", False))


def make_optimizer(args: argparse.Namespace, loss: str, n_rows: int) -> Optimizer | Solver:
    """Return the optimizer that the options ask for, to train on so many rows; UserError if they exclude each other."""
    name, numbers = args.optimizer, {}
    shared = n_rows if takes_all_rows(name) else min(SKLEARN_BATCH, n_rows)
    l2 = args.l2 if args.alpha is None else args.alpha / shared
    if l2:
        numbers["l2"] = l2
    _check_fit(args, loss)
    return OPTIMIZERS[name](**numbers, **_steps(args))


def _check_fit(args: argparse.Namespace, loss: str) -> None:
    """Raise UserError if an optimizer has no use for another option."""
    name, rate = args.optimizer, args.learning_rate
    own = {"lbfgs": ("learning_rate", "schedule"), "lm": ("learning_rate", "schedule"), "rprop": ("schedule",)}
    for option in own.get(name, ()):
        if getattr(args, option) is not None:
            raise UserError(f"--optimizer {name} finds its own steps: leave out --{option.replace('_', '-')}")
    if name in ("lbfgs", "lm") and args.dropout:
        raise UserError(f"--optimizer {name} has no --dropout: its steps need derivatives that stay")
    if name == "lm" and loss != SquaredError.name:
        raise UserError(f"--optimizer lm is for --loss {SquaredError.name}, and this is {loss}: lbfgs takes others")
    if name == "rprop" and rate is not None and rate > Rprop().largest:
        raise UserError(f"--learning-rate {rate:g} is the first step of rprop, and its largest is {Rprop().largest:g}")


def _steps(args: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of an update rule that say how large its steps are."""
    numbers: dict[str, Any] = {}
    if args.learning_rate is not None:
        numbers["learning_rate"] = args.learning_rate
    if args.schedule is not None:
        numbers["schedule"] = SCHEDULES[args.schedule](args.epochs)
    if args.optimizer == "sgd":
        numbers["momentum"] = MOMENTUM
    return numbers
