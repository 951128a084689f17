"""The course of the loss, and where it ended."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..reference.arrays import Array
from ..reference.checks import find_nonfinite
from ..reference.learning_rates import find_learning_rate
from ..reference.monitor import ALL_DONE
from ..reference.optimizers import Optimizer
from ..reference.solvers import Solver
from . import thresholds
from .case import Case
from .report import ERROR, WARNING, Finding

# Ends of runs that might have gone on.
UNFINISHED = (ALL_DONE, "max_time", "interrupted", "loaded from a file")

# Ends of runs by a curve or a score that had stood still, while the loss may have gone on.
STOPPED = ("has not improved", "did not improve")

# What makes every learning rate too high or too low.
UNSCALED = ("unscaled_inputs", "unscaled_targets", "unreachable_targets")


@dataclass
class Ending:
    """How much a curve fell from one fifth to the next, of what can be learnt."""

    name: str
    curve: Array
    was_stopped: bool  # by a callback; all others were cut off
    learnt: float
    rate: float | None
    first: float
    last_but_one: float
    last: float
    last_means: tuple[float, float]
    whole: float

    @property
    def falls(self) -> bool:
        """Whether it still does at the end; steadily, if its own noise may have ended the run."""
        falls = (self.last, self.last_but_one) if self.was_stopped else (self.last,)
        return min(falls) > thresholds.STILL_FALLING

    @property
    def is_straight(self) -> bool:
        """Whether it falls at the end as it did at the beginning."""
        return self.last > 0 and self.last >= thresholds.STRAIGHT * self.first

    @property
    def went_nowhere(self) -> bool:
        """Whether it hardly moved."""
        return abs(self.whole) < thresholds.NOWHERE


def learning_rate_too_high(case: Case) -> Iterator[Finding]:
    """Look for a loss that diverged, rose, or went up and down."""
    history = case.history
    if history is None or isinstance(case.optimizer, Solver) or case.has("nonfinite_parameters"):
        return
    if case.diverged:
        yield _too_high(case, ERROR, f"the run {history.stop_reason}", math.inf)
        return
    curve = np.array(history.loss)
    if (bad := find_nonfinite(curve)) >= 0:
        yield _too_high(case, ERROR, f"the loss is {curve[bad]} in epoch {bad + 1}", math.inf)
        return
    if len(curve) < thresholds.FEWEST_EPOCHS or case.learnable is None or case.has_learnt or case.has(*UNSCALED):
        return
    steps, tail = np.diff(curve), max(1, len(curve) // 10)
    end = float(curve[-tail:].mean())
    uphill = (end - curve[0]) / case.learnable
    moves = float(np.median(np.abs(steps))) / case.learnable
    if uphill > thresholds.UPHILL:
        last = "the last epoch" if tail == 1 else f"the last {tail} epochs"
        message = f"the loss rose from {curve[0]:.4g} in epoch 1 to {end:.4g} in {last}"
        yield _too_high(case, WARNING, message, uphill)
    elif moves > thresholds.THROWN_ABOUT and (steps > 0).mean() >= thresholds.RISES:
        message = (
            f"the loss goes up and down: it rose in {(steps > 0).sum()} of {len(steps)} epochs, and moved by "
            f"{np.median(np.abs(steps)):.2g} from one to the next"
        )
        yield _too_high(case, WARNING, message, moves)


def overfit(case: Case) -> Iterator[Finding]:
    """Look for a validation loss that rises while that of training falls, or stays far above it."""
    if case.learnable is None or case.plain_J is None or not case.learnt or case.learnt < thresholds.NOT_LEARNT:
        return
    loss, curve = (np.array(c[: _kept_epoch(case)]) for c in _curves(case))
    if len(curve) >= thresholds.FEWEST_EPOCHS:
        best, end = int(curve.argmin()), float(curve[-max(1, len(curve) // 10) :].mean())
        line = max(thresholds.ROSE * abs(curve[best]), thresholds.ROSE_OF_PLAIN * case.learnable)
        if end - curve[best] > line and loss[-1] < loss[best]:
            message = (
                f"the validation loss was lowest in epoch {best + 1}, {curve[best]:.4g}, and rose to {end:.4g} while "
                f"that of training fell from {loss[best]:.4g} to {loss[-1]:.4g}"
            )
            evidence = {"best_epoch": best + 1, "lowest": float(curve[best]), "validation_loss": end, "loss": case.J}
            yield case.finding("overfit", WARNING, message, **evidence)
            return
    validation = float(curve[-1]) if case.validation_loss is None and len(curve) else case.validation_loss
    if validation is not None and case.J is not None and validation - case.J > thresholds.GAP * case.learnable:
        message = (
            f"the validation loss is {validation:.4g}, that of training {case.J:.4g}, and that of the best constant "
            f"outputs {case.plain_J:.4g}: most of what was learnt holds for the training rows alone"
        )
        yield case.finding("overfit", WARNING, message, validation_loss=validation, loss=case.J)


def learning_rate_too_low(case: Case) -> Iterator[Finding]:
    """Look for a loss that falls in a straight line, or not at all although it could."""
    end = _ending(case)
    if end is None or end.was_stopped or end.rate is None or end.learnt >= 0.5:
        return
    told = f"{end.name} went from {end.curve[0]:.5g} to {end.curve[-1]:.5g} in {len(end.curve)} epochs"
    if end.is_straight and end.falls:
        suggestion = _suggestion(case, case.net)
        told += ", in a straight line: steps are too small"
    elif end.is_straight or end.went_nowhere:
        suggestion = _suggestion(case, case.net, only_a_way=True)
        if suggestion is None or suggestion <= 10 * end.rate:
            return
        told += ", and a range test lowers it more in a hundred steps with larger ones"
    else:
        return
    rule = _rule(case) or "Adam"
    if suggestion is None or suggestion <= end.rate:
        suggestion, rule = 10 * end.rate, _rule(case) or "the optimizer"
    message = f"{told}; the learning rate is {end.rate:.2g}"
    evidence = {"learning_rate": end.rate, "suggestion": suggestion, "rule": rule}
    yield case.finding("learning_rate_too_low", WARNING, message, **evidence, fall=end.last)


def stopped_too_early(case: Case) -> Iterator[Finding]:
    """Look for a loss that is still falling at the end."""
    end = _ending(case)
    if end is None or not end.falls:
        return
    n, before, after = len(end.curve), *end.last_means
    message = (
        f"{end.name} is still falling: its mean went from {before:.4g} to {after:.4g} over the last two fifths of {n} "
        f"epochs, and it is {end.curve[-1]:.4g} at the end"
    )
    if end.was_stopped and case.history is not None:
        message += f". The run ended as {case.history.stop_reason}"
    loss = float(end.curve[-1])
    evidence = {"epochs": n, "epochs_to_try": max(10 * n, 1000)}
    yield case.finding("stopped_too_early", WARNING, message, **evidence, fall=end.last, loss=loss)


def underfit(case: Case) -> Iterator[Finding]:
    """Look for a network that is no better than constant outputs, where nothing else tells why."""
    if case.is_explained or case.learnt is None or case.learnt >= thresholds.NOT_LEARNT or not case.was_trained:
        return
    message = (
        f"the loss is {case.J:.4g}, and that of the best outputs that do not depend on the inputs {case.plain_J:.4g}"
    )
    yield case.finding("underfit", WARNING, message, loss=case.J, plain_loss=case.plain_J, learnt=case.learnt)


def _kept_epoch(case: Case) -> int | None:
    """Return the epoch whose parameters the network has where early stopping put them back; None is the last."""
    stopped = re.search(r"best was epoch (\d+)$", case.history.stop_reason) if case.history else None
    return int(stopped[1]) if stopped else case.kept_epoch


def _too_high(case: Case, severity: str, message: str, size: float) -> Finding:
    rate, rule = _rate(case), _rule(case) or "Adam"
    suggestion = _suggestion(case, _new(case.net)) or rate or 1e-3
    if rate is not None and suggestion >= rate:
        suggestion, rule = rate / 10, _rule(case) or "the optimizer"
    the_rate = "" if rate is None else f"; the learning rate was {rate:.2g}"
    evidence = {"learning_rate": rate, "suggestion": suggestion, "rule": rule}
    return case.finding("learning_rate_too_high", severity, message + the_rate, **evidence, size=size)


def _rate(case: Case) -> float | None:
    """Return the learning rate of a run, the highest one where a schedule changed it; None where nobody knows."""
    rates = case.history.learning_rate if case.history else []
    return max(rates) if rates else getattr(case.optimizer, "learning_rate", None)


def _rule(case: Case) -> str | None:
    """Return the name of the rule that it is trained with, if that is known. A range test takes Adam otherwise."""
    return None if case.optimizer is None else type(case.optimizer).__name__


def _ending(case: Case) -> Ending | None:
    """Return how a run ended that might have gone on, of a network that has not learnt, for no other reason."""
    history, learnt = case.history, case.learnt
    if history is None or learnt is None or case.learnable is None or case.has_learnt or case.is_explained:
        return None
    was_stopped = any(words in history.stop_reason for words in STOPPED)
    if not was_stopped and not history.stop_reason.startswith(UNFINISHED):
        return None
    name = "the validation loss" if history.validation_loss else "the loss"
    curve = np.array(history.validation_loss or history.loss)
    if (n := len(curve)) < thresholds.FEWEST_EPOCHS:
        return None
    fifth = max(1, n // 5)
    first, second, *last = (
        float(curve[k : k + fifth].mean()) for k in (0, fifth, n - 3 * fifth, n - 2 * fifth, n - fifth)
    )
    return Ending(
        name,
        curve,
        was_stopped,
        learnt,
        _rate(case),
        first=(first - second) / case.learnable,
        last_but_one=(last[0] - last[1]) / case.learnable,
        last=(last[1] - last[2]) / case.learnable,
        last_means=(last[1], last[2]),
        whole=float(curve[0] - curve[-1]) / case.learnable,
    )


def _curves(case: Case) -> tuple[list[float], list[float]]:
    """Return the losses of training and of validation."""
    return (case.history.loss, case.history.validation_loss) if case.history else ([], [])


def _new(net: Any) -> Any:
    """Return a network with the same layers, as it would begin."""
    *hidden, output = net.activations
    return type(net)(net.layer_sizes, hidden, output, net.bias, dtype=net.dtype, random_state=0)


def _suggestion(case: Case, net: Any, only_a_way: bool = False) -> float | None:
    """Return the learning rate that a range test finds, where it is cheap; with ``only_a_way``, if the loss falls."""
    optimizer = case.optimizer
    has_rate = optimizer is None or (isinstance(optimizer, Optimizer) and not optimizer.FULL_BATCH)
    if not has_rate or net.parameters.size > thresholds.MOST_PARAMETERS_TO_TEST:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = find_learning_rate(net, case.X, case.Y, optimizer=optimizer, loss=case.spec, random_state=0)
        except ValueError:  # the loss is not finite to begin with
            return None
    fall = found.losses[0] - found.smoothed.min()
    if only_a_way and (case.learnable is None or fall < thresholds.A_WAY * case.learnable):
        return None
    return found.suggestion


CHECKS = (overfit, learning_rate_too_low, stopped_too_early, underfit)
