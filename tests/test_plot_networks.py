"""Pictures of networks, of what their neurons do, of their parameters and activations."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import NETWORKS, curves, draw, texts, titles

import fastmlp
from fastmlp import plot

pytest.importorskip("matplotlib")
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure


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
