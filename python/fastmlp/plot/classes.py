"""How classes are told apart, drawn by scikit-learn's displays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import missing_extra
from ..reference import checks
from ..reference.arrays import Array
from ..reference.layers import Layers
from .models import check_names, network_of
from .style import colors_of, diverging, ground, ink, is_dark, matplotlib, panel, rising

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PROBABILITIES = ("sigmoid", "softmax")


def confusion_matrix(
    model: Any,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    normalize: str | None = None,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many rows of each class were taken for which, with scikit-learn's ConfusionMatrixDisplay.

    Parameters
    ----------
    model : Network or estimator
        A fitted classifier, of scikit-learn too, a pipeline that ends in one, or a network by itself with sigmoid or
        softmax outputs.
    X : array_like or sparse matrix, shape (n, n_in)
        Inputs.
    y : array_like, shape (n,)
        Classes: labels or, for a network by itself, 0, 1 ... or one column per class, as it is trained with.
    normalize : {"true", "pred", "all"}, optional
        Show shares of the rows of each true class, of each predicted class or of all rows, instead of numbers of rows.
    names : sequence of str, optional
        Names of the classes, in their order.
    ax : matplotlib.axes.Axes, optional
        What to draw in; by default the panel of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn in.

    Raises
    ------
    TypeError, ValueError
        If the model tells no classes apart, or y has others than it knows.
    ImportError
        If scikit-learn is not installed.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> net = fastmlp.Network.from_parameters([[[1.0]]], output_activation="sigmoid")
    >>> ax = plot.confusion_matrix(net, [[-2.0], [-1.0], [1.0]], [0, 1, 1])
    >>> [text.get_text() for text in ax.texts]
    ['1', '0', '1', '1']
    """
    classifier = _classifier(model)
    display = _displays()[0]
    true = _labels(classifier, y)
    axes = _panel(ax, len(classifier.classes_))
    drawn = display.from_predictions(
        true,
        classifier.predict(X),
        labels=classifier.classes_,
        display_labels=_names(classifier, names),
        normalize=normalize,
        cmap=rising(axes),
        colorbar=False,
        ax=axes,
    )
    for text, count in zip(drawn.text_.flat, drawn.confusion_matrix.flat, strict=True):
        text.set_color("white" if is_dark(drawn.im_.to_rgba(count)) else "black")
    axes.grid(visible=False)
    axes.set(xlabel="predicted", ylabel="true")
    return axes


def decision_boundary(
    model: Any,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the regions that a model of two inputs gives to its classes, with scikit-learn's DecisionBoundaryDisplay.

    The colours of the ground are the stronger, the surer the model is; dots are the samples.

    Parameters
    ----------
    model : Network or estimator
        A fitted classifier with probabilities, of scikit-learn too, a pipeline that ends in one, or a network by itself
        with sigmoid or softmax outputs.
    X : array_like, shape (n, 2)
        Inputs.
    y : array_like, shape (n,)
        Classes, as for :func:`confusion_matrix`.
    names : sequence of str, optional
        Names of the classes, in their order.
    ax : matplotlib.axes.Axes, optional
        What to draw in; by default the panel of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn in.

    Raises
    ------
    TypeError, ValueError
        If the model tells no classes apart, X has not two columns, or y has other classes than the model.
    ImportError
        If scikit-learn is not installed.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> net = fastmlp.Network([2, 4, 3], output_activation="softmax", random_state=0)
    >>> ax = plot.decision_boundary(net, [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0, 1, 2])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['0', '1', '2']
    """
    classifier = _classifier(model)
    display = _displays()[1]
    points = checks.matrix(np.asarray(X), "X", np.dtype(np.float64), 2, "a picture over two inputs")
    true = _labels(classifier, y)
    if len(true) != len(points) or not len(true):
        raise ValueError(f"y has {len(true)} rows, and X has {len(points)}: as many are needed, and one at least")
    labels = _names(classifier, names)
    axes = panel(ax, (6.4, 4.8))
    axes.grid(visible=False)
    colors = _draw_regions(display, classifier, X, axes)
    size = float(np.clip(6000 / len(points), 6, 30))
    for k, (name, color) in enumerate(zip(labels, colors, strict=True)):
        of_class = points[true == classifier.classes_[k]]
        axes.scatter(of_class[:, 0], of_class[:, 1], s=size, color=color, edgecolors=ink(), linewidths=0.5, label=name)
    axes.legend()
    return axes


def _draw_regions(display: Any, classifier: Any, X: Any, axes: Axes) -> list[str]:
    """Draw the probabilities, which fade into the ground where none is certain; return the classes' colours."""
    n, corners = len(classifier.classes_), _corners(X)
    settings: dict[str, Any] = {"response_method": "predict_proba", "plot_method": "pcolormesh", "eps": 0, "ax": axes}
    settings |= {"grid_resolution": 200, "alpha": 0.5, "rasterized": True}
    if n == 2:
        cmap = diverging(axes).reversed()  # the first class has the first colour, as where there are more
        display.from_estimator(classifier, corners, cmap=cmap, vmin=0, vmax=1, **settings)
        return [matplotlib().colors.to_hex(cmap(end)) for end in (0.0, 1.0)]
    colors = colors_of(n)
    drawn = display.from_estimator(classifier, corners, multiclass_colors=colors, **settings)
    for surface, color in zip(drawn.surface_, colors, strict=True):  # which fade into white on any ground
        fade = matplotlib().colors.LinearSegmentedColormap.from_list("fade", [ground(axes), color])
        surface.set_cmap(fade)
    return colors


def _corners(X: Any) -> Any:
    """Return two rows between which the samples lie, with a margin, and with their names if they have some."""
    points = np.asarray(X, np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.08 * np.where(high > low, high - low, 1)
    corners = np.stack([low - margin, high + margin])
    if not hasattr(X, "columns"):
        return corners
    return type(X)(corners, **{"columns" if hasattr(X, "iloc") else "schema": list(X.columns)})  # of pandas or Polars


def _displays() -> tuple[Any, Any]:
    matplotlib()
    from sklearn.inspection import DecisionBoundaryDisplay
    from sklearn.metrics import ConfusionMatrixDisplay

    return ConfusionMatrixDisplay, DecisionBoundaryDisplay


def _classifier(model: Any) -> Any:
    """Return what has classes_, predict and predict_proba."""
    try:
        from .sklearn_face import NetworkClassifier
    except ModuleNotFoundError:
        raise missing_extra("scikit-learn", "sklearn") from None
    if isinstance(model, Layers):
        output = model.activations[-1]
        if output not in PROBABILITIES:
            raise ValueError(f"the network's output activation is {output!r}: classes need 'sigmoid' or 'softmax'")
        return NetworkClassifier(model)
    from sklearn.base import is_classifier
    from sklearn.utils.validation import check_is_fitted

    if isinstance(model, type) or not hasattr(model, "__sklearn_tags__") or not is_classifier(model):
        network_of(model, "model")  # what is no model at all is told by its error
        raise TypeError(f"model must tell classes apart, and {type(model).__name__} does not")
    check_is_fitted(model)
    return model


def _labels(classifier: Any, y: npt.ArrayLike) -> Array:
    """Return the true class of each row, shape (n,), as the classifier names it."""
    labels, classes = np.asarray(y), classifier.classes_
    if labels.ndim == 2 and labels.shape[1] == len(classes) > 1:
        if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise ValueError(
                "y has one column per class, and not a single 1 in every row: classes must exclude each other"
            )
        labels = classes[labels.argmax(axis=1)]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"y must have shape (n,), one class per row of X; got {labels.shape}")
    unknown = ~np.isin(labels, classes)
    if unknown.any():
        row = int(unknown.argmax())
        raise ValueError(f"y[{row}] is {labels[row].item()!r}: the model knows the classes {classes.tolist()}")
    return labels


def _names(classifier: Any, names: Sequence[str] | None) -> list[str]:
    classes = classifier.classes_
    return [str(label) for label in classes] if names is None else check_names(names, len(classes), "names", "classes")


def _panel(ax: Axes | None, n: int) -> Axes:
    """Return a panel for a square of n rows and columns."""
    side = min(2.2 + 0.45 * n, 20)
    return panel(ax, (side + 0.3, side))
