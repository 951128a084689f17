"""A run whose numbers become too large stops, says where that was, and leaves finite parameters."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import DivergenceWarning
from fastmlp.cli import main
from fastmlp.reference.arrays import Array
from fastmlp.reference.optimizers import RULES, SGD

# Each kind of steps that the core has: layer sizes, and rows of a batch.
KINDS = {
    "few: one row": ([3, 5, 2], 1),
    "few: four rows": ([3, 66, 2], 4),
    "columns": ([3, 4, 2], 300),
    "groups": ([3, 64, 64, 2], 300),
    "rows": ([3, 64, 64, 2], 12),
}
DTYPES = ["float32", "float64"]


def make_data(batch_size: int, dtype: str) -> tuple[Array, Array]:
    """Return the rows of five batches."""
    rng = np.random.default_rng(5)
    return tuple(rng.standard_normal((5 * batch_size, n)).astype(dtype) for n in (3, 2))


def make_network(backend: Any, kind: str, dtype: str) -> Any:
    net = backend(KINDS[kind][0], activation="linear", dtype=dtype, random_state=0)
    if backend is fastmlp.Network and dtype == "float32":
        assert net._core.kind_of_steps(KINDS[kind][1], False) == kind.split(":")[0]
    return net


def train(net: Any, X: Array, Y: Array, kind: str, **arguments: Any) -> Any:
    arguments = {"epochs": 3, "batch_size": KINDS[kind][1], "shuffle": False, **arguments}
    with pytest.warns(DivergenceWarning) as caught:
        history = net.train(X, Y, **arguments)
    (warning,) = caught
    assert warning.filename == __file__
    assert str(warning.message).startswith(history.stop_reason)
    return history


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_that_overflows_stops_before_its_update(backend: Any, kind: str, dtype: str) -> None:
    n = KINDS[kind][1]
    X, Y = make_data(n, dtype)
    X[3 * n] *= 0.1 * np.finfo(dtype).max ** 0.6
    net, whole = (make_network(backend, kind, dtype) for _ in range(2))
    optimizer = SGD(1e-3, momentum=0.9)
    history = train(net, X, Y, kind, optimizer=optimizer)
    assert history.loss == []
    assert history.stop_reason.startswith("diverged: the loss of epoch 1, batch 4 is not finite; the outputs")
    assert optimizer.steps == 3
    whole.train(X[: 3 * n], Y[: 3 * n], epochs=1, batch_size=n, shuffle=False, optimizer=SGD(1e-3, momentum=0.9))
    assert np.array_equal(net.parameters, whole.parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_layer_that_overflows_is_named(backend: Any, kind: str) -> None:
    X, Y = make_data(KINDS[kind][1], "float32")
    net = make_network(backend, kind, "float32")
    net.weights[-1][:] = 3e38
    before = net.parameters.copy()
    history = train(net, X, Y, kind)
    assert f"the loss of epoch 1, batch 1 is not finite; layer {len(net.weights)} is" in history.stop_reason
    assert np.array_equal(net.parameters, before)


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_an_update_that_overflows_is_undone(backend: Any, kind: str, epochs: int, watched: bool) -> None:
    n = KINDS[kind][1]
    X, Y = make_data(n, "float32")
    X, Y = X[:n], 1e3 * Y[:n]
    net, before = make_network(backend, kind, "float32"), make_network(backend, kind, "float32")
    seen: list[bool] = []

    class Watcher:
        def on_epoch_end(self, state: Any) -> None:
            seen.append(bool(np.isfinite(state.network.parameters).all()))

    callbacks = [Watcher()] if watched else []
    history = train(net, X, Y, kind, optimizer=SGD(3e38), epochs=epochs, callbacks=callbacks)
    assert len(history.loss) == 1
    assert np.isfinite(history.loss).all()
    assert history.stop_reason.startswith("diverged: the update of epoch 1, batch 1 gave layer 1 parameters")
    assert np.array_equal(net.parameters, before.parameters)
    assert seen == []  # callbacks are told of whole epochs


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize(
    ("sizes", "batch_size"), [*KINDS.values(), ([20, 800, 790, 3], 16)], ids=[*KINDS, "rows: slots in place"]
)
def test_after_an_update_that_overflows_a_lower_rate_is_enough(
    backend: Any, sizes: list[int], batch_size: int, epochs: int
) -> None:
    X, Y = np.ones((batch_size, sizes[0]), np.float32), np.ones((batch_size, sizes[-1]), np.float32)
    net = backend(sizes, "relu", random_state=0)
    optimizer = SGD(1e-3, momentum=0.9, nesterov=True)
    net.train(X, Y, epochs=1, batch_size=batch_size, optimizer=optimizer)
    before = net.parameters.copy()
    gradients = net.gradients(X, Y)
    # The velocity stays finite, but what it makes of the parameters does not.
    optimizer.learning_rate = 2.2e38 / max(float(abs(g).max()) for g in (*gradients.weights, *gradients.biases))
    with pytest.warns(DivergenceWarning, match="the update of epoch 1, batch 1 gave layer"):
        net.train(X, Y, epochs=epochs, batch_size=batch_size, optimizer=optimizer)
    assert np.array_equal(net.parameters, before)
    optimizer.learning_rate = 1e-3
    history = net.train(X, Y, epochs=3, batch_size=batch_size, optimizer=optimizer)
    assert history.loss[0] > history.loss[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learnt_in_watched_epochs_is_kept(backend: Any, kind: str) -> None:
    n = KINDS[kind][1]
    X, Y = make_data(n, "float32")
    net, optimizer = make_network(backend, kind, "float32"), SGD(1e-5)
    at_ends: list[Array] = []

    class Breaker:
        def on_epoch_end(self, state: Any) -> None:
            at_ends.append(net.parameters.copy())
            if state.epoch == 2:
                optimizer.learning_rate = 3e38

    history = train(net, X, 1e3 * Y, kind, optimizer=optimizer, epochs=9, callbacks=[Breaker()])
    assert len(history.loss) == 2
    assert "the update of epoch 3, batch 1 gave layer 1" in history.stop_reason
    assert np.array_equal(net.parameters, at_ends[1])


@pytest.mark.parametrize("kind", KINDS)
def test_calls_without_checks_warn_too(kind: str) -> None:
    n = KINDS[kind][1]
    X, Y = make_data(n, "float32")
    net, optimizer = make_network(fastmlp.Network, kind, "float32"), SGD(1e-3)
    net.train(X, Y, epochs=1, batch_size=n, shuffle=False, optimizer=optimizer)  # its optimizer is checked now
    before = net.parameters.copy()
    X[n] = 1e30
    history = train(net, X, Y, kind, optimizer=optimizer)
    assert "the loss of epoch 1, batch 2 is not finite" in history.stop_reason
    assert optimizer.steps == 6
    assert np.isfinite(net.parameters).all()
    assert not np.array_equal(net.parameters, before)


@pytest.mark.parametrize("rule", RULES)
def test_a_state_that_overflows_is_forgotten(backend: Any, rule: str) -> None:
    net, optimizer = backend([1, 1], random_state=0), copy.deepcopy(RULES[rule])
    X, Y = np.array([[1e3], [1e30]]), np.array([[1e18], [0.0]])
    optimizer.learning_rate = 1e-3
    if optimizer.FULL_BATCH:
        Y[1] = 1e36
    train(net, X, Y, "few: one row", optimizer=optimizer, batch_size=None if optimizer.FULL_BATCH else 1)
    assert np.isfinite(net.parameters).all()
    assert all(np.isfinite(slot).all() for slot in optimizer.slots)
    net.train([[1.0]], [1.0], epochs=1, optimizer=optimizer)


def test_steps_are_counted_through_the_stretches_of_a_schedule(backend: Any) -> None:
    X, Y = np.ones((4, 1)), np.ones((4, 1))
    net = backend([1, 1], random_state=0)
    optimizer = SGD(0.1, schedule=lambda epoch: 1e200 if epoch == 3 else 1.0)
    history = train(net, X, Y, "few: one row", optimizer=optimizer, epochs=9, batch_size=2)
    assert "the update of epoch 4, batch 1 gave layer 1" in history.stop_reason
    assert len(history.loss) == 3
    assert optimizer.steps == 7


def test_parameters_that_were_not_finite_to_begin_with(backend: Any) -> None:
    net = backend([1, 2, 1], random_state=0)
    net.weights[1][1] = np.nan
    history = train(net, np.ones((4, 1)), np.ones((4, 1)), "few: one row")
    assert history.stop_reason == "diverged: the parameters of layer 2 were not finite to begin with"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.train([[1.0]], [1.0], epochs=0)


def test_a_long_run_keeps_what_it_learnt() -> None:
    # Far from any epoch's end, and watched by nobody.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300_000, 8)).astype("float32")
    X[:, 0] = 0
    Y = (X @ rng.standard_normal((8, 1))).astype("float32")
    X[-1, 0], Y[-1] = 1e30, 1e15  # the loss stays finite, and the gradient does not
    net = fastmlp.Network([8, 192, 192, 1], activation="linear", random_state=0)
    net.weights[0][0] = 0
    before = net.loss(X[:1000], Y[:1000])
    history = train(net, X, Y, "rows", optimizer=SGD(1e-3), epochs=1, batch_size=16)
    assert "the update of epoch 1, batch 18750 gave layer 1" in history.stop_reason
    assert net.loss(X[:1000], Y[:1000]) < 0.01 * before


def test_the_warning_can_be_made_an_error(backend: Any) -> None:
    net = backend([1, 1], random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DivergenceWarning)
        with pytest.raises(DivergenceWarning, match="try a lower learning rate"):
            net.train([[1e30]], [0.0], epochs=1)
    net.train([[1.0]], [0.0], epochs=1)


def test_the_command_line_saves_nothing(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{i},{i * i}" for i in range(20))
    (tmp_path / "t.csv").write_text(f"a,y\n{rows}\n", encoding="utf-8")
    assert main(["train", "t.csv", "--target", "y", "--optimizer", "sgd", "--learning-rate", "1e30"]) == 2
    assert "training diverged" in capsys.readouterr().err
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("width", [1009, 1017, 1021])
def test_what_lies_behind_a_row_does_not_count(simd: str, width: int) -> None:
    # Rows of nearly a page, of one, two and four vectors of float32, are longer than their neurons need.
    net = fastmlp.Network([1, width, 1], "tanh", init="zeros", random_state=0)
    net.biases[-1][:] = 1e10
    X, Y = np.full((4, 1), 1e30), np.full((4, 1), 1e10)
    history = net.train(X, Y, epochs=3, batch_size=1, optimizer=SGD(1e-3))
    assert history.loss == [0, 0, 0]


@pytest.mark.parametrize("batch_size", [1, 4, 20])
def test_losses_of_several_outputs_overflow_together(backend: Any, batch_size: int) -> None:
    net = backend([1, 38], random_state=0)
    X, Y = np.ones((20, 1), np.float32), np.full((20, 38), 1.5e19, np.float32)
    with pytest.warns(DivergenceWarning, match="the loss of epoch 1, batch 1"):
        net.train(X, Y, epochs=1, batch_size=batch_size, optimizer=SGD(1e-30))
