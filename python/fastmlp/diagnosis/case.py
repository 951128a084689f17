"""What is looked at: a network, some of the rows, and all quantities of a pass with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..reference.arrays import Array
from ..reference.checks import find_nonfinite
from ..reference.divergence import bad_layer_of
from ..reference.loss_choice import LossSpec
from ..reference.losses import Loss
from ..reference.results import Gradients, History, Trace
from ..reference.solvers import Solver
from ..reference.sparse import check_inputs, dense, is_sparse
from . import thresholds
from .baseline import best_constant, lowest_loss
from .remedies import remedy_of
from .report import Finding

# What is worth knowing, but no reason for a network not to learn.
BYSTANDERS = ("nonfinite_inputs", "nonfinite_targets", "constant_columns", "copied_columns")


@dataclass
class Samples:
    """All rows whose numbers are finite: inputs in their own dtype, targets as the loss takes them, weights."""

    X: Any
    Y: Array
    weight: Array | None
    kept: Array | None = None  # the numbers of these rows, if some were left out

    def number(self, row: int) -> int:
        """Return the number that a row has among those that were given."""
        return row if self.kept is None else int(self.kept[row])

    def evenly(self, n: int) -> Array:
        """Return n of the rows that count, or all of them, in their order and at even distances."""
        rows = np.arange(len(self.Y)) if self.weight is None else np.flatnonzero(self.weight)
        if len(rows) <= n:
            return rows
        chosen: Array = rows[np.linspace(0, len(rows) - 1, n).round().astype(np.intp)]
        return chosen


@dataclass
class Case:
    """What every check is given, with what those before it have found."""

    net: Any
    samples: Samples
    spec: LossSpec
    loss: Loss
    audience: str  # who is to read the remedies: a column of theirs
    names: Sequence[str] | None = None  # of the inputs
    classes: Sequence[Any] | None = None
    integers: Array | None = None  # the targets as they came, if those are integers
    history: History | None = None
    optimizer: Any = None
    validation_loss: float | None = None
    kept_epoch: int | None = None  # whose parameters the network has, if they are not those of the last
    n_rows: int = 0  # as they were given
    found: list[Finding] = field(default_factory=list)

    def finding(self, kind: str, severity: str, message: str, **evidence: Any) -> Finding:
        """Return a finding, with the remedy of its kind."""
        remedy = remedy_of(kind, self.audience, evidence, is_sparse(self.samples.X))
        return Finding(kind, severity, message, remedy, evidence)

    def has(self, *kinds: str) -> bool:
        """Tell whether something of one of these kinds was found."""
        return any(finding.kind in kinds for finding in self.found)

    @property
    def is_explained(self) -> bool:
        """Whether something was found that keeps the network from learning what it could."""
        return any(finding.kind not in BYSTANDERS for finding in self.found)

    def columns(self, which: Sequence[int] | Array) -> list[str]:
        """Return the names of inputs, in quotes, or their numbers."""
        return [repr(str(self.names[j])) if self.names is not None else str(j) for j in which]

    def inputs(self, rows: Array) -> Array:
        """Return some rows of X as the network takes them."""
        return dense(check_inputs(self.samples.X[rows], "X", self.net.dtype, self.net.layer_sizes[0]))

    # The rows that are looked at.

    @cached_property
    def rows(self) -> Array:
        """Their numbers."""
        numbers = thresholds.MOST_NUMBERS // sum(self.net.layer_sizes)
        return self.samples.evenly(min(thresholds.MOST_ROWS, max(thresholds.FEWEST_ROWS, numbers)))

    @cached_property
    def X(self) -> Array:
        """Their inputs."""
        return self.inputs(self.rows)

    @cached_property
    def Y(self) -> Array:
        """Their targets."""
        targets: Array = self.samples.Y[self.rows]
        return targets

    @cached_property
    def weight(self) -> Array | None:
        """Their weights."""
        return None if self.samples.weight is None else self.samples.weight[self.rows]

    @cached_property
    def all_rows(self) -> str:
        """Say which rows were looked at."""
        n = len(self.rows)
        return f"all {n:,} rows" if n == len(self.samples.Y) else f"each of the {n:,} rows looked at"

    # What the network does with them.

    @cached_property
    def can_compute(self) -> bool:
        """Whether there are rows, and parameters that are finite."""
        return len(self.rows) > 0 and not bad_layer_of(self.net)

    @cached_property
    def trace(self) -> Trace:
        """Every quantity of a step."""
        step: Trace = self.net.trace(self.X, self.Y, self.spec)
        return step

    @cached_property
    def overflow(self) -> tuple[str, int, int] | None:
        """The first quantity of the step that is not finite, its layer, and in how many rows."""
        if not self.can_compute:
            return None
        step: Any = self.trace
        layers = range(1, len(step.A))
        quantities = [(name, l, getattr(step, name)[l]) for l in layers for name in ("Z", "A")]
        quantities += [("delta", l, step.delta[l]) for l in reversed(layers)]
        for name, l, values in quantities:
            if find_nonfinite(values) >= 0:
                return name, l, int((~np.isfinite(values)).any(axis=1).sum())
        return None if math.isfinite(self.gradients.loss) else ("J", layers[-1], len(self.rows))

    @cached_property
    def gradients(self) -> Gradients:
        """The mean loss, with the weights of the samples, and its derivatives."""
        if self.weight is None:
            step: Any = self.trace
            return Gradients(step.J, tuple(step.dW[1:]), tuple(step.db[1:]))
        found: Gradients = self.net.gradients(self.X, self.Y, self.spec, self.weight)
        return found

    @cached_property
    def J(self) -> float | None:
        """The mean loss of the rows, or None where it cannot be computed."""
        return self.gradients.loss if self.can_compute else None

    @cached_property
    def plain_J(self) -> float | None:
        """The mean loss of the best outputs that do not depend on the inputs, or None where there is none."""
        return best_constant(self.loss, self.Y, self.weight, self.net.layer_sizes[-1]) if len(self.rows) else None

    @cached_property
    def learnable(self) -> float | None:
        """How far the loss can fall from that of constant outputs, or None where nobody knows, or there is nothing."""
        if self.plain_J is None:
            return None
        lowest = lowest_loss(self.loss, self.Y, self.weight, self.plain_J)
        difference = self.plain_J - lowest
        return difference if math.isfinite(difference) and difference > 1e-9 * abs(self.plain_J) else None

    @cached_property
    def learnt(self) -> float | None:
        """The share of that which the network has learnt: 1 is all, 0 as good as constant outputs."""
        if self.J is None or self.plain_J is None or self.learnable is None:
            return None
        return (self.plain_J - self.J) / self.learnable

    @property
    def diverged(self) -> bool:
        """Whether the steps of a rule made numbers too large. A solver ends so only where they are to begin with."""
        ran_away = self.history is not None and self.history.stop_reason.startswith("diverged")
        return ran_away and not isinstance(self.optimizer, Solver)

    @property
    def was_trained(self) -> bool:
        """Whether the network seems to have been trained: there is a history, or biases are not zero any more."""
        return self.history is not None or any(b.any() for b in self.net.biases)

    @property
    def has_learnt(self) -> bool:
        """Whether the network does so well that flat units and small gradients are as they should be."""
        return self.learnt is not None and self.learnt >= thresholds.LEARNT
