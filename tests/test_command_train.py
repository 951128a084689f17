"""``fastmlp train``: what its options do, and how runs end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_runs import (
    PRICE,
    QUICK,
    Captured,
    code,
    error_of,
    metrics,
    read,
    results,
    write,
    write_houses,
    write_regression,
)

import fastmlp
from fastmlp.cli.optimizers import OPTIMIZERS, SCHEDULES
from fastmlp.data import load_digits
from fastmlp.estimators import settings
from fastmlp.reference.activations import ACTIVATIONS
from fastmlp.reference.losses import LOSSES
from fastmlp.tabular import layout

pytestmark = pytest.mark.usefixtures("folder")

SIZE = ("train", "houses.csv", "--target", "size", "--drop", "dear")


def parameters(*options: str) -> bytes:
    """Train on a table of houses, and return the network's parameters."""
    assert code(*PRICE, *QUICK, *options) == 0
    return layout.load("model.safetensors").network.parameters.tobytes()


def test_regression(capsys: Captured) -> None:
    X, y = write_regression()
    assert code("train", "data.csv", "--target", "y", "--epochs", "150", "--hidden", "32,16") == 0
    out, err = capsys.readouterr()
    assert "regression (inferred" in out
    assert "epoch 150/150" in err
    n, rmse, mae, r2 = metrics(out, "test")
    assert n == 80
    assert rmse < 0.2 * y.std()
    assert mae <= rmse
    assert r2 > 0.95
    assert code("predict", "model.safetensors", "data.csv") == 0
    header, *rows = read(capsys.readouterr().out)
    assert header == ["y"]
    y_hat = np.array(rows, float)[:, 0]
    assert np.sqrt(np.mean((y_hat - y) ** 2)) < 0.2 * y.std()
    # The file holds all that its predictions need.
    model = layout.load("model.safetensors")
    Z = (X - model.inputs.mean) / model.inputs.scale
    net = fastmlp.load("model.safetensors")
    np.testing.assert_allclose(y_hat, net.predict(Z)[:, 0] * model.outputs.scale[0] + model.outputs.mean[0], rtol=1e-6)
    assert model.inputs.scale[3] == 1


def test_numbered_classes(capsys: Captured) -> None:
    X, labels = load_digits()
    write("digits.csv", [*(f"p{i}" for i in range(64)), "digit"], [[*x, k] for x, k in zip(X, labels, strict=True)])
    arguments = ["train", "digits.csv", "--target", "digit", "--task", "classification", "--quiet"]
    assert code(*arguments, "--epochs", "30", "--activation", "tanh", "--output", "digits") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert metrics(out, "test")[1] > 0.95
    assert metrics(out, "test")[2] < 0.2  # the log loss
    net = layout.load("digits").network
    assert net.activations[-1] == "softmax"
    assert code("predict", "digits", "digits.csv", "--probabilities", "--output", "out.csv") == 0
    assert capsys.readouterr().out == ""
    header, *rows = read(Path("out.csv").read_text())
    assert header == ["digit", *(f"probability_{k}" for k in range(10))]
    assert np.mean([row[0] == str(k) for row, k in zip(rows, labels, strict=True)]) > 0.95
    probabilities = np.array(rows, float)[:, 1:]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert [row[0] for row in rows] == [str(k) for k in probabilities.argmax(axis=1)]


def test_two_named_classes_have_one_sigmoid_output(capsys: Captured) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    names = np.where(X[:, 0] > 0, "größer, als", "less")
    write("data.csv", ["x", "noise", "class"], [[*x, name] for x, name in zip(X.tolist(), names, strict=True)])
    assert code("train", "data.csv", "--target", "class", "--features", "x", "--epochs", "40", "--quiet") == 0
    out = capsys.readouterr().out
    assert "classification, classes größer, als, less (inferred" in out
    assert metrics(out, "test")[1] > 0.9
    net = layout.load("model.safetensors").network
    assert (net.layer_sizes[-1], net.activations[-1]) == (1, "sigmoid")
    assert code("predict", "model.safetensors", "data.csv", "--probabilities") == 0
    header, *rows = read(capsys.readouterr().out)
    assert header == ["class", "probability_größer, als", "probability_less"]
    p = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert [row[0] for row in rows] == [["größer, als", "less"][k] for k in p.argmax(axis=1)]


def test_what_is_trained_is_what_the_python_interface_trains() -> None:
    """The log loss of classes, by the very arguments that the command line stands for."""
    write_houses()
    assert code(*SIZE, "--test-fraction", "0", "--epochs", "5", "--quiet", "--features", "area") == 0
    model = layout.load("model.safetensors")
    rng = np.random.default_rng(0)
    rows = read(Path("houses.csv").read_text(encoding="utf-8"))[1:]
    order = list(range(len(rows)))
    for i, u in zip(range(len(rows) - 1, 0, -1), rng.random(len(rows) - 1), strict=True):
        j = int(u * (i + 1))
        order[i], order[j] = order[j], order[i]
    area = np.array([float(rows[i][0]) for i in order])
    X = ((area - area.mean()) / area.std()).reshape(-1, 1)
    y = np.array([["large", "medium", "small"].index(rows[i][2]) for i in order])
    net = fastmlp.Network([1, 64, 64, 3], "relu", "softmax", init="he_uniform", random_state=rng)
    net.train(X, y, epochs=5, batch_size=32, loss="log_loss", random_state=rng)
    assert net.parameters.tobytes() == model.network.parameters.tobytes()


def test_the_same_seed_gives_the_same_file() -> None:
    write_houses()
    for name, seed in (("one", "1"), ("two", "1"), ("three", "2")):
        assert code(*PRICE, *QUICK, "--seed", seed, "--output", name) == 0
    assert Path("one").read_bytes() == Path("two").read_bytes() != Path("three").read_bytes()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns(optimizer: str, capsys: Captured) -> None:
    write_houses()
    rates = {"adagrad": ("--learning-rate", "0.1"), "lion": ("--learning-rate", "0.01")}
    rate = rates.get(optimizer, ())
    options = ("--optimizer", optimizer, "--hidden", "6", "--activation", "tanh", "--epochs", "60", *rate)
    told = results(capsys, *PRICE, "--quiet", *options, "--features", "area,city")
    assert told["metrics"]["train"]["R2"] > 0.7
    assert layout.load("model.safetensors").training["optimizer"] == optimizer


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule(schedule: str) -> None:
    write_houses()
    same = schedule in ("constant", "reduce_on_plateau")  # there is no plateau in three epochs
    assert (parameters("--schedule", schedule) == parameters()) == same


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.3)", "tanh,relu"])
def test_every_activation(activation: str) -> None:
    write_houses()
    assert code(*PRICE, *QUICK, "--hidden", "5,4", "--activation", activation) == 0
    hidden = layout.load("model.safetensors").network.activations[:-1]
    assert ",".join(hidden) == (activation if "," in activation else f"{activation},{activation}")


LOSSES_OF_REGRESSION = [loss.name for loss in LOSSES.values() if loss.name != "log_loss"]


@pytest.mark.parametrize("loss", [*LOSSES_OF_REGRESSION, "huber(0.3)", "quantile(0.9)"])
def test_every_loss_of_regression(loss: str, capsys: Captured) -> None:
    write_houses()
    told = results(capsys, *PRICE, "--quiet", "--loss", loss, "--epochs", "100", "--learning-rate", "0.01")
    assert told["metrics"]["train"]["R2"] > 0.8
    assert layout.load("model.safetensors").loss == loss
    assert results(capsys, "info", "model.safetensors")["loss"] == loss


def test_what_a_likelihood_and_quantiles_predict(capsys: Captured) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 1500)
    y = 100 + 20 * x + rng.normal(size=1500) * np.where(x > 0, 10, 1)
    write("t.csv", ["x", "y"], np.column_stack([x, y]).tolist())
    write("new.csv", ["x"], [[-0.5], [0.5]])
    base = ("train", "t.csv", "--target", "y", "--quiet", "--epochs", "60", "--learning-rate", "0.005")
    assert code(*base, "--loss", "gaussian_nll") == 0
    capsys.readouterr()
    assert code("predict", "model.safetensors", "new.csv") == 0
    header, left, right = read(capsys.readouterr().out)
    assert header == ["y", "y_std"]
    np.testing.assert_allclose([float(left[0]), float(right[0])], [90, 110], atol=4)
    np.testing.assert_allclose([float(left[1]), float(right[1])], [1, 10], rtol=0.6)
    assert code(*base, "--loss", "quantile(0.1, 0.5, 0.9)") == 0
    capsys.readouterr()
    assert code("predict", "model.safetensors", "new.csv", "--json") == 0
    right = json.loads(capsys.readouterr().out.splitlines()[1])
    assert list(right) == ["y_0.1", "y_0.5", "y_0.9"]
    np.testing.assert_allclose(list(right.values()), [110 - 12.8, 110, 110 + 12.8], atol=6)


def test_counts_may_be_zero_and_not_negative(capsys: Captured) -> None:
    write("t.csv", ["x", "y"], [[i, i % 4] for i in range(40)])
    assert code("train", "t.csv", "--target", "y", *QUICK, "--loss", "poisson") == 0
    assert layout.load("model.safetensors").network.activations[-1] == "exp"
    message = error_of(capsys, "train", "t.csv", "--target", "y", *QUICK, "--loss", "gamma")
    assert message == "fastmlp: t.csv, line 2, column 'y': 0: targets of --loss gamma are positive"


def test_label_smoothing() -> None:
    write_houses()
    found = []
    for loss in ("log_loss", "log_loss(0.2)"):
        assert code(*SIZE, *QUICK, "--loss", loss) == 0
        found.append(layout.load("model.safetensors").network.parameters.tobytes())
    assert found[0] != found[1]


@pytest.mark.parametrize(
    "options",
    [
        ("--l2", "0.1"),
        ("--alpha", "10"),
        ("--dropout", "0.3"),
        ("--batch-size", "7"),
        ("--batch-size", "all"),
        ("--learning-rate", "0.01"),
        ("--validation-fraction", "0.2"),
        ("--weights", "baths"),
        ("--dtype", "float64"),
        ("--seed", "3"),
        ("--loss", "log_cosh"),
    ],
)
def test_options_that_change_what_is_learned(options: tuple[str, ...]) -> None:
    write_houses()
    assert parameters("--features", "area", *options) != parameters("--features", "area")


def test_options_that_change_nothing_but_the_time() -> None:
    write_houses()
    once = parameters()
    assert parameters("--threads", "1") == once
    assert parameters("--max-time", "60") == once
    assert parameters("--checkpoint", "run", "--checkpoint-every", "0") == once


@pytest.mark.parametrize(
    ("rows", "optimizer", "l2"), [(120, "adam", "0.1"), (400, "adam", "0.06"), (400, "rprop", "0.03")]
)
def test_alpha_is_that_of_the_estimators(rows: int, optimizer: str, l2: str) -> None:
    write_houses(n=rows)
    base = ("--test-fraction", "0", "--optimizer", optimizer)
    assert parameters(*base, "--alpha", "12") == parameters(*base, "--l2", l2)
    shared = settings.sharing_alpha(OPTIMIZERS[optimizer](), rows)  # type: ignore[arg-type]
    assert 12 / shared == float(l2)


def test_sizes_of_layers_and_no_test_rows(capsys: Captured) -> None:
    write_regression()
    options = ("--features", "b,a", "--dtype", "float64", "--test-fraction", "0", "--threads", "1", "--hidden", "")
    assert code("train", "data.csv", "--target", "y", *QUICK[:2], *options, "--activation", "tanh") == 0
    assert "\ntest" not in capsys.readouterr().out
    model = layout.load("model.safetensors")
    assert [column.name for column in model.columns] == ["b", "a"]
    assert model.network.layer_sizes == (2, 1)
    assert model.network.dtype == np.float64


def test_balanced_classes(capsys: Captured) -> None:
    rng = np.random.default_rng(0)
    rare = np.arange(600) % 20 == 0
    x = rng.normal(size=600) + 1.5 * rare
    write("t.csv", ["x", "y"], zip(x, np.where(rare, "rare", "often"), strict=True))
    base = ("train", "t.csv", "--target", "y", "--test-fraction", "0", "--epochs", "30", "--quiet")
    found = []
    for options in ((), ("--class-weight", "balanced")):
        results(capsys, *base, *options)
        matrix = results(capsys, "evaluate", "model.safetensors", "t.csv")["confusion"]
        found.append(matrix[1][1])
    assert found[1] > found[0] + 10  # of 30 rare ones


def test_weights_of_rows(capsys: Captured) -> None:
    """Rows with the weight 0 are as if they were not there, but for the scaling and the report."""
    write("t.csv", ["x", "w", "y"], [[i // 2 % 10, i % 2, 5 if i % 2 else 100] for i in range(100)])
    base = ("train", "t.csv", "--target", "y", "--quiet", "--test-fraction", "0", "--epochs", "100")
    assert code(*base, "--weights", "w", "--learning-rate", "0.01") == 0
    assert [column.name for column in layout.load("model.safetensors").columns] == ["x"]
    capsys.readouterr()
    assert code("predict", "model.safetensors", "t.csv") == 0
    y_hat = np.array(read(capsys.readouterr().out)[1:], float)
    np.testing.assert_allclose(y_hat, 5, atol=2)
    write("t.csv", ["x", "w", "y"], [[1, 1, 1], [2, -1, 2], [3, 1, 3]])
    assert "line 3, column 'w': -1 is negative" in error_of(capsys, *base, "--weights", "w")
    write("t.csv", ["x", "w", "y"], [[1, 0, 1], [2, 0, 2], [3, 0, 3]])
    assert "column 'w': all weights" in error_of(capsys, *base, "--weights", "w")


def test_the_report_as_json(capsys: Captured) -> None:
    write_houses()
    told = results(capsys, *PRICE, *QUICK)
    assert told["layer_sizes"] == [10, 8, 1]
    assert told["epochs"] == 3
    assert told["output"] == "model.safetensors"
    assert set(told["metrics"]) == {"train", "test"}
    assert told["metrics"]["test"]["rows"] == 24
    stored: dict[str, Any] = layout.load("model.safetensors").training
    assert stored["metrics"] == told["metrics"]
