"""The twin of ``cpp/levenberg_marquardt.cpp``: least squares by Levenberg and Marquardt, step by step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .arrays import Array
from .solvers import strengths

if TYPE_CHECKING:
    from .network import Network
    from .solvers import LevenbergMarquardt
    from .sparse import Inputs


class Run:
    """A run on one network and one set of samples, in as many parts as one likes.

    With r = sqrt(weight) * (Y_hat - Y), one residual per sample and output, and their Jacobian
    J = dr/dparameters, a step solves

        (J.T J + n * damping * I + diag(ridge)) step = J.T r + ridge * parameters

    and is taken if it makes sum(r^2) / 2 + sum(ridge * parameters^2) / 2 smaller; otherwise the damping
    grows until one does. ridge is n * l2 for weights and 0 for biases; alpha / beta for all of them with
    Bayesian regularisation.
    """

    def __init__(
        self, net: Network, X: Inputs, Y: Array, weight: Array | None, rule: LevenbergMarquardt, state: list[float]
    ) -> None:
        self._net, self._twin = net, net._in_float64()
        self._X, self._Y = X, Y
        self._root = np.ones((len(Y), 1)) if weight is None else np.sqrt(weight)[:, np.newaxis]
        self._rule = rule
        self._damping, self._growth, self._alpha, self._beta, self._effective = state
        with np.errstate(over="ignore"):
            self._penalties = len(Y) * strengths(net, rule.l2)

    @property
    def state(self) -> list[float]:
        """What goes on from run to run: damping, its growth, alpha, beta, effective parameters."""
        return [self._damping, self._growth, self._alpha, self._beta, self._effective]

    def run(self, epochs: int) -> tuple[list[float], str]:
        """Make so many steps, unless there is an end to them; return the loss before each, and why it ended."""
        losses: list[float] = []
        ended = "all_done"
        x = self._twin.parameters
        x[:] = self._net.parameters
        while len(losses) < epochs and ended == "all_done":
            r = self._residuals()
            J = (self._root[:, :, np.newaxis] * self._twin.jacobian(self._X)).reshape(-1, x.size)
            if self._rule.bayesian:
                self._estimate_regularisation(r, J)
            losses.append(float(r @ r) / 2 / len(self._Y))
            if not math.isfinite(losses[-1]):
                return losses, "not_finite"
            with np.errstate(over="ignore", invalid="ignore"):  # found, and told, in what they give
                ended = self._step(r, J)
        return losses, ended

    @property
    def _ridge(self) -> Array:
        if not self._rule.bayesian:
            return self._penalties
        return np.full(self._penalties.size, self._alpha / self._beta)

    def _residuals(self) -> Array:
        r: Array = (self._root * (self._twin.forward(self._X).A[-1] - self._Y)).ravel()
        return r

    def _objective(self) -> float:
        r, x = self._residuals(), self._twin.parameters
        return float(r @ r + self._ridge @ x**2) / 2

    def _estimate_regularisation(self, r: Array, J: Array) -> None:
        """By MacKay's evidence: the data determine ``effective`` many parameters, the rest is left to the prior."""
        x = self._twin.parameters
        if self._beta == 0:
            self._effective = min(x.size, r.size / 2)
        else:
            inverse = np.linalg.inv(J.T @ J + np.diag(self._ridge))
            self._effective = x.size - float(self._ridge @ np.diag(inverse))
        self._alpha = self._effective / max(float(x @ x), 1e-300)
        self._beta = (r.size - self._effective) / max(float(r @ r), 1e-300)

    def _step(self, r: Array, J: Array) -> str:
        x, n = self._twin.parameters, len(self._Y)
        gradient = J.T @ r + self._ridge * x
        undamped = J.T @ J + np.diag(self._ridge)
        if not (np.isfinite(gradient).all() and np.isfinite(undamped).all()):
            return "equations_not_finite"
        if np.abs(gradient).max() <= self._rule.gradient_tolerance * n:
            return "gradient_small"
        before, at = self._objective(), x.copy()
        while self._damping <= self._rule.largest_damping:
            H = undamped + n * self._damping * np.eye(x.size)
            try:
                np.linalg.cholesky(H)
            except np.linalg.LinAlgError:  # not positive definite, as rounded
                self._more_damping()
                continue
            step = np.linalg.solve(H, gradient)
            bend = self._bend(step, r, J, H) if self._rule.accelerated else 0
            x[:] = (at - step - bend).astype(self._net.dtype)
            gain = before - self._objective()
            if gain > 0:
                predicted = float(step @ (n * self._damping * step + gradient)) / 2
                self._damping *= max(1 / 3, 1 - (2 * gain / predicted - 1) ** 3)
                self._growth = 2.0
                self._net.parameters[:] = x
                tolerance = self._rule.step_tolerance
                small = math.sqrt(step @ step) <= tolerance * (math.sqrt(x @ x) + tolerance)
                return "step_small" if small else "all_done"
            x[:] = at
            self._more_damping()
        return "damping_large"

    def _bend(self, step: Array, r: Array, J: Array, H: Array) -> Array | float:
        """Geodesic acceleration: what the residuals' second derivative along the step adds to it.

        Where that would be most of the step, the second order does not tell enough.
        """
        x, part, most = self._twin.parameters, 0.1, 0.375
        at = x.copy()
        x[:] = at - part * step
        second = 2 / part * ((self._residuals() - r) / part + J @ step)
        x[:] = at
        bend: Array = np.linalg.solve(H, J.T @ second) / 2
        return bend if bend @ bend <= most**2 * (step @ step) else 0.0

    def _more_damping(self) -> None:
        """Nielsen (1999): the damping grows the faster the oftener a step fails."""
        self._damping *= self._growth
        self._growth *= 2
