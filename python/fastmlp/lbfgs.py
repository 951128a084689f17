"""L-BFGS, by SciPy: for small networks that are to be fitted as well as can be, with any loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import missing_extra
from .reference import checks
from .reference.arrays import Array
from .reference.monitor import Monitor
from .reference.solvers import Solver, in_float64, strengths, validation_losses
from .reference.training import Task


@dataclass
class LBFGS(Solver):
    """The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno, as SciPy has it.

    ``scipy.optimize.minimize(method="L-BFGS-B")`` on the loss and gradient of all samples. An epoch is one of its
    iterations, most of which evaluate the gradient once: ``history.loss`` holds the loss before it, without the
    penalty. It needs SciPy: ``pip install 'fastmlp[scipy]'``.

    Parameters
    ----------
    history : int, default 10
        How many steps and changes of the gradient the curvature is estimated from.
    tolerance : float, default 1e-12
        The run ends after an iteration that lowers the objective by no more, relative to its value.
    gradient_tolerance : float, default 1e-8
        The run ends where no derivative of the objective is larger.
    l2 : float, default 0.0
        Penalty on the weights, but not on biases: the objective is the mean loss + l2 / 2 * sum w^2.
    max_evaluations : int, optional
        The run ends after the iteration in which the loss and its gradient have been evaluated oftener than this.

    Raises
    ------
    ValueError, TypeError
        If a setting is outside its range.

    Notes
    -----
    Each ``train`` estimates the curvature anew. So does one with ``resume=``: it goes on from the parameters of the
    checkpoint, but not to the bits of a run that was never interrupted.

    For small networks SciPy's linear algebra is fastest on one thread: set OPENBLAS_NUM_THREADS=1 before NumPy is
    imported.

    References
    ----------
    R. H. Byrd, P. Lu, J. Nocedal, C. Zhu, "A limited memory algorithm for bound constrained optimization",
    SIAM J. Scientific Computing 16 (1995).

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> X = np.linspace(-3, 3, 60).reshape(-1, 1)
    >>> net = fastmlp.Network([1, 6, 1], dtype="float64", random_state=0)
    >>> history = net.train(X, np.sin(X), epochs=300, optimizer=fastmlp.LBFGS())
    >>> bool(history.loss[-1] < 1e-3)
    True
    """

    history: int = 10
    tolerance: float = 1e-12
    gradient_tolerance: float = 1e-8
    l2: float = 0.0
    max_evaluations: int | None = None

    def check(self) -> None:
        checks.integer(self.history, "history", 1)
        checks.number(self.tolerance, "tolerance", 0, math.inf)
        checks.number(self.gradient_tolerance, "gradient_tolerance", 0, math.inf)
        checks.number(self.l2, "l2", 0, math.inf)
        if self.max_evaluations is not None:
            checks.integer(self.max_evaluations, "max_evaluations", 1)

    def prepare(self, parameters: Array) -> None:
        try:
            import scipy.optimize  # noqa: F401  # noticed here, before anything has happened
        except ModuleNotFoundError:
            raise missing_extra("SciPy", "scipy") from None

    def solve(self, net: Any, task: Task, monitor: Monitor) -> None:
        from scipy.optimize import minimize

        if not monitor.epochs_left:
            return
        epochs = monitor.epochs_left
        twin, samples = net._in_float64(), in_float64(task)
        l2 = strengths(net, self.l2)
        losses: list[float] = []  # before the first iteration, and after each one
        asked_to_stop = False

        def value_and_gradient(parameters: Array) -> tuple[float, Array]:
            twin.parameters[:] = parameters
            J, gradient = twin._value_and_gradient(*samples, task.loss)
            if not losses:
                losses.append(J)
            return J + penalty(parameters), gradient + l2 * parameters

        def penalty(parameters: Array) -> float:
            return float(l2 @ parameters**2) / 2

        def iterated(intermediate_result: Any) -> None:
            nonlocal asked_to_stop
            net.parameters[:] = intermediate_result.x
            self.steps += 1
            losses.append(float(intermediate_result.fun) - penalty(intermediate_result.x))
            asked_to_stop = monitor.add(losses[-2:-1], validation_losses(net, task)) or monitor.time_is_over()
            if asked_to_stop:
                raise StopIteration

        found = minimize(
            value_and_gradient,
            net.parameters.astype(np.float64),
            jac=True,
            method="L-BFGS-B",
            callback=iterated,
            options={
                "maxiter": epochs,
                "maxfun": self.max_evaluations or 2**31 - 1,
                "maxcor": self.history,
                "ftol": self.tolerance,
                "gtol": self.gradient_tolerance,
            },
        )
        if not math.isfinite(losses[-1]):
            monitor.note_divergence(len(losses) - 1, 0)
            return
        if len(losses) == 1:  # where it began, there was nothing to do
            monitor.add(losses, validation_losses(net, task))
        if not asked_to_stop and len(losses) <= epochs:
            monitor.history.stop_reason = self._in_words(found.message)

    def _in_words(self, message: str) -> str:
        """Return what stopped SciPy's iterations."""
        if "PGTOL" in message:
            return "the gradient is small"
        if "REDUCTION OF F" in message.replace("_", " "):
            return "the last step lowered the loss by little"
        if "EVALUATIONS" in message:
            return f"more than max_evaluations={self.max_evaluations} of the loss and its gradient"
        return f"no step makes the loss smaller ({message.strip().lower()})"
