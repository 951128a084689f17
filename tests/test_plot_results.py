"""Pictures of training runs, predictions and classes."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import NETWORKS, curves, legend, texts, titles

import fastmlp
from fastmlp import plot, reference

pytest.importorskip("matplotlib")


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


def test_a_history_has_a_panel_for_the_losses_and_one_for_each_metric(run):
    figure = plot.history(run)
    assert titles(figure) == ["loss", "r2", "mine", "learning rate", "gradient norm"]
    assert figure.axes[0].get_yscale() == "log"
    assert curves(figure.axes[0]) == {"training": run.loss, "validation, best at 3": run.validation_loss}
    assert list(figure.axes[0].lines[0].get_xdata()) == [1, 2, 3, 4]


def test_panels_may_be_chosen_and_both_losses_share_one(run):
    assert titles(plot.history(run, curves=["r2", "loss"])) == ["r2", "loss"]
    assert titles(plot.history(run, curves=["validation_loss", "loss"])) == ["loss"]
    assert titles(plot.history(run, curves="mine")) == ["mine"]


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


def test_long_curves_are_thinned_and_keep_their_ends_and_peaks():
    long = np.linspace(2.0, 1.0, 100_001)
    long[77_777], long[100_000] = 50.0, 1.5
    (line,) = plot.losses(long, first=0).lines
    shown = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert len(shown) < 2000
    assert (shown[0], shown[77_777], shown[100_000]) == (2.0, 50.0, 1.5)
    assert all(long[i] == value for i, value in shown.items())


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
