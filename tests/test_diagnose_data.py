"""Data made ill on purpose: the diagnosis finds that illness, where it is, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from diagnosed import fresh, only
from scipy import sparse
from sklearn.datasets import load_diabetes, load_wine
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import Adam, diagnose
from fastmlp.diagnosis import thresholds
from fastmlp.diagnosis.targets import reach
from fastmlp.reference.activations import ACTIVATIONS
from fastmlp.reference.arrays import Array

Data = tuple[Array, Array]


# The columns of X.


def test_columns_that_are_not_scaled() -> None:
    table = load_wine(as_frame=True)
    net = fastmlp.Network([13, 8, 3], output_activation="softmax", random_state=0)
    finding = only(diagnose(net, table.data, table.target, loss="log_loss"), "unscaled_inputs")
    assert finding.evidence["names"] == ["alcohol", "alcalinity_of_ash", "magnesium", "proline"]
    assert finding.evidence["columns"] == [0, 3, 4, 12]
    assert finding.evidence["mean"][-1] == pytest.approx(table.data["proline"].mean())
    assert "'proline' (746.9 +- 314)" in finding.message
    assert "X.mean(axis=0)" in finding.remedy


@pytest.mark.parametrize(
    ("scale", "offset", "is_ill"),
    [(5, 0, False), (20, 0, True), (0.2, 0, False), (1e-3, 0, True), (1, 5, False), (0.1, 5, True)],
)
def test_scales_near_the_line(network: Any, plane: Data, scale: float, offset: float, is_ill: bool) -> None:
    X, Y = plane
    X = np.column_stack([X[:, :2], scale * X[:, 2] + offset])
    diagnosis = diagnose(fresh(network), X, Y)
    if is_ill:
        assert only(diagnosis, "unscaled_inputs").evidence["columns"] == [2]
    else:
        assert diagnosis


def test_columns_that_are_all_small() -> None:
    X, y = load_diabetes(return_X_y=True)
    finding = only(diagnose(fresh(sizes=[10, 8, 1]), X, (y - y.mean()) / y.std()), "unscaled_inputs")
    assert finding.evidence["columns"] == list(range(10))


def test_a_pixel_that_is_hardly_ever_seen(digits: Data) -> None:
    X, Y = digits
    X = X.copy()
    X[:, 0] = 0
    X[5, 0] = 1e-3
    net = fresh(sizes=[64, 16, 10], output_activation="softmax")
    assert diagnose(net, X, Y, loss="log_loss")
    X[::100, 0] = 1e-3
    assert only(diagnose(net, X, Y, loss="log_loss"), "unscaled_inputs").evidence["columns"] == [0]


def test_constant_columns(network: Any, plane: Data) -> None:
    X, Y = plane
    X = np.column_stack([X[:, 0], np.full(300, 0.7), X[:, 1], np.zeros(300)])
    finding = only(diagnose(fresh(network, [4, 8, 1]), X, Y, feature_names="abcd"), "constant_columns")
    assert finding.evidence["names"] == ["b", "d"]
    assert finding.evidence["columns"] == [1, 3]
    assert finding.evidence["values"] == pytest.approx([0.7, 0])


def test_zeros_are_absences_where_most_is_zero(rng: np.random.Generator) -> None:
    X = (rng.random((200, 20)) < 0.2) * rng.random((200, 20))
    X[:, 3] = 0
    assert diagnose(fresh(sizes=[20, 8, 1]), X, X[:, 0])
    X[:, 3] = 0.5
    assert only(diagnose(fresh(sizes=[20, 8, 1]), X, X[:, 0]), "constant_columns").evidence["columns"] == [3]


def test_a_column_that_is_constant_in_the_rows_looked_at_alone(monkeypatch: pytest.MonkeyPatch, plane: Data) -> None:
    X, Y = plane
    monkeypatch.setattr(thresholds, "MOST_ROWS", 100)
    X[:, 2] = 0.5
    assert only(diagnose(fresh(), X, Y), "constant_columns").evidence["columns"] == [2]
    X[100, 2] = 0.6
    diagnosis = diagnose(fresh(), X, Y)
    assert diagnosis
    assert (diagnosis.rows, diagnosis.n_rows) == (100, 300)
    assert "in 100 of 300 rows" in str(diagnosis)


def test_copied_columns(network: Any, plane: Data, rng: np.random.Generator) -> None:
    X, Y = plane
    fahrenheit = 0.9 * X[:, 0] + 0.3
    noisy = X[:, 1] + 1e-3 * rng.standard_normal(300)
    opposite = -X[:, 2]
    alike = X[:, 1] + 0.05 * rng.standard_normal(300)  # a correlation of 0.999
    X = np.column_stack([X, fahrenheit, alike, noisy, opposite, X[:, 0]])
    finding = only(diagnose(fresh(network, [8, 8, 1]), X, Y), "copied_columns")
    assert finding.evidence["columns"] == [3, 5, 6, 7]
    assert finding.evidence["copies_of"] == [0, 1, 2, 0]
    assert finding.evidence["correlations"] == pytest.approx([1, 1, -1, 1], abs=1e-3)
    assert "7 equals 0" in finding.message
    assert "3 follows 0" in finding.message


def test_two_columns_for_yes_and_no_are_no_copies(plane: Data) -> None:
    X, Y = plane
    yes = (X[:, 2] > 0).astype(float)
    assert diagnose(fresh(sizes=[4, 8, 1]), np.column_stack([X[:, :2], yes, 1 - yes]), Y)


# The targets.


def test_targets_that_are_not_scaled(network: Any, plane: Data) -> None:
    X, Y = plane
    finding = only(diagnose(fresh(network, [3, 8, 2]), X, np.column_stack([Y, 1000 + 50 * Y])), "unscaled_targets")
    assert finding.evidence["columns"] == [1]
    assert finding.evidence["deviation"] == pytest.approx([50 * Y.std()])
    assert diagnose(fresh(network), X, 3 * Y + 4)
    assert only(diagnose(fresh(network), X, 1e-3 * Y), "unscaled_targets").evidence["columns"] == [0]


@pytest.mark.parametrize(
    ("output", "target", "where"),
    [("sigmoid", 1.5, 1.5), ("relu", -0.5, -0.5), ("tanh", -1.2, -1.2), ("softplus", -0.1, -0.1), ("exp", -1, -1)],
)
def test_targets_that_outputs_cannot_reach(network: Any, plane: Data, output: str, target: float, where: float) -> None:
    X, Y = plane
    Y = np.clip(np.abs(Y), 0.1, 0.9)
    net = fresh(network, output_activation=output)
    assert diagnose(net, X, Y)
    Y[[7, 20]] = target
    finding = only(diagnose(net, X, Y), "unreachable_targets", "error")
    assert finding.evidence["rows"] == 2
    assert finding.evidence["first"] == [7, 0]
    assert f"Y[7, 0] = {where}" in finding.message
    Y[2] = np.nan
    assert diagnose(net, X, Y).findings[1].evidence["first"] == [7, 0]


def test_the_ends_of_a_range_are_in_it(network: Any) -> None:
    X = [[-1.0], [-0.5], [0.5], [1.0]]
    assert diagnose(fresh(network, [1, 4, 1], output_activation="tanh"), X, [-1, -1, 1, 1])
    assert diagnose(fresh(network, [1, 4, 1], output_activation="sigmoid"), X, [0, 0, 1, 1])


def test_the_reach_of_every_activation() -> None:
    found = {name: reach(name) for name in ACTIVATIONS}
    for name in ("sigmoid", "tanh", "hard_tanh", "sin", "softsign"):
        assert found[name] == pytest.approx((0 if name == "sigmoid" else -1, 1), abs=1e-5), name
    assert {name for name, (low, high) in found.items() if low == -np.inf and high == np.inf} == {
        "linear",
        "leaky_relu",
    }
    assert reach("leaky_relu(0.2)") == (-np.inf, np.inf)
    assert found["silu"] == pytest.approx((-0.27846, np.inf), abs=1e-5)
    assert reach("elu(2)") == pytest.approx((-2, np.inf), abs=1e-5)


def test_constant_targets(network: Any, plane: Data) -> None:
    finding = only(diagnose(fresh(network), plane[0], np.full(300, 0.25)), "constant_targets")
    assert finding.evidence == {"value": [0.25], "rows": 300}


def test_numbers_of_classes_as_amounts(network: Any) -> None:
    data = load_wine()
    X = StandardScaler().fit_transform(data.data)
    finding = only(diagnose(fresh(network, [13, 8, 1]), X, data.target), "numbered_classes")
    assert finding.evidence == {"outputs": 3, "counts": [59, 71, 48]}
    assert "3 outputs" in finding.remedy
    assert diagnose(fresh(network, [13, 8, 1]), X, data.target + 3)  # marks from 3 to 5
    assert diagnose(fresh(network, [13, 8, 1]), X, data.target / 2)


def test_squared_error_that_a_sigmoid_holds_back(network: Any, cancer: Data) -> None:
    X, y = cancer
    net = fastmlp.Network([30, 8, 1], output_activation="sigmoid", random_state=0)
    net.train(X, y, epochs=20, batch_size=32, loss="log_loss", random_state=0)
    ill = network.from_parameters(net.weights, net.biases, output_activation="sigmoid")
    assert diagnose(ill, X, y)
    ill.weights[-1][:] *= -5  # sure, and wrong
    finding = only(diagnose(ill, X, y), "wrong_loss")
    assert finding.evidence["share"] > 0.5
    assert 'loss="log_loss"' in finding.remedy
    assert not diagnose(ill, X, y, loss="log_loss").kinds.count("wrong_loss")


def test_a_rare_class_that_is_not_recognised(network: Any, rng: np.random.Generator) -> None:
    X = rng.standard_normal((1050, 2))
    y = np.repeat([0, 1], [1000, 50])
    X[y == 1] += 1.0
    net = fastmlp.Network([2, 8, 1], output_activation="sigmoid", random_state=0)
    history = net.train(X, y, epochs=100, batch_size=32, loss="log_loss", optimizer=Adam(0.01), random_state=0)
    net = network.from_parameters(net.weights, net.biases, output_activation="sigmoid")
    finding = only(diagnose(net, X, y, history, loss="log_loss"), "class_imbalance")
    assert finding.evidence["counts"] == {"0": 1000, "1": 50}
    assert finding.evidence["ratio"] == 20
    assert finding.evidence["recall"] < 0.2
    assert "sample_weight" in finding.remedy


def test_a_rare_class_that_is_recognised_or_weighed(rng: np.random.Generator) -> None:
    X = rng.standard_normal((1050, 2))
    y = np.repeat([0, 1], [1000, 50])
    X[y == 1] += 1.0
    weight = len(y) / (2 * np.bincount(y)[y])
    net = fastmlp.Network([2, 8, 1], output_activation="sigmoid", random_state=0)
    net.train(X, y, epochs=100, batch_size=32, loss="log_loss", optimizer=Adam(0.01), sample_weight=weight)
    assert diagnose(net, X, y, loss="log_loss", sample_weight=weight)
    X[y == 1] += 4.0
    net.train(X, y, epochs=100, batch_size=32, loss="log_loss", optimizer=Adam(0.01), random_state=0)
    assert diagnose(net, X, y, loss="log_loss")


def test_the_classes_of_several_outputs(digits: Data) -> None:
    X, Y = digits
    rows = np.concatenate([np.flatnonzero(Y[:, :9].any(axis=1)), np.flatnonzero(Y[:, 9])[:9]])
    net = fastmlp.Network([64, 16, 10], output_activation="softmax", random_state=0)
    net.train(X[rows], Y[rows], epochs=3, batch_size=32, loss="log_loss", random_state=0)
    for targets in (Y[rows], Y[rows].argmax(axis=1)):
        finding = only(diagnose(net, X[rows], targets, loss="log_loss"), "class_imbalance")
        assert finding.evidence["rarest"] == "9"
        assert finding.evidence["counts"]["9"] == 9
        assert finding.evidence["recall"] == 0


# Numbers that are not finite.


def test_inputs_and_targets_that_are_not_finite(network: Any, plane: Data) -> None:
    X, Y = plane
    table = pd.DataFrame(X, columns=["size", "age", "rooms"])
    table.loc[5, "age"] = np.nan
    table.loc[[5, 9], "rooms"] = np.inf
    Y[20] = np.nan
    diagnosis = diagnose(fresh(network), table, Y)
    inputs, targets = diagnosis.findings
    assert (inputs.kind, targets.kind) == ("nonfinite_inputs", "nonfinite_targets")
    assert inputs.evidence == {"count": 3, "rows": 2, "columns": [1, 2], "places": [[5, 1], [5, 2], [9, 2]]}
    assert "nan in row 5, column 'age'" in inputs.message
    assert targets.evidence["places"] == [[20, 0]]
    assert (diagnosis.rows, diagnosis.n_rows) == (297, 300)


def test_numbers_too_large_for_the_network(plane: Data) -> None:
    X, Y = plane
    X[3, 1] = 1e39
    assert only(diagnose(fresh(), X, Y), "nonfinite_inputs", "error").evidence["places"] == [[3, 1]]
    assert diagnose(fresh(dtype="float64"), X, Y).kinds == ["unscaled_inputs"]


def test_sparse_inputs_that_are_not_finite(plane: Data) -> None:
    X, Y = plane
    X[:, 1] *= X[:, 1] > 1
    X[[8, 8, 2], [0, 2, 2]] = np.nan
    for convert in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        finding = only(diagnose(fresh(), convert(X), Y), "nonfinite_inputs", "error")
        assert finding.evidence["places"] == [[2, 2], [8, 0], [8, 2]]


def test_nothing_but_nan(network: Any) -> None:
    diagnosis = diagnose(fresh(network, [1, 4, 1]), [[np.nan], [np.nan]], [1.0, 2.0])
    assert only(diagnosis, "nonfinite_inputs", "error").evidence["rows"] == 2
    assert (diagnosis.rows, diagnosis.loss) == (0, None)


def test_parameters_that_are_not_finite(network: Any, plane: Data) -> None:
    net = fresh(network, [3, 8, 4, 1])
    net.weights[1][2, 3] = np.nan
    net.biases[2][0] = np.inf
    finding = only(diagnose(net, *plane), "nonfinite_parameters", "error")
    assert finding.evidence == {"layer": 2, "counts": {2: 1, 3: 1}}


def test_the_first_layer_that_overflows(network: Any, plane: Data) -> None:
    net = fresh(network, [3, 8, 8, 1], "relu")
    net.weights[0][:] *= 1e30
    net.weights[1][:] *= 1e30
    finding = only(diagnose(net, *plane), "overflow", "error")
    assert (finding.evidence["layer"], finding.evidence["quantity"]) == (2, "Z")
    assert "net inputs of layer 2" in finding.message


def test_a_loss_that_overflows(network: Any, plane: Data) -> None:
    net = fresh(network)
    net.biases[1][:] = 1e30
    assert only(diagnose(net, *plane), "overflow", "error").evidence["quantity"] == "J"


def test_gradients_that_overflow_on_their_way_back(network: Any, plane: Data) -> None:
    net = fresh(network, [3, 4, 4, 1], "linear")
    net.weights[0][:] *= 1e-30
    net.weights[1][:] *= 1e25
    net.weights[2][:] *= 1e15
    finding = only(diagnose(net, *plane), "overflow", "error")
    assert (finding.evidence["layer"], finding.evidence["quantity"]) == (1, "delta")
