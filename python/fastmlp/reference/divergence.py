"""Runs whose numbers become too large: where that happened, in words."""

from __future__ import annotations

import warnings
from typing import Any

from .checks import find_nonfinite
from .layers import Layers
from .optimizers import Optimizer
from .solvers import Solver
from .sparse import Inputs


class DivergenceWarning(RuntimeWarning):
    """Training stopped because its numbers became too large.

    The message names the epoch, the batch and the first layer where it happened. The network has the last
    finite parameters: those before that batch or, where the batch's update itself overflowed, the last ones
    that were kept, which happens at the end of epochs that are watched and every so many steps.

    Examples
    --------
    >>> import fastmlp, warnings
    >>> net = fastmlp.Network([1, 1], random_state=0)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     history = net.train([[1e3]], [1e3], epochs=99, optimizer=fastmlp.SGD(1.0))
    >>> caught[0].category.__name__, history.stop_reason[:8], bool(abs(net.parameters).max() < float("inf"))
    ('DivergenceWarning', 'diverged', True)
    """


def settle(net: Layers, optimizer: Optimizer | Solver, X: Inputs, n_batches: int, steps: int, bad_layer: int) -> str:
    """Return what went wrong after so many steps, of ``n_batches`` an epoch; reset an optimizer whose slots went wrong.

    ``bad_layer`` is the first layer that the last update left with parameters that are not finite; 0 if the loss of
    the next batch is not, with the parameters that the network has. Slots are those of that update, or overflowed.
    """
    went_back = bad_layer > 0 and steps > 0
    if optimizer.slots and (went_back or any(find_nonfinite(slot) >= 0 for slot in optimizer.slots)):
        optimizer.reset()
    return _explain(net, X, n_batches, steps, bad_layer)


def warn(reason: str) -> None:
    """Give the warning of a run that diverged, as from the caller of ``train``."""
    advice = ": try a lower learning rate, or inputs and targets scaled to about 1"
    warnings.warn(reason + advice, DivergenceWarning, stacklevel=3)


def bad_layer_of(net: Layers) -> int:
    """Return the first layer with a parameter that is not finite, or 0."""
    at = find_nonfinite(net.parameters)
    last = 0
    for l, W in enumerate(net.weights, 1):
        last += W.size + net.bias * W.shape[1]
        if 0 <= at < last:
            return l
    return 0


def _explain(net: Layers, X: Inputs, n_batches: int, steps: int, bad_layer: int) -> str:
    if bad_layer and not steps:
        return f"diverged: the parameters of layer {bad_layer} were not finite to begin with"
    epoch, batch = divmod(steps - bool(bad_layer), n_batches)
    where = f"epoch {epoch + 1}, batch {batch + 1}"
    if bad_layer:
        return (
            f"diverged: the update of {where} gave layer {bad_layer} parameters that are not finite. The network "
            "has the last finite ones that were kept"
        )
    layer = _first_bad_layer(net, X)
    first = f"layer {layer} is the first to overflow" if layer else "the outputs are finite, but too far from Y"
    return f"diverged: the loss of {where} is not finite; {first}. The network has the parameters before that batch"


def _first_bad_layer(net: Any, X: Inputs) -> int:
    """Return the first layer whose net inputs or activations are not finite for a row of X, or 0."""
    n_rows, bad = max(1, 2**20 // max(net.layer_sizes)), set()
    for start in range(0, X.shape[0], n_rows):
        step: Any = net.trace(X[start : start + n_rows])
        bad |= {l for l in range(1, len(step.A)) if max(map(find_nonfinite, (step.Z[l], step.A[l]))) >= 0}
    return min(bad, default=0)
