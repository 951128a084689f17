"""Solvers: methods that take the whole of the samples at once, and more of their derivatives than a gradient.

They are passed to ``train`` like an update rule. An epoch is one iteration of theirs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from . import checks
from .arrays import Array

if TYPE_CHECKING:
    from .losses import Loss
    from .monitor import Monitor
    from .sparse import Inputs
    from .training import Task

ENDS = {
    "gradient_small": "the gradient is small",
    "step_small": "the last step was small",
    "damping_large": "the damping is too large: no step makes the loss smaller",
    "equations_not_finite": "the equations of a step are not finite: scale inputs and targets to about 1, or lower l2",
}


class Differentiable(Protocol):
    """What solvers ask of a network, beside its layers."""

    def _in_float64(self) -> Any: ...
    def _value_and_gradient(self, X: Inputs, Y: Array, weight: Array | None, loss: Loss) -> tuple[float, Array]: ...
    def _least_squares(
        self, X: Inputs, Y: Array, weight: Array | None, rule: LevenbergMarquardt, state: list[float]
    ) -> Any: ...


@dataclass
class Solver(ABC):
    """What every solver has: settings, and the number of iterations done.

    All is computed in float64; a float32 network's parameters are rounded when a step is taken.
    """

    steps: int = field(default=0, init=False, repr=False)
    slots: ClassVar[tuple[Array, ...]] = ()

    def __post_init__(self) -> None:
        self.check()

    @abstractmethod
    def check(self) -> None:
        """Raise ValueError or TypeError if a setting is outside its range."""

    def check_loss(self, loss: Loss) -> None:  # noqa: B027  # most take any
        """Raise ValueError if the solver does not take this loss."""

    def check_batch(self, batch_size: int, n: int) -> None:
        """Raise ValueError if batches of so many of n samples are asked for."""
        if batch_size < n:
            raise ValueError(
                f"{type(self).__name__} takes all samples at once: it needs batch_size=None, "
                f"and not {batch_size} of {n} rows"
            )

    def end_epochs(self, losses: Sequence[float], factors: Sequence[float] = ()) -> list[float]:
        """Note the end of epochs, as update rules do; a solver has no learning rate."""
        return []

    @abstractmethod
    def prepare(self, parameters: Array) -> None:
        """Raise an error if these parameters cannot be solved for here."""

    def identity(self) -> tuple[object, ...]:
        """Return what stays the same while a run lasts."""
        return (self.steps,)

    def reset(self) -> None:
        """Forget what earlier runs have left."""
        self.steps = 0

    def state(self) -> dict[str, Any]:
        """Return all that a later object needs to go on as this one would, beside its settings."""
        return {"steps": self.steps, "slots": {}}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what ``state()`` of an object with the same settings gave."""
        self.steps = state["steps"]

    @abstractmethod
    def solve(self, net: Any, task: Task, monitor: Monitor) -> None:
        """Run the task's epochs, or fewer, and tell the monitor of each."""


@dataclass
class LevenbergMarquardt(Solver):
    """Least squares by Levenberg and Marquardt, for networks of up to a few thousand parameters.

    A step solves (J.T J / n + damping * I) step = dJ/dparameters with the Jacobian J of all residuals
    sqrt(weight) * (Y_hat - Y). Large damping gives small steps of gradient descent, small damping steps of
    Gauss and Newton; it follows the gain of each step over what the linear model promised (Nielsen 1999).
    The loss must be "squared_error". An epoch is one step: ``history.loss`` holds the loss before it, without
    the penalty.

    Parameters
    ----------
    damping : float, default 0.01
        Damping of the first step, above 0, beside the eigenvalues of J.T J / n.
    largest_damping : float, default 1e10
        The run ends where even more damping would be needed to make the loss smaller.
    gradient_tolerance : float, default 1e-10
        The run ends where no derivative of the objective is larger.
    step_tolerance : float, default 1e-10
        The run ends after a step that is no longer than this, relative to the length of the parameters.
    l2 : float, default 0.0
        Penalty on the weights, but not on biases: the objective is the mean loss + l2 / 2 * sum w^2, in steps
        and their gain as in the tolerances.
    accelerated : bool, default True
        Bend each step along the residuals' second derivative (geodesic acceleration). It costs a
        forward and a backward pass more, and follows narrow valleys in a fraction of the steps.
    bayesian : bool, default False
        Add a penalty on the squares of all parameters and, before each step, choose its strength by the
        evidence: beta / 2 * sum of squared residuals + alpha / 2 * sum of squared parameters becomes
        smaller, where alpha and beta follow from how many parameters the data determine, and l2 must be 0.
        ``history.loss`` has no penalty, and need not fall.
    memory_limit : int, default 1000000000
        The most bytes for the matrices, which are quadratic in the number of parameters.

    Attributes
    ----------
    alpha, beta : float or None
        Inverse variances of the parameters and of the noise; None before a Bayesian run.
    effective_parameters : float or None
        How many parameters the data determine.
    steps : int
        Steps done, in all runs.

    Raises
    ------
    ValueError, TypeError
        If a setting is outside its range.

    Notes
    -----
    Damping, alpha and beta stay with the object from one ``train`` to the next; ``reset()`` forgets them.
    ``train`` raises MemoryError, with the figure, where the matrices would not fit ``memory_limit``.

    References
    ----------
    D. W. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", SIAM J. 11 (1963).
    M. T. Hagan, M. B. Menhaj, "Training feedforward networks with the Marquardt algorithm", IEEE Trans.
    Neural Networks 5 (1994). H. B. Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05.
    M. K. Transtrum, J. P. Sethna, "Improvements to the Levenberg-Marquardt algorithm for nonlinear
    least-squares minimization", arXiv:1201.5885 (2012).
    D. J. C. MacKay, "Bayesian interpolation", Neural Computation 4 (1992). F. D. Foresee, M. T. Hagan,
    "Gauss-Newton approximation to Bayesian learning", ICNN 1997.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> X = np.linspace(-3, 3, 60).reshape(-1, 1)
    >>> net = fastmlp.Network([1, 6, 1], dtype="float64", random_state=0)
    >>> history = net.train(X, np.sin(X), epochs=100, optimizer=fastmlp.LevenbergMarquardt())
    >>> bool(history.loss[-1] < 1e-3)
    True
    """

    damping: float = 0.01
    largest_damping: float = 1e10
    gradient_tolerance: float = 1e-10
    step_tolerance: float = 1e-10
    l2: float = 0.0
    accelerated: bool = True
    bayesian: bool = False
    memory_limit: int = 10**9
    carried: list[float] = field(default_factory=list, init=False, repr=False, compare=False)

    def check(self) -> None:
        checks.number(self.damping, "damping", 0, math.inf, open_low=True)
        checks.number(self.largest_damping, "largest_damping", 0, math.inf, open_low=True)
        checks.number(self.gradient_tolerance, "gradient_tolerance", 0, math.inf)
        checks.number(self.step_tolerance, "step_tolerance", 0, math.inf)
        checks.number(self.l2, "l2", 0, math.inf)
        checks.flag(self.accelerated, "accelerated")
        checks.flag(self.bayesian, "bayesian")
        if self.bayesian and self.l2:
            raise ValueError(
                f"bayesian=True finds the strength of the penalty from the data: leave l2 at 0, and not {self.l2:g}"
            )
        checks.integer(self.memory_limit, "memory_limit", 1)

    @property
    def alpha(self) -> float | None:
        return self.carried[2] if self._estimated else None

    @property
    def beta(self) -> float | None:
        return self.carried[3] if self._estimated else None

    @property
    def effective_parameters(self) -> float | None:
        return self.carried[4] if self._estimated else None

    @property
    def _estimated(self) -> bool:
        return bool(self.carried) and self.carried[3] > 0

    def check_loss(self, loss: Loss) -> None:
        if loss.name != "squared_error":
            raise ValueError(
                f"LevenbergMarquardt solves least squares: its loss is 'squared_error', not {loss.name!r}; "
                "fastmlp.LBFGS() takes other losses"
            )

    def prepare(self, parameters: Array) -> None:
        p = parameters.size
        needed = 8 * (3 if self.bayesian else 2) * p * p
        if needed > self.memory_limit:
            raise MemoryError(
                f"LevenbergMarquardt needs {needed / 1e9:.3g} GB for the matrices of {p} parameters, and memory_limit "
                f"is {self.memory_limit / 1e9:.3g} GB: raise memory_limit=, or use fastmlp.LBFGS() or fastmlp.Adam()"
            )

    def reset(self) -> None:
        super().reset()
        self.carried = []

    def state(self) -> dict[str, Any]:
        return {**super().state(), "carried": [float(number) for number in self.carried]}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.carried = list(state["carried"])

    def solve(self, net: Any, task: Task, monitor: Monitor) -> None:
        state = self.carried or [float(self.damping), 2.0, 0.0, 0.0, 0.0]
        run = net._least_squares(*in_float64(task), self, state)
        at_once = 1 if monitor.has_watchers or task.validation else task.epochs
        before = self.steps
        while monitor.epochs_left:
            try:
                losses, ended = run.run(min(at_once, monitor.epochs_left))
            finally:
                self.carried = run.state
            if ended == "not_finite":
                losses = [J for J in losses if math.isfinite(J)]
            self.steps += len(losses)
            if ended == "not_finite":
                monitor.add(losses, validation_losses(net, task) if losses else [], tell=False)
                monitor.note_divergence(self.steps - before, 0)
                return
            if ended in ENDS:  # before callbacks see it: a checkpoint is then that of a run that has ended
                monitor.history.stop_reason = ENDS[ended]
            if monitor.add(losses, validation_losses(net, task)) or monitor.time_is_over():
                return


def in_float64(task: Task) -> tuple[Inputs, Array, Array | None]:
    """Return X, Y and weights in float64."""
    weight = task.sample_weight
    double = np.float64
    return task.X.astype(double), task.Y.astype(double), None if weight is None else weight.astype(double)


def strengths(net: Any, l2: float) -> Array:
    """Return l2 for each weight, and 0 for each bias, in the order of the parameters."""
    twin = net._in_float64()
    for W in twin.weights:
        W[:] = l2
    for b in twin.biases:
        b[:] = 0
    l2_of_each: Array = twin.parameters
    return l2_of_each


def validation_losses(net: Any, task: Task) -> list[float]:
    """Return the loss of the validation data, if there are any, as a list."""
    return [net._mean_loss(*task.validation, task.loss)] if task.validation else []
