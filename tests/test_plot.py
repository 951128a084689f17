"""Pictures: what they hold, on light and dark grounds, of every kind of model, and what they say of wrong inputs."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import plot, reference

matplotlib = pytest.importorskip("matplotlib")
style = pytest.importorskip("matplotlib.style")
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.colors import to_rgb  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

NETWORKS = [fastmlp.Network, reference.Network]


@pytest.fixture(params=["default", "dark_background"], ids=["light", "dark"])
def ground(request: pytest.FixtureRequest) -> Any:
    """Draw on a light and on a dark ground; give its colour."""
    with style.context(request.param):
        yield to_rgb(matplotlib.rcParams["figure.facecolor"])


@pytest.fixture
def run() -> fastmlp.History:
    """A run with every curve there is."""
    return reference.results.History(
        loss=[4.0, 2.0, 1.0, 0.3],
        validation_loss=[5.0, 3.0, 2.0, 2.5],
        metrics={"r2": [0.1, 0.6, 0.5, 0.4], "mine": [1.0, 2.0, 3.0, 4.0]},
        learning_rate=[0.1, 0.1, 0.01, 0.01],
        gradient_norm=[9.0, 3.0, 1.0, 0.1],
    )


@pytest.fixture(scope="module")
def classifier() -> Any:
    """A pipeline fitted to the irises, with names of features and classes."""
    from sklearn.datasets import load_iris
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    iris = load_iris(as_frame=True)
    names = iris.target_names[iris.target]
    model = make_pipeline(
        StandardScaler(), fastmlp.MLPClassifier((4,), "tanh", solver="lbfgs", alpha=0.1, random_state=0)
    )
    return model.fit(iris.data, names), iris.data, names


def legend(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def titles(figure: Figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes]


def curves(ax: Axes) -> dict[str, list[float]]:
    return {str(line.get_label()): list(line.get_ydata()) for line in ax.lines if not line.get_label().startswith("_")}


# The course of training.


def test_a_history_has_a_panel_for_the_losses_and_one_for_each_metric(run):
    figure = plot.history(run)
    assert titles(figure) == ["loss", "r2", "mine", "learning rate", "gradient norm"]
    assert figure.axes[0].get_yscale() == "log"
    assert curves(figure.axes[0]) == {"training": run.loss, "validation, best at 3": run.validation_loss}
    assert list(figure.axes[0].lines[0].get_xdata()) == [1, 2, 3, 4]


def test_the_best_epoch_of_a_metric_is_marked_where_it_is_known_what_is_better(run):
    run.metrics["mean_absolute_error"] = [0.5, 0.4, 0.3, 0.6]
    figure = plot.history(run)
    assert legend(figure.axes[1]) == ["best at 2"]
    assert legend(figure.axes[3]) == ["best at 3"]
    assert figure.axes[2].get_legend() is None  # nobody knows what is better in one of the user's own


def test_a_learning_rate_that_never_changes_has_no_panel_unless_asked_for():
    run = fastmlp.Network([1, 1]).train([[1.0]], [2.0], epochs=3)
    assert titles(plot.history(run)) == ["loss"]
    assert titles(plot.history(run, curves=["learning_rate"])) == ["learning rate"]


def test_losses_that_are_not_positive_or_of_one_size_have_a_linear_axis():
    assert plot.losses([1.0, 0.5]).get_yscale() == "linear"
    assert plot.losses([1.0, -0.5]).get_yscale() == "linear"
    assert plot.losses([1.0, 0.05]).get_yscale() == "log"
    assert plot.losses([1.0, 0.05], log=False).get_yscale() == "linear"


def test_runs_are_compared_by_their_names_or_numbers(run):
    assert legend(plot.losses({"a": [2.0, 1.0], "b": [3.0, 1.0]})) == ["a", "b"]
    assert legend(plot.losses([[2.0, 1.0], [3.0, 1.0]])) == ["run 1", "run 2"]
    assert legend(plot.losses({"a": run, "b": [3.0, 1.0]})) == ["a", "a, validation, best at 3", "b"]


def test_more_runs_than_the_palette_has_colours_differ_all_the_same(run):
    ax = plot.losses([run.loss] * 9)
    assert len({line.get_color() for line in ax.lines}) == 9


def test_estimators_and_logs_have_a_history_too(tmp_path):
    X, y = np.linspace(0, 1, 40).reshape(-1, 1), np.linspace(0, 2, 40)
    log = fastmlp.CSVLog(tmp_path / "log.csv")
    model = fastmlp.MLPRegressor(hidden_layer_sizes=(3,), early_stopping=True, callbacks=[log], tol=9, random_state=0)
    model.fit(X, y)
    assert titles(plot.history(model))[:2] == ["loss", "validation score"]
    of_model, of_log = plot.losses(model), plot.losses(tmp_path / "log.csv")
    assert curves(of_log) == curves(of_model)
    assert curves(of_model)["training"] == model.loss_curve_


def test_the_curve_of_an_estimator_of_scikit_learn_is_drawn():
    from sklearn.neural_network import MLPClassifier

    theirs = MLPClassifier((2,), solver="sgd", tol=0.1, random_state=0).fit([[0.0], [1.0]] * 5, [0, 1] * 5)
    assert list(plot.losses(theirs).lines[0].get_ydata()) == theirs.loss_curve_


def test_losses_that_end_in_no_number_are_drawn_up_to_there():
    run = reference.results.History([4.0, 1.0, np.inf], [4.0, 2.0, np.nan])
    assert legend(plot.losses(run)) == ["training", "validation, best at 2"]


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (3, "history must be what train returned"),
        ({"a": object()}, r"history\['a'\] must be what train returned"),
        ({}, "history is empty"),
        ([], "history has no epochs"),
        (reference.results.History(), "history has no epochs"),
        ([[1.0], []], r"history\[1\] has no epochs"),
    ],
)
def test_what_is_no_run_is_named(history, message):
    with pytest.raises((TypeError, ValueError), match=message):
        plot.losses(history)


def test_an_unknown_curve_or_a_file_that_is_no_log_is_named(run, tmp_path):
    with pytest.raises(ValueError, match="there is no curve 'r3': known are loss, r2, mine"):
        plot.history(run, curves=["loss", "r3"])
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"other.csv is no log of CSVLog: its first line has no column 'loss'"):
        plot.history(tmp_path / "other.csv")


# Networks.


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_small_network_has_a_line_for_each_weight_and_a_circle_for_each_neuron(kind, dtype):
    net = kind([3, 5, 2], dtype=dtype, random_state=0)
    ax = plot.network(net)
    *lines, first, second, third = ax.collections
    assert [len(c.get_segments()) for c in lines] == [15, 10]
    assert [len(c.get_offsets()) for c in (first, second, third)] == [3, 5, 2]
    assert {"x1", "x2", "x3", "y1", "y2", "hidden\ntanh", "output\nlinear"} <= set(texts(ax))
    assert ax.get_title() == "3-5-2: 32 parameters"


def test_sign_and_size_of_weights_are_colour_and_width():
    net = fastmlp.Network.from_parameters([[[-2.0], [0.0], [1.0]]])
    ax = plot.network(net)
    lines = ax.collections[0]
    (zero, positive, negative), widths = lines.get_colors(), lines.get_linewidths()
    assert list(widths) == sorted(widths)
    assert tuple(zero[:3]) == pytest.approx(to_rgb("white"), abs=0.02)  # vanishes
    assert negative[0] > negative[2]
    assert positive[0] < positive[2]


def test_the_smallest_networks_have_their_numbers_written_on():
    ax = plot.network(fastmlp.Network.from_parameters([[[0.5, -2.0]]], [[0.0, 12.34]]))
    assert {"0.50", "-2.00", "12.3"} <= set(texts(ax))
    assert "0.50" not in texts(plot.network(fastmlp.Network.from_parameters([[[0.5, -2.0]]]), numbers=False))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", [[1, 1], [2, 1], [1, 20, 1], [20, 20, 20]])
def test_networks_of_any_shape_are_drawn(sizes, bias):
    net = fastmlp.Network(sizes, bias=bias)
    for detail in ("auto", "layers"):
        assert plot.network(net, detail=detail).has_data()
        assert plot.neurons(net, np.ones(sizes[0]), detail=detail).has_data()
    assert len(plot.histograms(net).axes) == (1 + bias) * (len(sizes) - 1)


def test_a_network_of_zeros_is_drawn():
    net = fastmlp.Network([2, 3, 1], init="zeros")
    draw(plot.network(net))
    draw(plot.histograms(net))
    draw(plot.neurons(net, [0.0, 0.0]))


def test_a_large_network_is_drawn_as_layers_and_alike_ones_share_a_bar():
    ax = plot.network(fastmlp.Network([784, *[300] * 40, 10], "relu", "softmax"))
    assert {"784", "300 relu", "10 softmax", "hidden 1 to 40", "3,010 parameters"} <= set(texts(ax))
    assert f"{784 * 300 + 300 + 39 * 300 * 301:,} parameters" in texts(ax)
    assert len(ax.patches) == 3


def test_detail_can_be_forced():
    assert plot.network(fastmlp.Network([2, 3, 1]), detail="layers").patches
    assert len(plot.network(fastmlp.Network([21, 1]), detail="neurons").collections[0].get_segments()) == 21
    with pytest.raises(ValueError, match="unknown detail 'all': known are auto, neurons, layers"):
        plot.network(fastmlp.Network([2, 3, 1]), detail="all")


def test_names_are_those_of_the_features_and_classes_of_an_estimator(classifier):
    model, X, _ = classifier
    for ax in (plot.network(model), plot.neurons(model, X.iloc[0])):
        assert {*X.columns, "setosa", "versicolor", "virginica"} <= set(texts(ax))


def test_names_may_be_given():
    ax = plot.network(fastmlp.Network([2, 1]), input_names=["speed", "load"], output_names=["heat"])
    assert {"speed", "load", "heat"} <= set(texts(ax))
    with pytest.raises(ValueError, match="input_names has 1 names, and there are 2 inputs"):
        plot.network(fastmlp.Network([2, 1]), input_names=["speed"])
    with pytest.raises(TypeError, match="output_names must be a sequence of names"):
        plot.network(fastmlp.Network([2, 1]), output_names="heat")


def test_neurons_have_the_values_that_a_trace_gives():
    net = fastmlp.Network([2, 3, 1], "tanh", random_state=0)
    expected = [f"{a:.2f}" for layer in net.trace([[0.5, -0.5]]).A for a in layer[0]]
    assert texts(plot.neurons(net, [0.5, -0.5]))[:6] == expected


def test_strips_of_a_large_network_hold_every_activation_and_tell_the_largest_output(digits):
    X, _ = digits
    net = fastmlp.Network([64, 100, 10], "relu", "softmax", random_state=0)
    ax = plot.neurons(net, X[0])
    A = net.trace(X[:1]).A
    assert [strip.get_array().size for strip in ax.collections] == [64, 100, 10]
    np.testing.assert_allclose(np.ravel(ax.collections[1].get_array()), A[1][0])
    k = int(A[2].argmax())
    assert ax.get_title() == f"largest output: y{k + 1}, {A[2][0, k]:.3f}"


def test_the_steps_of_a_pipeline_come_before_its_network(classifier):
    model, X, _ = classifier
    (scaled,) = model[:-1].transform(X[:1])
    assert texts(plot.neurons(model, X[:1]))[0] == f"{scaled[0]:.2f}"


def test_activations_that_overflow_are_drawn_by_their_names():
    net = fastmlp.Network.from_parameters([[[1e38]], [[1e38]]], activation="relu", dtype="float32")
    ax = plot.neurons(net, [1.0])
    assert texts(ax)[:3] == ["1.00", "1e38", "inf"]
    draw(ax)


@pytest.mark.parametrize("x", [[[1.0, 2.0], [3.0, 4.0]], 3.0])
def test_x_of_neurons_is_one_input(x):
    with pytest.raises(ValueError, match=r"x must be one input, of shape \(n_in,\) or \(1, n_in\); got shape"):
        plot.neurons(fastmlp.Network([2, 1]), x)


def test_x_of_another_width_is_named():
    with pytest.raises(ValueError, match=r"x must have shape \(n, 2\) for 2 inputs; got \(1, 3\)"):
        plot.neurons(fastmlp.Network([2, 1]), [1.0, 2.0, 3.0])


@pytest.mark.parametrize("draw_it", [plot.network, plot.histograms, lambda net: plot.neurons(net, [1.0])])
def test_what_is_no_network_is_named(draw_it):
    with pytest.raises(TypeError, match=r"net must be a fastmlp.Network, .*; not int"):
        draw_it(3)
    with pytest.raises(TypeError, match="net is the class Network: pass a network"):
        draw_it(fastmlp.Network)
    with pytest.raises(ValueError, match="this MLPRegressor is not fitted yet"):
        draw_it(fastmlp.MLPRegressor())


def test_a_parameter_that_is_not_finite_is_named():
    net = fastmlp.Network([2, 3, 1])
    net.weights[0][1, 2] = np.nan
    for draw_it in (plot.network, plot.histograms):
        with pytest.raises(ValueError, match=r"weights\[0\]\[1, 2\] is nan"):
            draw_it(net)


# Histograms.


@pytest.mark.parametrize("kind", NETWORKS)
def test_histograms_count_every_parameter_and_gradient(kind, digits):
    X, Y = digits
    net = kind([64, 7, 10], "tanh", "softmax", random_state=0)
    figure = plot.histograms(net, X[:50], Y[:50], loss="log_loss")
    assert titles(figure) == ["W", "b", "dW", "db", "", "", "", ""]
    counts = [sum(bar.get_height() for bar in ax.patches) for ax in figure.axes]
    assert counts == [64 * 7, 7, 64 * 7, 7, 7 * 10, 10, 7 * 10, 10]
    dW = net.gradients(X[:50], Y[:50], "log_loss").weights[0]
    bars = figure.axes[2].patches
    assert bars[0].get_x() == pytest.approx(dW.min())


def test_gradients_of_an_estimator_are_those_of_its_own_targets_and_loss(classifier):
    model, X, y = classifier
    figure = plot.histograms(model, X, y)
    net = model[-1].network_
    Y = np.eye(3)[np.unique(y, return_inverse=True)[1]]
    dW = net.gradients(model[:-1].transform(X), Y, "log_loss").weights[0]
    assert figure.axes[2].patches[0].get_x() == pytest.approx(dW.min())


def test_gradients_need_both_x_and_y():
    with pytest.raises(ValueError, match="gradients need both X and Y"):
        plot.histograms(fastmlp.Network([2, 1]), [[1.0, 2.0]])
    with pytest.raises(ValueError, match="gradients need both X and Y"):
        plot.histograms(fastmlp.Network([2, 1]), loss="huber")


def test_of_a_deep_network_some_layers_are_drawn_the_first_and_last_among_them():
    figure = plot.histograms(fastmlp.Network([2] * 101))
    labels = [ax.get_ylabel() for ax in figure.axes[::2]]
    assert len(labels) == 12
    assert labels[0] == "hidden 1\ntanh"
    assert labels[-1] == "output\nlinear"


# Predictions.


def test_predictions_have_two_panels_for_each_output_with_their_metrics():
    Y = np.array([[1.0, 5.0], [2.0, 4.0], [3.0, 3.0]])
    figure = plot.predictions(Y, Y + np.array([0.0, 0.5]), names=["lift", "drag"])
    assert titles(figure) == ["lift: R² 1.000, RMSE 0", "residuals", "drag: R² 0.625, RMSE 0.5", "residuals"]
    points = figure.axes[3].lines[0]
    assert list(points.get_ydata().ravel()) == [0.5, 0.5, 0.5]
    assert list(points.get_xdata().ravel()) == [5.5, 4.5, 3.5]


def test_flat_predictions_fit_a_column_of_targets():
    assert titles(plot.predictions([[1.0], [2.0]], [1.0, 2.0]))[0] == "R² 1.000, RMSE 0"


def test_many_points_are_counted_in_hexagons(rng):
    Y = rng.standard_normal(5000)
    left = plot.predictions(Y, Y).axes[0]
    assert left.collections[0].get_array().sum() == 5000


@pytest.mark.parametrize(
    ("Y", "Y_hat", "message"),
    [
        ([1.0, 2.0], [1.0], r"Y has shape \(2,\), and Y_hat \(1,\)"),
        ([], [], r"Y must have shape \(n, n_out\) or \(n,\), with a row at least"),
        ([1.0, np.nan], [1.0, 2.0], r"Y\[1, 0\] is nan"),
        ([1.0, 2.0], [1.0, np.inf], r"Y_hat\[1, 0\] is inf"),
        (["a"], ["b"], "Y must hold real numbers"),
        (np.ones((3, 13)), np.ones((3, 13)), "Y has 13 outputs, and 12 can be drawn at a time"),
    ],
)
def test_wrong_predictions_are_named(Y, Y_hat, message):
    with pytest.raises((TypeError, ValueError), match=message):
        plot.predictions(Y, Y_hat)


# Classes.


@pytest.mark.parametrize(("kind", "one_hot"), [(fastmlp.Network, True), (reference.Network, False)])
def test_a_confusion_matrix_of_a_network_takes_labels_and_columns(kind, one_hot, digits):
    X, Y = digits
    net = kind([64, 10], "tanh", "softmax", random_state=0)
    ax = plot.confusion_matrix(net, X, Y if one_hot else Y.argmax(axis=1))
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (Y.argmax(axis=1), net.predict(X).argmax(axis=1)), 1)
    assert texts(ax) == [str(n) for n in counts.ravel()]


def test_a_confusion_matrix_of_an_estimator_has_its_labels(classifier):
    model, X, y = classifier
    ax = plot.confusion_matrix(model, X, y)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["setosa", "versicolor", "virginica"]
    assert texts(ax)[:3] == ["50", "0", "0"]
    shares = plot.confusion_matrix(model, X, y, normalize="true", names=["a", "b", "c"])
    assert texts(shares)[:3] == ["1", "0", "0"]
    assert [label.get_text() for label in shares.get_yticklabels()] == ["a", "b", "c"]


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(("n_out", "output"), [(1, "sigmoid"), (2, "softmax"), (3, "softmax"), (4, "sigmoid")])
def test_a_decision_boundary_has_the_samples_of_each_class(kind, n_out, output, rng):
    n_classes = max(2, n_out)
    net = kind([2, 5, n_out], "tanh", output, random_state=0)
    X, y = rng.standard_normal((40, 2)), np.arange(40) % n_classes
    ax = plot.decision_boundary(net, X, y)
    samples = ax.collections[-n_classes:]
    for k in range(n_classes):
        np.testing.assert_array_equal(samples[k].get_offsets(), X[y == k])
    assert legend(ax) == [str(k) for k in range(n_classes)]


def test_models_and_classes_that_do_not_fit_are_named(classifier):
    model, X, y = classifier
    binary = fastmlp.Network([2, 1], output_activation="sigmoid")
    for draw_it in (plot.confusion_matrix, plot.decision_boundary):
        with pytest.raises(ValueError, match="output activation is 'linear': classes need 'sigmoid' or 'softmax'"):
            draw_it(fastmlp.Network([2, 1]), [[1.0, 2.0]], [0])
        with pytest.raises(ValueError, match=r"y\[1\] is 2: the model knows the classes \[0, 1\]"):
            draw_it(binary, [[1.0, 2.0], [1.0, 2.0]], [0, 2])
        with pytest.raises(TypeError, match=r"model must be a fastmlp.Network, .*; not int"):
            draw_it(3, [[1.0, 2.0]], [0])
        fitted = fastmlp.MLPRegressor(solver="lm", hidden_layer_sizes=()).fit([[0.0], [1.0]], [0.0, 1.0])
        with pytest.raises(TypeError, match="model must tell classes apart, and MLPRegressor does not"):
            draw_it(fitted, [[1.0, 2.0]], [0])
    with pytest.raises(ValueError, match=r"X must have shape \(n, 2\) for a picture over two inputs; got \(150, 4\)"):
        plot.decision_boundary(model, X, y)
    several = fastmlp.Network([2, 3], output_activation="sigmoid")
    with pytest.raises(ValueError, match="y has one column per class, and not a single 1 in every row"):
        plot.confusion_matrix(several, [[1.0, 2.0]], [[1, 1, 0]])


# Activations.


def test_activations_of_a_network_are_drawn_once_each():
    net = fastmlp.Network([2, 3, 3, 3, 2], ["relu", "tanh", "relu"], "softmax")
    assert titles(plot.activations(net)) == ["relu", "tanh"]


def test_activations_may_share_a_panel():
    ax = plot.activations(["relu", "tanh"], ax=Figure().add_subplot())
    assert list(curves(ax)) == ["relu", "tanh"]
    assert len(ax.lines) == 4


def test_activations_without_a_curve_or_a_name_are_told():
    with pytest.raises(ValueError, match="unknown activation 'relo': did you mean 'relu'"):
        plot.activations("relo")
    with pytest.raises(ValueError, match="have no curve"):
        plot.activations(fastmlp.Network([2, 2], output_activation="softmax"))


# What every picture keeps to.

FUNCTIONS = (
    *(plot.activations, plot.confusion_matrix, plot.convergence, plot.decision_boundary, plot.fits, plot.histograms),
    *(plot.history, plot.losses, plot.network, plot.neurons, plot.predictions, plot.save),
)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_every_function_is_documented_with_its_parameters_and_an_example(function):
    text = inspect.getdoc(function) or ""
    parameters = text.partition("Parameters\n")[2].partition("Returns\n")[0]
    missing = [name for name in inspect.signature(function).parameters if not re.search(rf"\b{name}\b", parameters)]
    assert not missing
    assert ">>>" in text


def draw(drawn: Any) -> bytes:
    """Return the picture as a notebook shows it."""
    png: bytes = drawn._repr_png_()
    assert png.startswith(b"\x89PNG")
    return png


def samples() -> tuple[Any, Any]:
    return [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1]


def binary() -> fastmlp.Network:
    return fastmlp.Network([2, 3, 1], "tanh", "sigmoid", random_state=0)


ONE_PANEL = {
    "losses": lambda **to: plot.losses({"a": [2.0, 1.0], "b": [3.0, 0.1]}, **to),
    "network": lambda **to: plot.network(binary(), **to),
    "network, numbers": lambda **to: plot.network(binary(), numbers=True, **to),
    "network, layers": lambda **to: plot.network(binary(), detail="layers", **to),
    "neurons": lambda **to: plot.neurons(binary(), [0.5, 1.0], **to),
    "neurons, layers": lambda **to: plot.neurons(binary(), [0.5, 1.0], detail="layers", **to),
    "confusion_matrix": lambda **to: plot.confusion_matrix(binary(), *samples(), **to),
    "decision_boundary": lambda **to: plot.decision_boundary(binary(), *samples(), **to),
}
SEVERAL_PANELS = {
    "history": lambda **to: plot.history([reference.results.History([2.0, 1.0], [3.0, 2.0], {"r2": [0, 1]})], **to),
    "histograms": lambda **to: plot.histograms(binary(), *samples(), **to),
    "predictions": lambda **to: plot.predictions([1.0, 2.0], [1.5, 2.0], **to),
}
ALL = {**ONE_PANEL, **SEVERAL_PANELS, "activations": lambda **to: plot.activations("tanh", **to)}


def contrast(color: Any, other: Any) -> float:
    """Return the ratio of two colours' luminances, from 1 to 21, as the guidelines for accessible pages define it."""

    def luminance(color: Any) -> float:
        c = np.asarray(to_rgb(color))
        return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])

    low, high = sorted([luminance(color), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ALL)
def test_text_is_readable_on_light_and_dark_grounds(name, ground):
    drawn = ALL[name]()
    panels = drawn.axes if isinstance(drawn, Figure) else [drawn]
    for ax in panels:
        labels = [*ax.get_xticklabels(), *ax.get_yticklabels()] if ax.axison else []
        plain = [] if name.startswith(("neurons", "confusion_matrix", "network")) else ax.texts
        for text in [ax.title, ax.xaxis.label, ax.yaxis.label, *labels, *plain]:
            assert contrast(text.get_color(), ground) > 4.5, text
        for line in ax.lines:
            assert contrast(line.get_color(), ground) > 2, line


@pytest.mark.parametrize("name", ALL)
def test_notebooks_show_what_is_returned(name):
    assert draw(ALL[name]())


def test_numbers_on_neurons_are_readable_on_their_colours(ground):
    net = fastmlp.Network.from_parameters([np.eye(6)])
    ax = plot.neurons(net, [-3.0, -2.0, -0.1, 0.0, 1.0, 3.0])
    colors = [color for circles in ax.collections[1:] for color in circles.get_facecolors()]
    for text, color in zip(ax.texts, colors, strict=False):
        assert contrast(text.get_color(), color[:3]) > 4.5


@pytest.mark.parametrize("name", ONE_PANEL)
def test_one_panel_is_drawn_in_the_axes_given(name):
    ax = Figure().subplots()
    assert ONE_PANEL[name](ax=ax) is ax
    assert ax.has_data()


@pytest.mark.parametrize("name", SEVERAL_PANELS)
def test_several_panels_are_drawn_in_the_figure_or_part_of_one_given(name):
    whole = Figure(figsize=(12, 8), layout="constrained")
    left, right = whole.subfigures(1, 2)
    assert SEVERAL_PANELS[name](figure=left) is left
    assert left.axes
    assert not right.axes
    with pytest.raises(ValueError, match=r"figure has .* already: pass an empty one"):
        SEVERAL_PANELS[name](figure=left)


@pytest.mark.parametrize("name", ALL)
def test_what_cannot_be_drawn_in_is_named(name):
    word = "figure" if name in SEVERAL_PANELS else "ax"
    with pytest.raises(TypeError, match=f"{word} must be a matplotlib"):
        ALL[name](**{word: "here"})


def test_pyplot_is_neither_imported_nor_changed():
    script = """
import sys
from fastmlp import Network, plot
net = Network([2, 3, 1])
plot.network(net), plot.neurons(net, [1.0, 2.0]), plot.histograms(net), plot.losses([1.0, 0.5]), plot.activations()
plot.history([1.0, 0.5]), plot.predictions([1.0, 2.0], [1.0, 2.0])
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_pyplots_figures_and_settings_stay_what_they_are():
    import matplotlib.pyplot as plt

    figures, settings = plt.get_fignums(), dict(matplotlib.rcParams)
    for name in ALL:
        ALL[name]()
    assert plt.get_fignums() == figures
    assert dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize("name", ["network", "history"])
def test_a_picture_or_its_panel_is_saved(name, tmp_path):
    plot.save(ALL[name](), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


@pytest.mark.parametrize("name", ALL)
def test_without_matplotlib_its_command_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"matplotlib is not installed: pip install 'fastmlp\[plot\]'"):
        ALL[name]()


@pytest.mark.parametrize("name", ["confusion_matrix", "decision_boundary"])
def test_without_scikit_learn_its_command_is_named(name, monkeypatch):
    monkeypatch.delitem(sys.modules, "fastmlp.plot.sklearn_face", raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(ImportError, match=r"scikit-learn is not installed: pip install 'fastmlp\[sklearn\]'"):
        ALL[name]()


GALLERY = sorted(Path(__file__).parents[1].glob("docs/gallery/plot_*.py"))


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_the_scripts_of_the_gallery_run(path, monkeypatch):
    import matplotlib.pyplot as plt

    monkeypatch.setattr(plt, "show", lambda: None)
    with matplotlib.rc_context({"backend": "agg"}):
        plt.switch_backend("agg")
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), {})
        assert plt.get_fignums()
        plt.close("all")
