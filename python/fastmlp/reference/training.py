"""What is trained, and how: the checked arguments of ``train``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from . import checks, validation
from .arrays import Array
from .dropout import check_rates
from .layers import Layers
from .loss_choice import LossSpec, loss_of
from .losses import Loss
from .metrics import Metric, check_metrics
from .optimizers import Adam, Optimizer
from .solvers import Solver
from .sparse import Inputs, InputsLike, check_inputs, is_sparse
from .validation import Samples


@dataclass
class Task:
    """The checked arguments of ``train``."""

    X: Inputs
    Y: Array
    sample_weight: Array | None
    validation: Samples | None
    n_held_out: int  # rows of X to be used for validation; not yet drawn
    epochs: int
    batch_size: int
    loss: Loss
    loss_spec: LossSpec
    optimizer: Optimizer | Solver
    random_state: np.random.Generator | None
    rng: np.random.Generator | None  # the same, or None where batches draw nothing
    shuffles: bool
    dropout: tuple[float, ...] | None  # rates of the hidden layers
    metrics: dict[str, Metric | None]
    max_time: float | None
    n_threads: int  # 0: as many as may be used
    held_out: Array | None = None

    @property
    def n_batches(self) -> int:
        """Number of batches of an epoch."""
        return -(-len(self.Y) // self.batch_size)

    def curves(self) -> list[str]:
        """Return the names of what is recorded of every epoch."""
        validation = ["validation_loss"] if self.validation or self.n_held_out else []
        rate = ["learning_rate"] if isinstance(self.optimizer, Optimizer) else []
        return ["loss", *validation, *self.metrics, *rate]

    def hold_out(self, rows: Array | None = None) -> None:
        """Keep some rows (None: drawn ones) for validation, if that was asked for."""
        if not self.n_held_out:
            return
        if rows is None:
            assert self.random_state is not None
            rows = validation.draw_rows(len(self.Y), self.n_held_out, self.random_state)
        (self.X, self.Y, self.sample_weight), self.validation = validation.split(
            self.X, self.Y, self.sample_weight, rows
        )
        self.held_out = rows


def check_task(
    net: Layers,
    X: InputsLike,
    Y: npt.ArrayLike,
    epochs: int,
    batch_size: int | None,
    optimizer: Optimizer | Solver | None,
    loss: LossSpec,
    shuffle: bool,
    sample_weight: npt.ArrayLike | None,
    validation_data: Any,
    random_state: int | np.random.Generator | None,
    metrics: Sequence[str | Metric] = (),
    dropout: float | Sequence[float] = 0.0,
    max_time: float | None = None,
    n_threads: int | None = None,
    nonfinite: Callable[[Array], int] = checks.find_nonfinite,
) -> Task:
    """Check the arguments of ``train`` and fill in what was left out. Nothing is changed before all are right."""
    J = loss_of(loss, net.activations[-1])
    n_epochs = checks.integer(epochs, "epochs", 0)
    X, Y, weight = check_samples(net, X, Y, sample_weight, J, nonfinite)
    check = partial(check_samples, net, loss=J, nonfinite=nonfinite)
    samples, n_held_out = validation.check_validation(validation_data, len(Y), check)
    n_rows = len(Y) - n_held_out
    size = n_rows if batch_size is None else min(checks.integer(batch_size, "batch_size", 1), n_rows)
    if optimizer is None:
        optimizer = Adam()
    elif isinstance(optimizer, Solver):
        optimizer.check_loss(J)
        if check_rates(dropout, len(net.layer_sizes) - 2):
            raise ValueError(f"{type(optimizer).__name__} has no dropout: its steps need derivatives that stay")
    elif not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an object such as fastmlp.Adam(), not {optimizer!r}")
    optimizer.check_batch(size, n_rows)
    # A single batch of all rows has no order: it draws nothing.
    shuffles = checks.flag(shuffle, "shuffle") and size < n_rows
    rates = check_rates(dropout, len(net.layer_sizes) - 2)
    draws = shuffles or rates is not None
    rng = checks.generator(random_state) if draws or n_held_out or random_state is not None else None
    optimizer.check()
    if not net.parameters.flags.writeable:
        raise ValueError("the network's parameters were made read-only: they cannot be trained")
    return Task(
        X,
        Y,
        weight,
        samples,
        n_held_out,
        n_epochs,
        size,
        J,
        loss,
        optimizer,
        rng,
        rng if draws else None,
        shuffles,
        rates,
        check_metrics(metrics, Y.shape[1], net.layer_sizes[-1]),
        None if max_time is None else checks.number(max_time, "max_time", 0, float("inf"), open_low=True),
        checks.threads(n_threads),
    )


def check_samples(
    net: Layers,
    X: InputsLike,
    Y: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None,
    loss: Loss,
    nonfinite: Callable[[Array], int] = checks.find_nonfinite,
    names: tuple[str, str, str] = ("X", "Y", "sample_weight"),
) -> Samples:
    """Return inputs, targets and weights (scaled to a mean of 1, or None) in the network's dtype."""
    n_in, n_out = net.layer_sizes[0], net.layer_sizes[-1]
    n_targets = loss.n_targets(n_out)
    if sample_weight is None and loss.domain is None and n_targets == n_out and net._can_read(X, Y):
        return X, Y, None  # type: ignore[return-value]  # arrays, as it has found
    X = check_inputs(X, names[0], net.dtype, n_in, nonfinite)
    n = X.shape[0]
    if is_sparse(Y):
        raise TypeError(f"{names[1]} is a sparse matrix, and targets are dense: pass {names[1]}.toarray()")
    Y = checks.targets(loss.encode(Y, n_out, names[1]), names[1], net.dtype, n_targets, n, nonfinite, names[0])
    loss.check_domain(Y, names[1])
    weight = checks.weights_of_samples(sample_weight, n, names[2], names[0])
    return X, Y, None if weight is None else weight.astype(net.dtype)
