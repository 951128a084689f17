"""The training loop in Python: of the reference, and of losses that are Python functions."""

from __future__ import annotations

import math
from typing import Any

from . import divergence
from .arrays import Array
from .batches import batches
from .dropout import Dropout, draw_seed
from .layers import Layers
from .monitor import Monitor
from .optimizers import Optimizer
from .training import Task


def run_batches(net: Any, task: Task, optimizer: Optimizer, monitor: Monitor) -> None:
    """Train a network batch by batch. Parameters that overflow are put back to those of the last epoch's end."""
    steps, kept = 0, net.parameters.copy()
    for _ in range(monitor.epochs_left):
        J = 0.0
        factors = optimizer.factors(1, task.n_batches)
        for i, rows in enumerate(batches(len(task.Y), task.batch_size, task.rng if task.shuffles else None)):
            if monitor.time_is_over():
                return
            weight = None if task.sample_weight is None else task.sample_weight[rows]
            dropout = Dropout(task.dropout, draw_seed(task.rng)) if task.dropout and task.rng else None
            X, Y = task.X[rows], task.Y[rows]
            loss, gradient = net._value_and_gradient(X, Y, weight, task.loss, dropout, task.n_threads)
            if not math.isfinite(loss):
                monitor.note_divergence(steps, _mend(net, kept))
                return
            optimizer.update(net, gradient, loss, 1.0 if factors is None else float(factors[i]))
            J += loss * len(Y)
            steps += 1
        bad_layer = _mend(net, kept)
        validation = [net._mean_loss(*task.validation, task.loss, task.n_threads)] if task.validation else []
        last_factors = () if factors is None else [float(factors[-1])]
        stops = monitor.add([J / len(task.Y)], validation, last_factors, tell=not bad_layer)
        if bad_layer:
            monitor.note_divergence(steps, bad_layer)
        if stops or bad_layer or monitor.time_is_over():
            return
        kept[:] = net.parameters


def _mend(net: Layers, kept: Array) -> int:
    """Put parameters that are not finite back to those kept; return the first layer with such, or 0."""
    bad_layer = divergence.bad_layer_of(net)
    if bad_layer:
        net.parameters[:] = kept
    return bad_layer
