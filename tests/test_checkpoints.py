"""A run that goes on from a checkpoint ends on the very bits of one that was never disturbed."""

from __future__ import annotations

import copy
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from test_schedules import EXAMPLES as SCHEDULES

import fastmlp
from fastmlp import Checkpoint, EarlyStopping, reference
from fastmlp.reference import checkpoints
from fastmlp.reference.arrays import Array
from fastmlp.reference.optimizers import RULES, SGD, Adam
from fastmlp.reference.schedules import Constant, ReduceOnPlateau

Data = tuple[Array, Array]


@pytest.fixture
def data(rng: np.random.Generator) -> Data:
    X = rng.uniform(-1, 1, (30, 2)).astype("float32")
    return X, np.sin(X.sum(axis=1, keepdims=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.checkpoint"


def end_of(net: Any, optimizer: Any, history: Any) -> tuple[Any, ...]:
    """Return all that a run leaves, but the time that it took."""
    slots = [slot.tobytes() for slot in optimizer.slots]
    curves = {name: list(curve) for name, curve in history.curves().items()}
    return net.parameters.tobytes(), slots, optimizer.steps, curves, history.stop_reason


def run(
    network: Any, data: Data, epochs: int, optimizer: Any = None, random_state: Any = 3, **arguments: Any
) -> tuple[Any, ...]:
    """Train a new network, and return all that the run leaves."""
    net, optimizer = network([2, 5, 1], random_state=0), copy.deepcopy(optimizer) or Adam(0.01)
    arguments = {"batch_size": 7, **arguments}
    history = net.train(*data, epochs=epochs, optimizer=optimizer, random_state=random_state, **arguments)
    return end_of(net, optimizer, history)


ORDERS: list[dict[str, Any]] = [{}, {"shuffle": False}, {"batch_size": None}, {"batch_size": 1}, {"dropout": 0.3}]


@pytest.mark.parametrize(
    ("rule", "arguments"),
    [(rule, a) for rule in RULES for a in ORDERS if a.get("batch_size", 7) is None or not RULES[rule].FULL_BATCH],
)
def test_two_halves_have_the_bits_of_the_whole(
    backend: Any, data: Data, path: Path, rule: str, arguments: dict[str, Any]
) -> None:
    whole = run(backend, data, 20, RULES[rule], **arguments)
    run(backend, data, 10, RULES[rule], callbacks=[Checkpoint(path)], **arguments)
    assert run(backend, data, 20, RULES[rule], resume=path, **arguments) == whole


SOLVED: list[dict[str, Any]] = [{}, {"validation_data": 0.3}, {"metrics": ["r2"]}, {"sample_weight": np.arange(30.0)}]


@pytest.mark.parametrize("arguments", SOLVED, ids=str)
@pytest.mark.parametrize("settings", [{}, {"bayesian": True}, {"accelerated": False}], ids=str)
def test_levenberg_marquardt_goes_on(
    backend: Any, data: Data, path: Path, settings: dict[str, Any], arguments: dict[str, Any]
) -> None:
    arguments = {"batch_size": None, "optimizer": fastmlp.LevenbergMarquardt(**settings), **arguments}
    whole = run(backend, data, 12, **arguments)
    assert len(whole[3]["loss"]) == 12
    run(backend, data, 5, callbacks=[Checkpoint(path)], **arguments)
    assert run(backend, data, 12, resume=path, **arguments) == whole


@pytest.mark.parametrize("settings", [{}, {"gradient_tolerance": 0.0, "step_tolerance": 1e-3}], ids=str)
def test_a_solver_that_was_done_stays_so(backend: Any, data: Data, path: Path, settings: dict[str, float]) -> None:
    X, Y = data[0], data[0].sum(axis=1, keepdims=True)
    ends = []
    for arguments in ({"callbacks": [Checkpoint(path)]}, {"resume": path}):
        net, optimizer = backend([2, 1], dtype="float64", random_state=0), fastmlp.LevenbergMarquardt(**settings)
        ends.append(end_of(net, optimizer, net.train(X, Y, epochs=200, optimizer=optimizer, **arguments)))
    assert ends[0] == ends[1]
    assert len(ends[0][3]["loss"]) < 200
    assert ends[0][4] == ("the last step was small" if settings else "the gradient is small")


def test_lbfgs_goes_on_from_where_it_was_with_a_new_memory(backend: Any, data: Data, path: Path) -> None:
    arguments: dict[str, Any] = {"batch_size": None, "optimizer": fastmlp.LBFGS(l2=1e-3)}
    first = run(backend, data, 5, callbacks=[Checkpoint(path)], **arguments)
    again = run(backend, data, 12, resume=path, **arguments)
    losses = again[3]["loss"]
    assert losses[:5] == first[3]["loss"]
    assert len(losses) == again[2] == 12
    net = backend([2, 5, 1], random_state=0)
    net.parameters[:] = np.frombuffer(first[0], "f4")
    assert losses[5:] == net.train(*data, epochs=7, **{**arguments, "optimizer": fastmlp.LBFGS(l2=1e-3)}).loss
    assert net.parameters.tobytes() == again[0]
    with pytest.raises(ValueError, match=r"its optimizer's l2 is 0\.001, and here it is 0\.0"):
        run(backend, data, 12, resume=path, batch_size=None, optimizer=fastmlp.LBFGS())


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_go_on(backend: Any, data: Data, path: Path, schedule: Any) -> None:
    def optimizer() -> Any:
        return SGD(0.3, momentum=0.5, l2=1e-3, clip_norm=1.0, schedule=copy.deepcopy(schedule))

    whole = run(backend, data, 20, optimizer())
    assert len(set(whole[3]["learning_rate"])) > 1 or isinstance(schedule, Constant | ReduceOnPlateau)
    run(backend, data, 10, optimizer(), callbacks=[Checkpoint(path)])
    assert run(backend, data, 20, optimizer(), resume=path) == whole


@pytest.mark.parametrize("bits", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_any_generator_goes_on_where_it_was(backend: Any, data: Data, path: Path, bits: str) -> None:
    def generator(seed: int) -> np.random.Generator:
        return np.random.Generator(getattr(np.random, bits)(seed))

    whole, resumed = generator(1), generator(2)
    expected = run(backend, data, 20, random_state=whole)
    run(backend, data, 10, random_state=generator(1), callbacks=[Checkpoint(path)])
    assert run(backend, data, 20, random_state=resumed, resume=path) == expected
    assert whole.random() == resumed.random()


@pytest.mark.parametrize("validation", [0.3, "data"])
def test_validation_metrics_and_early_stopping_go_on_too(
    backend: Any, data: Data, path: Path, validation: float | str
) -> None:
    X, Y = data
    arguments: dict[str, Any] = {
        "validation_data": (X[:9], Y[:9]) if validation == "data" else validation,
        "metrics": ["r2", "gradient_norm"],
        "sample_weight": np.linspace(1, 2, 30),
        "optimizer": SGD(0.5),
    }
    expected = run(backend, data, 500, callbacks=[EarlyStopping(8)], **arguments)
    n_epochs = len(expected[3]["loss"])
    assert 8 < n_epochs < 500
    for done in (1, n_epochs // 2, n_epochs - 3, n_epochs):
        stopping = EarlyStopping(8)
        run(backend, data, done, callbacks=[Checkpoint(path), stopping], **arguments)
        again = run(backend, data, 500, resume=path, callbacks=[EarlyStopping(8)], **arguments)
        assert again == expected


def test_a_loss_of_ones_own_goes_on(backend: Any, data: Data, path: Path) -> None:
    def loss(Y_hat: Array, Y: Array) -> tuple[Array, Array]:
        residual = Y_hat - Y
        return (residual**4).sum(axis=1), 4 * residual**3

    whole = run(backend, data, 20, loss=loss)
    run(backend, data, 10, loss=loss, callbacks=[Checkpoint(path)])
    assert run(backend, data, 20, loss=loss, resume=path) == whole
    with pytest.raises(ValueError, match=r"its loss is '<function .*loss>', and here it is 'squared_error'"):
        run(backend, data, 20, resume=path)


def test_numbers_that_a_callback_changed_go_on_as_they_are(backend: Any, data: Data, path: Path) -> None:
    class Decay:
        def on_epoch_end(self, state: Any) -> None:
            state.optimizer.learning_rate *= 0.9

    whole = run(backend, data, 20, callbacks=[Decay()])
    run(backend, data, 10, callbacks=[Decay(), Checkpoint(path)])
    assert run(backend, data, 20, resume=path, callbacks=[Decay()]) == whole


def test_one_network_takes_what_the_other_wrote(data: Data, path: Path) -> None:
    run(reference.Network, data, 10, callbacks=[Checkpoint(path)])
    parameters = run(fastmlp.Network, data, 20, resume=path)[0]
    expected = run(fastmlp.Network, data, 20)[0]
    assert np.frombuffer(parameters, "f4") == pytest.approx(np.frombuffer(expected, "f4"), rel=1e-3)


def test_seconds_go_on(backend: Any, data: Data, path: Path) -> None:
    net = backend([2, 5, 1], random_state=0)
    first = net.train(*data, epochs=10, batch_size=7, random_state=0, callbacks=[Checkpoint(path)])
    again = net.train(*data, epochs=10, batch_size=7, random_state=0, resume=path)
    assert again.seconds > 0.5 * first.seconds
    assert again.loss == first.loss


def test_every_so_many_epochs_or_seconds(data: Data, path: Path) -> None:
    written = []

    class Watcher:
        comes_last = True

        def on_epoch_end(self, state: Any) -> None:
            if path.exists() and (epoch := checkpoints.read(path)["epoch"]) not in written:
                written.append(epoch)

    run(fastmlp.Network, data, 10, callbacks=[Checkpoint(path, every=3), Watcher()])
    assert written == [3, 6, 9, 10]
    path.unlink()
    written.clear()
    run(fastmlp.Network, data, 3, callbacks=[Checkpoint(path, seconds=0), Watcher()])
    assert written == [1, 2, 3]
    path.unlink()
    written.clear()
    run(fastmlp.Network, data, 9, callbacks=[Checkpoint(path, seconds=1e6), Watcher()])
    assert written == [1, 9]


@pytest.mark.parametrize("how", [{"every": 1000}, {"seconds": 1e6}], ids=str)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_a_checkpoint(
    backend: Any, data: Data, path: Path, error: type[BaseException], how: dict[str, Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_COPIES", 0)

    class Interruption:
        def on_epoch_end(self, state: Any) -> None:
            if state.epoch == 7:
                state.network.parameters[:] = 0  # as if in the midst of an epoch
                raise error

    arguments: dict[str, Any] = {"dropout": 0.2, "validation_data": 0.3}
    whole = run(backend, data, 20, callbacks=[EarlyStopping(50)], **arguments)
    with pytest.raises(error):
        run(backend, data, 20, callbacks=[Interruption(), EarlyStopping(50), Checkpoint(path, **how)], **arguments)
    assert checkpoints.read(path)["epoch"] == 6
    assert run(backend, data, 20, resume=path, callbacks=[EarlyStopping(50)], **arguments) == whole


def test_an_interruption_while_it_is_written(backend: Any, data: Data, path: Path, monkeypatch: Any) -> None:
    whole, replace, calls = run(backend, data, 20), os.replace, []

    def interrupt(*names: Any) -> None:
        calls.append(names)
        if len(calls) == 1:
            raise KeyboardInterrupt
        replace(*names)

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(backend, data, 20, callbacks=[Checkpoint(path, every=5)])
    assert checkpoints.read(path)["epoch"] == 5
    assert run(backend, data, 20, resume=path) == whole


def test_it_is_a_safetensors_file(data: Data, path: Path) -> None:
    parameters = run(fastmlp.Network, data, 3, callbacks=[Checkpoint(path)])[0]
    tensors = safetensors.numpy.load_file(path)
    assert tensors["parameters"].tobytes() == parameters
    curves = {f"history.{name}" for name in ("loss", "validation_loss", "learning_rate", "gradient_norm")}
    assert set(tensors) == {"parameters", "optimizer.slots.m", "optimizer.slots.v", *curves}
    assert len(tensors["history.loss"]) == 3


def test_what_is_beside_the_arrays_does_not_grow_with_the_epochs(data: Data, path: Path) -> None:
    lengths = []
    for epochs in (10, 500):
        run(fastmlp.Network, data, epochs, batch_size=None, callbacks=[Checkpoint(path, every=1000)])
        lengths.append(int.from_bytes(path.read_bytes()[:8], "little"))
    assert lengths[1] < lengths[0] + 50


def test_curves_and_callbacks_may_hold_what_is_no_number(backend: Any, data: Data, path: Path) -> None:
    def strange(Y: Array, Y_hat: Array) -> float:
        return math.inf

    def stranger(Y: Array, Y_hat: Array) -> float:
        return math.nan

    def watched(epochs: int, metric: Any, **arguments: Any) -> tuple[Any, ...]:
        callbacks = [Checkpoint(path, every=10), EarlyStopping(50, monitor=metric.__name__)]
        return run(backend, data, epochs, metrics=[metric], callbacks=callbacks, **arguments)

    whole = watched(20, strange)
    watched(10, strange)
    assert watched(20, strange, resume=path) == whole
    watched(10, stranger)
    assert np.isnan(watched(20, stranger, resume=path)[3]["stranger"]).all()


@pytest.mark.parametrize("rate", [1, np.float32(0.5)])
def test_any_kind_of_number(backend: Any, data: Data, path: Path, rate: Any) -> None:
    whole = run(backend, data, 20, SGD(rate, normalized=True))
    run(backend, data, 10, SGD(rate, normalized=True), callbacks=[Checkpoint(path)])
    assert run(backend, data, 20, SGD(rate, normalized=True), resume=path)[0] == whole[0]


def test_bad_arguments(data: Data, path: Path) -> None:
    for arguments, error, message in (
        ({"every": 0}, ValueError, "every must be at least 1"),
        ({"every": 1.5}, TypeError, "every must be an integer"),
        ({"seconds": -1.0}, ValueError, "seconds must lie in"),
    ):
        with pytest.raises(error, match=message):
            Checkpoint(path, **arguments)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="no folder"):
        run(fastmlp.Network, data, 1, callbacks=[Checkpoint(path / "no" / "run")])
    with pytest.raises(FileNotFoundError):
        run(fastmlp.Network, data, 1, resume=path)
