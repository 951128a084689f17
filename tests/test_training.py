"""A training run: its history, callbacks, batches."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from fastmlp.reference.arrays import Array
from fastmlp.reference.optimizers import RULES, SGD, Adam


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[Array, Array]:
    X = rng.uniform(-1, 1, (60, 2))
    return X, np.sin(X.sum(axis=1, keepdims=True))


def test_history_has_one_loss_per_epoch_and_falls(backend: Any, data: tuple[Array, Array]) -> None:
    net = backend([2, 8, 1], random_state=0)
    before = net.loss(*data)
    history = net.train(*data, epochs=200, batch_size=10, optimizer=Adam(0.01), random_state=0)
    assert len(history.loss) == 200
    assert history.loss[-1] < 0.1 * history.loss[0]
    assert net.loss(*data) < 0.1 * before
    assert history.validation_loss == []
    assert history.seconds > 0
    assert history.stop_reason == "all epochs done"


def test_batch_descents_loss_is_the_one_before_the_update(backend: Any, data: tuple[Array, Array]) -> None:
    net = backend([2, 8, 1], dtype="float64", random_state=0)
    before = net.loss(*data)
    history = net.train(*data, epochs=1, optimizer=SGD(0.1))
    assert history.loss == [pytest.approx(before, rel=1e-12)]


def test_batch_descent_takes_the_step_of_the_formula(backend: Any, data: tuple[Array, Array]) -> None:
    net = backend([2, 8, 1], dtype="float64", random_state=0)
    expected = [W - 0.1 * dW for W, dW in zip(net.weights, net.gradients(*data).weights, strict=True)]
    net.train(*data, epochs=1, optimizer=SGD(0.1))
    for W, expected_W in zip(net.weights, expected, strict=True):
        assert pytest.approx(expected_W, rel=1e-12) == W


def test_the_last_shorter_batch_counts(backend: Any) -> None:
    # A linear neuron without bias, x = 1: each batch moves w by eta * (mean of y - w).
    net = backend([1, 1], bias=False, init="zeros", dtype="float64")
    y = np.array([1.0, 1.0, 4.0])
    net.train(np.ones((3, 1)), y, epochs=1, batch_size=2, shuffle=False, optimizer=SGD(0.5))
    assert net.weights[0][0, 0] == 0.5 * 1 + 0.5 * (4 - 0.5)


@pytest.mark.parametrize("batch_size", [60, 61, 10**9, None])
def test_a_batch_of_all_rows_or_more_is_batch_descent(backend: Any, data: tuple[Array, Array], batch_size: int) -> None:
    nets = [backend([2, 8, 1], random_state=0) for _ in range(2)]
    nets[0].train(*data, epochs=3, batch_size=batch_size)
    nets[1].train(*data, epochs=3)
    assert np.array_equal(nets[0].parameters, nets[1].parameters)


def test_no_epochs_leave_the_network_as_it_is(backend: Any, data: tuple[Array, Array]) -> None:
    net = backend([2, 8, 1], random_state=0)
    before = net.parameters.copy()
    history = net.train(*data, epochs=0)
    assert history.loss == []
    assert np.array_equal(net.parameters, before)


def test_one_row(backend: Any) -> None:
    net = backend([1, 3, 1], random_state=0)
    history = net.train([[1.0]], [[0.5]], epochs=300, optimizer=SGD(0.1))
    assert history.loss[-1] < 1e-6


def test_all_zero_weights_of_a_linear_network_learn(backend: Any, data: tuple[Array, Array]) -> None:
    net = backend([2, 1], init="zeros")
    assert net.train(*data, epochs=100, optimizer=SGD(0.5)).loss[-1] < 0.05


@pytest.mark.parametrize("batch_size", [None, 1, 20])
def test_all_zero_weights_of_a_deep_network_move_the_last_biases_alone(
    backend: Any, data: tuple[Array, Array], batch_size: int | None
) -> None:
    net = backend([2, 4, 3, 1], "tanh", init="zeros")
    net.train(data[0], data[1] + 1, epochs=3, batch_size=batch_size, optimizer=SGD(0.1), random_state=0)
    assert all(np.all(W == 0) for W in net.weights)
    assert [bool(np.any(b != 0)) for b in net.biases] == [False, False, True]


def test_unshuffled_rows_are_taken_in_order(backend: Any, data: tuple[Array, Array]) -> None:
    X, Y = data
    whole, parts = (backend([2, 8, 1], random_state=0) for _ in range(2))
    whole.train(X, Y, epochs=1, batch_size=20, shuffle=False, optimizer=SGD())
    optimizer = SGD()
    for i in range(0, 60, 20):
        parts.train(X[i : i + 20], Y[i : i + 20], epochs=1, optimizer=optimizer)
    assert np.array_equal(whole.parameters, parts.parameters)


@pytest.mark.parametrize(
    ("rule", "batch_size"),
    [(rule, n) for rule in RULES for n in (1, 7, None) if n is None or not RULES[rule].FULL_BATCH],
)
def test_two_runs_go_on_like_one(backend: Any, data: tuple[Array, Array], rule: str, batch_size: int | None) -> None:
    ends = []
    for epochs in ([20], [10, 10]):
        net, optimizer = backend([2, 8, 1], random_state=0), copy.deepcopy(RULES[rule])
        rng, losses = np.random.default_rng(3), []
        for n in epochs:
            losses += net.train(*data, epochs=n, batch_size=batch_size, optimizer=optimizer, random_state=rng).loss
        ends.append((net.parameters.tobytes(), losses, optimizer.steps, rng.random()))
    assert ends[0] == ends[1]
    assert ends[0][2] == 20 * -(-60 // (batch_size or 60))


def test_seeds_decide_the_shuffles(backend: Any, data: tuple[Array, Array]) -> None:
    ends = []
    for seed in (0, 0, 1):
        net = backend([2, 8, 1], random_state=0)
        net.train(*data, epochs=2, batch_size=7, random_state=seed)
        ends.append(net.parameters)
    assert np.array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])


def test_sample_weights_act_in_single_row_steps(backend: Any) -> None:
    net = backend([1, 1], bias=False, init="zeros", dtype="float64")
    net.train(
        np.ones((2, 1)), [1.0, 1.0], epochs=1, batch_size=1, shuffle=False, optimizer=SGD(0.1), sample_weight=[3, 1]
    )
    first = 0.1 * 1.5  # weights 3 and 1 have a mean of 2
    assert net.weights[0][0, 0] == pytest.approx(first + 0.1 * 0.5 * (1 - first))


def test_validation_loss_is_that_of_the_epochs_end(backend: Any, data: tuple[Array, Array]) -> None:
    X, Y = data
    net = backend([2, 8, 1], dtype="float64", random_state=0)
    history = net.train(X[:40], Y[:40], epochs=5, batch_size=10, validation_data=(X[40:], Y[40:]), random_state=0)
    assert len(history.validation_loss) == 5
    assert history.validation_loss[-1] == pytest.approx(net.loss(X[40:], Y[40:]), rel=1e-12)


class Recorder:
    def __init__(self, stop_after: int | None = None) -> None:
        self.events: list[Any] = []
        self.stop_after = stop_after

    def on_train_begin(self, state: Any) -> None:
        self.events.append("begin")

    def on_epoch_end(self, state: Any) -> bool:
        self.events.append((state.epoch, state.history.loss[-1], state.network.parameters.copy()))
        return state.epoch == self.stop_after

    def on_train_end(self, state: Any) -> None:
        self.events.append("end")


def test_callbacks_see_every_epoch_with_its_parameters(backend: Any, data: tuple[Array, Array]) -> None:
    watched, alone = (backend([2, 8, 1], random_state=0) for _ in range(2))
    recorder = Recorder()
    history = watched.train(*data, epochs=4, batch_size=7, callbacks=[recorder], random_state=0)
    begin, *epochs, end = recorder.events
    assert (begin, end) == ("begin", "end")
    assert [(e[0], e[1]) for e in epochs] == list(enumerate(history.loss, 1))
    rng, optimizer = np.random.default_rng(0), Adam()
    for epoch in epochs:
        alone.train(*data, epochs=1, batch_size=7, optimizer=optimizer, random_state=rng)
        assert np.array_equal(epoch[2], alone.parameters)


def test_a_callback_stops_the_run(backend: Any, data: tuple[Array, Array]) -> None:
    net = backend([2, 8, 1], random_state=0)
    history = net.train(*data, epochs=100, callbacks=[Recorder(stop_after=3)])
    assert len(history.loss) == 3
    assert history.stop_reason == "Recorder asked to stop after epoch 3"


def test_a_callback_may_change_learning_rate_and_weights(backend: Any, data: tuple[Array, Array]) -> None:
    net = backend([2, 8, 1], random_state=0)
    optimizer = SGD(0.1)

    class Meddler:
        def on_epoch_end(self, state: Any) -> None:
            optimizer.learning_rate = 1e-30
            state.network.parameters[:] = 0.25

    net.train(*data, epochs=2, optimizer=optimizer, callbacks=[Meddler()])
    assert np.all(net.parameters == 0.25)


def test_an_exception_in_a_callback_comes_out_and_the_network_is_usable(
    backend: Any, data: tuple[Array, Array]
) -> None:
    net = backend([2, 8, 1], random_state=0)
    recorder = Recorder()

    class Failure:
        def on_epoch_end(self, state: Any) -> None:
            if state.epoch == 2:
                raise LookupError("on purpose")

    optimizer = Adam()
    with pytest.raises(LookupError, match="on purpose"):
        net.train(*data, epochs=10, batch_size=30, optimizer=optimizer, callbacks=[recorder, Failure()], random_state=0)
    assert recorder.events[-1] == "end"
    assert np.array_equal(net.parameters, recorder.events[-2][2])
    assert optimizer.steps == 4
    net.train(*data, epochs=1)


def test_a_callback_may_use_the_generator_of_the_run(backend: Any, data: tuple[Array, Array]) -> None:
    rng = np.random.default_rng(0)

    class Drawer:
        def on_epoch_end(self, state: Any) -> None:
            rng.random()

    backend([2, 3, 1]).train(*data, epochs=3, batch_size=7, callbacks=[Drawer()], random_state=rng)
    twin = np.random.default_rng(0)
    twin.random(3 * (len(data[0]) - 1 + 1))  # a shuffle and one more number for each epoch
    assert rng.random() == twin.random()


def test_progress_is_one_line_on_stderr(
    backend: Any, data: tuple[Array, Array], capfd: pytest.CaptureFixture[str]
) -> None:
    backend([2, 3, 1]).train(*data, epochs=3, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("epoch 3/3  loss ")
    assert err.count("\n") == 1


def test_without_progress_not_a_byte_is_printed(
    backend: Any, data: tuple[Array, Array], capfd: pytest.CaptureFixture[str]
) -> None:
    backend([2, 3, 1]).train(*data, epochs=3)
    assert capfd.readouterr() == ("", "")
