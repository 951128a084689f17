"""How near predictions come to their targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..reference import checks
from ..reference.arrays import Array
from ..reference.metrics import r2, root_mean_squared_error
from .models import check_names
from .style import BLUE, SKY, ground, ink, is_dark, panels, rising

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .style import Place

# Above so many points, hexagons are coloured by how many are in them.
MOST_POINTS = 2000

MOST_OUTPUTS = 12


def predictions(
    Y: npt.ArrayLike, Y_hat: npt.ArrayLike, *, names: Sequence[str] | None = None, ax: Place = None
) -> Figure:
    """Draw predictions against targets, and residuals against predictions, for each output.

    It takes arrays, and no model: whoever predicts knows the units, the scaling and which of several outputs is meant,
    and models that are not of fastmlp can be drawn beside its own. More than 2000 rows are drawn as hexagons with a
    colour for the number of points in them.

    Parameters
    ----------
    Y : array_like, shape (n, n_out) or (n,)
        Targets.
    Y_hat : array_like, of the same shape
        Predictions, such as ``net.predict(X)``. One output may be flat in one of both and a column in the other.
    names : sequence of str, optional
        Names of the outputs.
    ax : matplotlib.axes.Axes or sequence of them, optional
        An empty panel, in whose place the panels are drawn, or one for each of them; by default those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        The figure that was drawn in.

    Raises
    ------
    ValueError, TypeError
        If shapes differ, there are no rows, more than 12 outputs, or something that is no finite number.

    Examples
    --------
    >>> from fastmlp import plot
    >>> figure = plot.predictions([1.0, 2.0, 3.0], [1.1, 1.9, 3.0])
    >>> figure.axes[0].get_title()
    'R² 0.990, RMSE 0.0816'
    """
    targets = _columns(Y, "Y")
    outputs = _columns(Y_hat, "Y_hat")
    if targets.shape != outputs.shape:
        raise ValueError(f"Y has shape {np.shape(Y)}, and Y_hat {np.shape(Y_hat)}: there is one prediction per target")
    n_out = targets.shape[1]
    if n_out > MOST_OUTPUTS:
        raise ValueError(f"Y has {n_out} outputs, and {MOST_OUTPUTS} can be drawn at a time: pass some of its columns")
    if names is not None:
        names = check_names(names, n_out, "names", "outputs")
    elif n_out > 1:
        names = [f"y{k + 1}" for k in range(n_out)]
    figure, drawn = panels(2 * n_out, 2, (8.4, 3.8 * n_out), ax)
    for k in range(n_out):
        y, y_hat = targets[:, [k]], outputs[:, [k]]
        left, right = drawn[2 * k : 2 * k + 2]
        _draw(left, y, y_hat)
        _draw(right, y_hat, y_hat - y)
        left.axline((y[0, 0], y[0, 0]), slope=1, color=ink(), linestyle="--", linewidth=1)
        right.axhline(0, color=ink(), linestyle="--", linewidth=1)
        title = f"R² {r2(y, y_hat):.3f}, RMSE {root_mean_squared_error(y, y_hat):.3g}"
        left.set(title=f"{names[k]}: {title}" if names else title, xlabel="target", ylabel="prediction")
        right.set(title="residuals", xlabel="prediction", ylabel="prediction - target")
    return figure


def _draw(axes: Axes, x: Array, y: Array) -> None:
    if len(x) > MOST_POINTS:
        density = axes.hexbin(
            x[:, 0], y[:, 0], gridsize=40, bins="log", mincnt=1, cmap=rising(axes, 0.2), linewidths=0.1
        )
        axes.figure.colorbar(density, ax=axes, label="points")
        axes.grid(visible=False)
        return
    color = SKY if is_dark(ground(axes)) else BLUE
    axes.plot(
        x,
        y,
        marker="o",
        markersize=4,
        linestyle="",
        color=color,
        alpha=max(0.25, min(0.8, 200 / len(x))),
        markeredgewidth=0,
    )


def _columns(data: npt.ArrayLike, name: str) -> Array:
    """Return targets or predictions as float64, shape (n, n_out)."""
    a = np.asarray(data)
    a = a.reshape(-1, 1) if a.ndim == 1 else a
    if a.ndim != 2 or 0 in a.shape:
        raise ValueError(f"{name} must have shape (n, n_out) or (n,), with a row at least; got {np.shape(data)}")
    return checks.matrix(a, name, np.dtype(np.float64), a.shape[1], "its outputs")
