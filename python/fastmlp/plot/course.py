"""The course of training: losses, metrics and learning rates, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reference import checks
from ..reference.arrays import Array
from ..reference.metrics import LARGER_IS_BETTER, METRICS
from .runs import Curves, runs_of
from .style import VERMILION, colors_of, ink, line, panel, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .style import Place

LOSSES = ("loss", "validation_loss")

# Where a curve is best, if that is known.
BEST: dict[str, Any] = {
    **{name: np.nanargmax if name in LARGER_IS_BETTER else np.nanargmin for name in METRICS},
    "validation_score": np.nanargmax,
}

# Stretches of a curve: more than a picture has columns.
N_STRETCHES = 800

# A loss whose largest value is more than so many times its smallest is drawn on a logarithmic axis.
SPAN = 10


def losses(
    history: Any, *, xlabel: str = "epoch", first: int = 1, log: bool | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the loss of training over the epochs, and that of validation where there is one, with its best epoch.

    Parameters
    ----------
    history : History, estimator, array_like, path, or mapping or sequence of these
        One run: what ``train`` returned, a fitted estimator (scikit-learn's own too) or a pipeline that ends in one, a
        curve such as ``loss_curve_``, or the path of a file that :class:`fastmlp.CSVLog` wrote. Several runs to
        compare: a mapping from their names, or a sequence.
    xlabel : str, default "epoch"
        Label of the horizontal axis.
    first : int, default 1
        Place of the first value on it.
    log : bool, optional
        Whether the vertical axis is logarithmic. By default it is where every loss is positive and the largest is more
        than ten times the smallest.
    ax : matplotlib.axes.Axes, optional
        What to draw in; by default the panel of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn in.

    Raises
    ------
    TypeError, ValueError
        If there is no run in ``history``, or a run without epochs.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> X, Y = [[0.0], [1.0]], [1.0, 2.0]
    >>> def run(optimizer):
    ...     return fastmlp.Network([1, 8, 1], random_state=0).train(X, Y, epochs=9, optimizer=optimizer)
    >>> ax = plot.losses({"adam": run(fastmlp.Adam(0.01)), "sgd": run(fastmlp.SGD(0.1))})
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['adam', 'sgd']
    """
    runs = {name: {key: curves[key] for key in LOSSES if key in curves} for name, curves in runs_of(history).items()}
    checks.integer(first, "first", -(2**63))
    axes = panel(ax, (6.4, 4))
    _draw_losses(axes, runs, first, log)
    axes.set(xlabel=xlabel)
    return axes


def history(history: Any, *, curves: Sequence[str] | None = None, log: bool | None = None, ax: Place = None) -> Figure:
    """Draw the course of training: a panel for the losses, one for each metric, and one for the learning rate.

    The best epoch is marked on the validation loss, and on metrics of which it is known what is better.

    Parameters
    ----------
    history : History, estimator, array_like, path, or mapping or sequence of these
        One run, or several to compare, as for :func:`losses`, which draws the first panel alone.
    curves : sequence of str, optional
        Which panels: "loss" and "validation_loss" share one, and the others are names of metrics, "learning_rate",
        "gradient_norm" and, of estimators, "validation_score". By default all; a learning rate only where it changes,
        or differs from run to run.
    log : bool, optional
        Whether the axis of the losses is logarithmic, as for :func:`losses`.
    ax : matplotlib.axes.Axes or sequence of them, optional
        An empty panel, in whose place the panels are drawn, or one for each of them; by default those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        The figure that was drawn in.

    Raises
    ------
    TypeError, ValueError
        If there is no run in ``history``, a run without epochs, or no curve of that name.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> net = fastmlp.Network([1, 8, 1], random_state=0)
    >>> X, Y = [[0.0], [0.5], [1.0]], [0.0, 1.0, 0.0]
    >>> run = net.train(X, Y, epochs=50, validation_data=(X, Y), metrics=["r2"])
    >>> figure = plot.history(run)
    >>> [ax.get_title() for ax in figure.axes]
    ['loss', 'r2']
    """
    runs = runs_of(history)
    names = _names(runs, curves)
    columns = 2 if len(names) == 4 else min(3, len(names))
    rows = -(-len(names) // columns)
    figure, drawn = panels(len(names), columns, (6.4 if columns == 1 else 4.4 * columns, 3.6 * rows), ax)
    for axes, name in zip(drawn, names, strict=True):
        if name == "loss":
            _draw_losses(axes, runs, 1, log)
        else:
            _draw_curve(axes, name, {run: curves[name] for run, curves in runs.items() if name in curves}, list(runs))
        axes.set(title=name.replace("_", " "), xlabel="epoch")
    return figure


def _names(runs: dict[str, Curves], chosen: Sequence[str] | None) -> list[str]:
    """Return the names of the panels."""
    found = list(dict.fromkeys(name for curves in runs.values() for name in curves if name != "validation_loss"))
    if chosen is None:
        rates = [curves["learning_rate"] for curves in runs.values() if "learning_rate" in curves]
        fixed = len(np.unique(np.concatenate(rates))) == 1 if rates else True
        return [name for name in found if name != "learning_rate" or not fixed]
    if isinstance(chosen, str):
        chosen = [chosen]
    if not chosen:
        raise ValueError("curves is empty: name at least one")
    names = list(dict.fromkeys("loss" if name in LOSSES else name for name in chosen))
    for name in names:
        if name not in found:
            raise ValueError(f"there is no curve {name!r}: known are {', '.join(found)}")
    return names


def _draw_losses(axes: Axes, runs: dict[str, Curves], first: int, log: bool | None) -> None:
    """Draw the losses of runs. One run has a colour for each curve; of several, each run has its own."""
    single, colors = len(runs) == 1, colors_of(len(runs))
    validated = any("validation_loss" in curves for curves in runs.values())
    for i, (name, curves) in enumerate(runs.items()):
        style = line(i, len(runs))
        if validated:  # where dashes tell the two curves of a run apart, colours alone tell the runs apart
            style = {"color": colors[i], "linewidth": 2}
        if "loss" in curves:
            axes.plot(*thinned(curves["loss"], first), label=name or "training", **style)
        if "validation_loss" in curves:
            color = VERMILION if single else style["color"]
            dash = "-" if single else "--"
            label = "validation" if single else f"{name}, validation"
            _draw_with_best(axes, curves["validation_loss"], label, first, np.nanargmin, color=color, linestyle=dash)
    everything = np.concatenate([curves[key] for curves in runs.values() for key in LOSSES if key in curves])
    if spans(everything) if log is None else checks.flag(log, "log"):
        axes.set_yscale("log")
    axes.set(title="loss", ylabel="J")
    axes.locator_params(axis="x", integer=True)
    if validated or not single or list(runs) != [""]:
        axes.legend(ncols=1 + len(runs) // 8)


def _draw_curve(axes: Axes, name: str, curves: dict[str, Array], runs: list[str]) -> None:
    """Draw one curve of each run that has it, in that run's colour."""
    for run, curve in curves.items():
        color = colors_of(len(runs))[runs.index(run)]
        if name in BEST:
            _draw_with_best(axes, curve, run, 1, BEST[name], color=color)
        else:
            axes.plot(*thinned(curve), label=run or None, color=color, linewidth=2)
    if name in ("learning_rate", "gradient_norm") and spans(np.concatenate(list(curves.values()))):
        axes.set_yscale("log")
    axes.locator_params(axis="x", integer=True)
    if any(axes.get_legend_handles_labels()[1]):
        axes.legend()


def _draw_with_best(axes: Axes, curve: Array, label: str, first: int, pick: Any, **style: Any) -> None:
    """Draw a curve, with a dot where it is best."""
    if not np.isnan(curve).all():
        best = int(pick(curve))
        epoch = first + best
        label = f"{label}, best at {epoch}" if label else f"best at {epoch}"
        dot = {"marker": "o", "markersize": 8, "markerfacecolor": style["color"], "markeredgecolor": ink()}
        axes.plot(epoch, curve[best], linestyle="", zorder=3, **dot)
    axes.plot(*thinned(curve, first), label=label, linewidth=2, **style)


def thinned(curve: Array, first: int = 1) -> tuple[Array, Array]:
    """Return the epochs and values of a curve: of a long one, the least and the largest of each stretch."""
    n, size = len(curve), -(-len(curve) // N_STRETCHES)
    i = np.arange(n)
    if size > 2:
        stretches = curve[: n // size * size].reshape(-1, size)
        starts = i[: n // size * size : size]
        ends = starts + stretches.argmin(axis=1), starts + stretches.argmax(axis=1)
        i = np.unique(np.concatenate([*ends, i[n // size * size :], [0, n - 1]]))
    return first + i, curve[i]


def spans(values: Array) -> bool:
    """Return whether values are positive and of more than one order of magnitude."""
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() > SPAN * values.min())
