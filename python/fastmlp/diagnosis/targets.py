"""The targets: what outputs and loss can make of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..reference.activations import Activation, output_activation_of
from ..reference.arrays import Array
from ..reference.losses import GaussianNll
from ..tabular.table import shortened
from . import thresholds
from .case import Case
from .report import ERROR, WARNING, Finding

# Where an activation is looked at for the values that it can have.
PLACES = np.concatenate([np.linspace(-20, 20, 4001), [-1e6, -1e3, 1e3, 1e6]])

# A target so close to the range is in it.
NEAR = 1e-4


def constant_targets(case: Case) -> Iterator[Finding]:
    """Look for targets that never change."""
    Y = case.samples.Y
    if len(Y) > 1 and (Y[0] == Y).all():
        value = Y[0, 0] if Y.shape[1] == 1 else Y[0].tolist()
        yield case.finding(
            "constant_targets", WARNING, f"every row has the same target, {value}", value=Y[0].tolist(), rows=len(Y)
        )


def unreachable_targets(case: Case) -> Iterator[Finding]:
    """Look for targets that the output activation can't reach."""
    low, high = reach(case.net.activations[-1])
    Y = case.samples.Y
    if case.loss.link is not None or (low == -np.inf and high == np.inf):
        return
    bad = (low - NEAR > Y) | (high + NEAR < Y)
    if not bad.any():
        return
    row, column = divmod(int(bad.argmax()), Y.shape[1])
    n_rows, number = int(bad.any(axis=1).sum()), case.samples.number(row)
    span = f"above {low:.3g}" if high == np.inf else f"from {low:.3g} to {high:.3g}"
    message = (
        f"{n_rows:,} of {len(Y):,} rows have targets that the output activation {case.net.activations[-1]} cannot "
        f"give, whose values are {span}; they go from {Y.min():.4g} to {Y.max():.4g}, and the first is "
        f"Y[{number}, {column}] = {Y[row, column]:.4g}"
    )
    evidence = {"rows": n_rows, "first": [number, column], "columns": np.flatnonzero(bad.any(axis=0)).tolist()}
    yield case.finding(
        "unreachable_targets", ERROR, message, **evidence, reach=[low, high], targets=[float(Y.min()), float(Y.max())]
    )


def unscaled_targets(case: Case) -> Iterator[Finding]:
    """Look for targets of a regression that are far from the scale of the outputs."""
    Y = case.samples.Y
    learns_numbers = case.loss.link is None or isinstance(case.loss, GaussianNll)
    if not learns_numbers or case.has("unreachable_targets", "constant_targets") or len(Y) < 2:
        return
    mean, deviation = Y.mean(axis=0, dtype=np.float64), Y.std(axis=0, dtype=np.float64)
    size = np.hypot(mean, deviation)
    tiny = (deviation < thresholds.SMALL_TARGETS) & (deviation > 0) & (not _are_labels(Y))
    wrong = (size > thresholds.LARGE_TARGETS) | tiny
    if not (which := np.flatnonzero(wrong)).size:
        return
    told = [f"{j} ({mean[j]:.4g} +- {deviation[j]:.3g})" for j in which]
    yield case.finding(
        "unscaled_targets",
        WARNING,
        f"targets are not near a mean of 0 and a deviation of 1: column {shortened(told)}",
        columns=which.tolist(),
        mean=mean[which].tolist(),
        deviation=deviation[which].tolist(),
    )


def numbered_classes(case: Case) -> Iterator[Finding]:
    """Look for numbers of classes that are learnt as if they were amounts."""
    Y = case.integers
    if Y is None or Y.shape[1:] not in ((), (1,)) or case.loss.link is not None or case.has("unreachable_targets"):
        return
    values, counts = np.unique(Y, return_counts=True)
    k = len(values)
    are_many = 3 <= k <= thresholds.MOST_CLASSES and counts.min() >= thresholds.ROWS_PER_CLASS
    if are_many and np.array_equal(values, np.arange(k)):
        message = (
            f"targets are the integers 0 to {k - 1}, which look like numbers of classes, or like counts: as amounts, "
            f"class 0 and class {k - 1} are further from each other than from those between them"
        )
        yield case.finding("numbered_classes", WARNING, message, outputs=k, counts=counts.tolist())


def wrong_loss(case: Case) -> Iterator[Finding]:
    """Look for labels whose loss is flat where the outputs are sure and wrong."""
    output, Y = case.net.activations[-1], case.Y
    if output != "sigmoid" or case.loss.link is not None or not case.can_compute or not _are_labels(Y):
        return
    wrong = np.abs(case.trace.A[-1] - Y) > thresholds.CONFIDENT
    share = float(wrong.any(axis=1).mean())
    if share >= thresholds.CONFIDENTLY_WRONG:
        message = (
            f"{share:.0%} of the rows are wrong by more than {thresholds.CONFIDENT} through a sigmoid, whose slope is "
            f"below {1 - thresholds.CONFIDENT:.2g} there: {case.loss.name} learns from them least"
        )
        yield case.finding("wrong_loss", WARNING, message, share=share, loss=case.loss.name)


def class_imbalance(case: Case) -> Iterator[Finding]:
    """Look for a rare class that is not recognised."""
    Y, weight = case.samples.Y, case.samples.weight
    if not case.can_compute or not _are_classes(Y, case.net.activations[-1]):
        return
    one_hot = np.hstack([1 - Y, Y]) if Y.shape[1] == 1 else Y
    counts = one_hot.sum(axis=0, dtype=np.float64)
    weighted = counts if weight is None else weight @ one_hot
    there = np.flatnonzero(weighted)
    rare, common = there[weighted[there].argmin()], there[weighted[there].argmax()]
    ratio = float(weighted[common] / weighted[rare])
    if ratio <= thresholds.IMBALANCE:
        return
    rows = np.flatnonzero(one_hot[:, rare] == 1)[: thresholds.MOST_ROWS]
    recall = float((_predicted(case.net.predict(case.inputs(rows))) == rare).mean())
    if recall >= thresholds.RECALL:
        return
    names = case.classes if case.classes is not None else range(len(counts))
    weights = "" if weight is None else f", {ratio:.3g} times with the weights of the samples"
    message = (
        f"class {names[common]!r} has {counts[common]:,.0f} rows, and class {names[rare]!r} {counts[rare]:,.0f}"
        f"{weights}; of these {recall:.0%} are recognised"
    )
    told = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    yield case.finding(
        "class_imbalance", WARNING, message, counts=told, rarest=str(names[rare]), ratio=ratio, recall=recall
    )


def reach(output_activation: str) -> tuple[float, float]:
    """Return the lowest and the highest output that an activation can have."""
    s = output_activation_of(output_activation)
    if not isinstance(s, Activation):
        return -np.inf, np.inf
    with np.errstate(over="ignore"):
        values = s.value(PLACES)
    low, high = float(values.min()), float(values.max())
    return -np.inf if low < -100 else low, np.inf if high > 100 else high


def _are_labels(Y: Array) -> bool:
    """Tell whether targets are 0 and 1, both of them."""
    return bool(((Y == 0) | (Y == 1)).all() and Y.min() < Y.max())


def _are_classes(Y: Array, output: str) -> bool:
    """Tell whether each row is of one class: one output says which of two, or each class has an output."""
    if not _are_labels(Y) or (Y.shape[1] == 1 and output not in ("sigmoid", "linear")):
        return False
    return Y.shape[1] == 1 or bool((Y.sum(axis=1) == 1).all())


def _predicted(Y_hat: Array) -> Array:
    """Return the class of each row."""
    classes: Array = Y_hat.argmax(axis=1) if Y_hat.shape[1] > 1 else (Y_hat[:, 0] > 0.5).astype(np.intp)
    return classes


CHECKS = (constant_targets, unreachable_targets, unscaled_targets, numbered_classes, wrong_loss, class_imbalance)
