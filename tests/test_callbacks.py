"""What watches a run: early stopping, logs, progress, and limits of time."""

from __future__ import annotations

import csv
import io
import logging
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import Checkpoint, CSVLog, EarlyStopping, LogToLogger
from fastmlp.reference.arrays import Array
from fastmlp.reference.optimizers import OPTIMIZERS, SGD, Adam
from fastmlp.reference.progress import ProgressLine, ProgressPanel, make_progress

Data = tuple[Array, Array]


@pytest.fixture
def data(rng: np.random.Generator) -> Data:
    X = rng.uniform(-1, 1, (40, 2)).astype("float32")
    return X, np.sin(X.sum(axis=1, keepdims=True))


class Scripted:
    """Moves the validation loss along a script: the network is a constant b, and the target 0."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def on_epoch_end(self, state: Any) -> None:
        state.history.validation_loss[-1] = self.values[state.epoch - 1]
        state.network.parameters[:] = state.epoch


def stop_early(backend: Any, values: list[float], **arguments: Any) -> tuple[Any, Any, EarlyStopping]:
    net, stopping = backend([1, 1]), EarlyStopping(**arguments)
    data = np.ones((2, 1)), np.ones((2, 1))
    script = Scripted(*values)
    history = net.train(*data, epochs=len(values), validation_data=data, callbacks=[script, stopping])
    return net, history, stopping


def test_early_stopping_waits_and_puts_the_best_back(backend: Any) -> None:
    net, history, stopping = stop_early(backend, [5, 4, 3, 3.5, 3, 3.2, 1], patience=3)
    assert len(history.loss) == 6
    assert history.stop_reason == "validation_loss has not improved for 3 epochs: best was epoch 3"
    assert (stopping.best, stopping.best_epoch) == (3, 3)
    assert np.all(net.parameters == 3)


def test_early_stopping_may_leave_the_last(backend: Any) -> None:
    net, history, _ = stop_early(backend, [5, 4, 3, 3.5, 3, 3.2, 1], patience=3, restore_best=False)
    assert len(history.loss) == 6
    assert np.all(net.parameters == 6)


def test_the_best_is_put_back_where_all_epochs_are_done(backend: Any) -> None:
    net, history, _ = stop_early(backend, [5, 4, 3, 3.5], patience=3)
    assert history.stop_reason == "all epochs done"
    assert np.all(net.parameters == 3)


def test_small_improvements_do_not_count(backend: Any) -> None:
    _, history, stopping = stop_early(backend, [5, 4.9, 4.5, 4.4, 4.3], patience=2, min_delta=0.5)
    assert len(history.loss) == 3
    assert stopping.best_epoch == 1


def test_larger_may_be_better(backend: Any) -> None:
    _, _, stopping = stop_early(backend, [1, 3, 2], mode="max")
    assert stopping.best_epoch == 2
    assert EarlyStopping(monitor="accuracy")._sign == EarlyStopping(monitor="loss", mode="max")._sign == -1
    assert EarlyStopping(monitor="mean_absolute_error")._sign == 1


def test_a_nan_is_no_improvement(backend: Any) -> None:
    _, history, stopping = stop_early(backend, [5, float("nan"), float("nan"), 1], patience=2)
    assert len(history.loss) == 3
    assert stopping.best_epoch == 1


def test_early_stopping_watches_losses_and_metrics(backend: Any, data: Data) -> None:
    for monitor in ("loss", "r2"):
        net = backend([2, 8, 1], random_state=0)
        history = net.train(
            *data, epochs=2000, metrics=["r2"], optimizer=SGD(0.5), callbacks=[EarlyStopping(3, 1e-3, monitor)]
        )
        assert history.stop_reason.startswith(f"{monitor} has not improved for 3 epochs")


def test_early_stopping_starts_afresh_with_each_run(backend: Any, data: Data) -> None:
    stopping = EarlyStopping(monitor="loss")
    for _ in range(2):
        backend([2, 8, 1], random_state=0).train(*data, epochs=5, callbacks=[stopping])
        assert stopping.best_epoch == 5


def test_a_curve_that_is_not_recorded_is_named_before_the_run(backend: Any, data: Data) -> None:
    net = backend([2, 8, 1], random_state=0)
    before = net.parameters.copy()
    for monitor, message in (
        ("validation_loss", "'validation_loss' is not recorded: pass validation_data= to train, .* Recorded are loss"),
        ("r2", "'r2' is not recorded: is it among metrics=?"),
    ):
        with pytest.raises(ValueError, match=message):
            net.train(*data, epochs=5, callbacks=[EarlyStopping(monitor=monitor)])
    assert np.array_equal(net.parameters, before)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"patience": 0}, ValueError, "patience must be at least 1"),
        ({"min_delta": -1.0}, ValueError, "min_delta must lie in"),
        ({"monitor": 3}, TypeError, "monitor must be the name of a curve"),
        ({"mode": "best"}, ValueError, "unknown mode 'best'"),
        ({"restore_best": 1}, TypeError, "restore_best must be True or False"),
    ],
)
def test_bad_arguments_of_early_stopping(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        EarlyStopping(**arguments)


def test_a_string_is_the_reason_why_a_run_ends(backend: Any, data: Data) -> None:
    class Tired:
        def on_epoch_end(self, state: Any) -> str:
            return "tired" if state.epoch == 2 else ""

    assert backend([2, 8, 1]).train(*data, epochs=5, callbacks=[Tired(), Tired()]).stop_reason == "tired"


def read_log(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_a_csv_log_has_every_curve(backend: Any, data: Data, tmp_path: Path) -> None:
    path, sizes = tmp_path / "log.csv", []

    class Reader:
        def on_epoch_end(self, state: Any) -> None:
            sizes.append(len(read_log(path)))

    history = backend([2, 8, 1]).train(
        *data, epochs=4, metrics=["r2", "gradient_norm"], validation_data=0.2, callbacks=[CSVLog(path), Reader()]
    )
    rows = read_log(path)
    assert sizes == [1, 2, 3, 4]
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    for name, curve in history.curves().items():
        assert [float(row[name]) for row in rows] == curve
    assert set(rows[0]) == {"epoch", "seconds", *history.curves()}


def test_a_csv_log_goes_on_with_a_resumed_run(backend: Any, data: Data, tmp_path: Path) -> None:
    path, run = tmp_path / "log.csv", tmp_path / "run.checkpoint"
    log, checkpoint = CSVLog(path), Checkpoint(run, every=3)
    first = backend([2, 8, 1], random_state=0).train(*data, epochs=5, callbacks=[log, checkpoint])
    path.write_text(path.read_text(encoding="utf-8") + "6,0.", encoding="utf-8")  # killed while it wrote
    history = backend([2, 8, 1], random_state=0).train(*data, epochs=8, resume=run, callbacks=[CSVLog(path)])
    rows = read_log(path)
    assert [row["epoch"] for row in rows] == [str(n) for n in range(1, 9)]
    assert [float(row["loss"]) for row in rows] == history.loss
    assert history.loss[:5] == first.loss
    path.write_text("epoch,other\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"log\.csv is the log of another run"):
        backend([2, 8, 1], random_state=0).train(*data, epochs=9, resume=run, callbacks=[CSVLog(path)])


def test_messages_to_logging(backend: Any, data: Data, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("mine")
    with caplog.at_level(logging.DEBUG, "mine"):
        history = backend([2, 8, 1]).train(
            *data, epochs=4, callbacks=[LogToLogger(logger, level=logging.DEBUG, every=2)]
        )
    assert [record.levelno for record in caplog.records] == [logging.DEBUG] * 3
    assert caplog.messages == [
        f"epoch 2/4: loss {history.loss[1]:.6g}, learning_rate 0.001",
        f"epoch 4/4: loss {history.loss[3]:.6g}, learning_rate 0.001",
        "all epochs done",
    ]
    with pytest.raises(TypeError, match="logger must be"):
        LogToLogger(3)  # type: ignore[arg-type]


def test_learning_rates_are_recorded_with_and_without_callbacks(backend: Any, data: Data) -> None:
    class Halving:
        def on_epoch_end(self, state: Any) -> None:
            state.optimizer.learning_rate /= 2

    net, optimizer = backend([2, 8, 1]), Adam(0.5)
    for _ in range(2):  # the second call has nothing to check
        assert net.train(*data, epochs=3, optimizer=optimizer).learning_rate == [0.5] * 3
    assert net.train(*data, epochs=3, optimizer=optimizer, callbacks=[Halving()]).learning_rate == [0.5, 0.25, 0.125]


def test_max_time_ends_a_run_with_a_schedule(backend: Any, data: Data) -> None:
    schedule = fastmlp.schedules.ReduceOnPlateau()
    history = backend([2, 8, 1]).train(*data, epochs=10**9, max_time=0.05, optimizer=SGD(0.1, schedule=schedule))
    assert history.stop_reason == f"max_time of 0.05 s was over after epoch {len(history.loss)}"
    assert len(history.learning_rate) == len(history.loss) > 0


@pytest.mark.parametrize("watched", [False, True])
def test_max_time_ends_a_run_after_whole_steps(backend: Any, data: Data, watched: bool) -> None:
    class Watcher:
        def on_epoch_end(self, state: Any) -> None:
            pass

    net, optimizer = backend([2, 8, 1], random_state=0), Adam()
    start = time.perf_counter()
    history = net.train(
        *data, epochs=10**9, max_time=0.1, optimizer=optimizer, callbacks=[Watcher()] if watched else []
    )
    assert 0.1 <= time.perf_counter() - start < 2
    assert len(history.loss) > 0
    assert history.stop_reason == f"max_time of 0.1 s was over after epoch {len(history.loss)}"
    twin = backend([2, 8, 1], random_state=0)
    twin.train(*data, epochs=optimizer.steps, optimizer=Adam())
    assert np.array_equal(net.parameters, twin.parameters)


def test_max_time_ends_long_epochs_too(backend: Any, rng: np.random.Generator) -> None:
    X = rng.standard_normal((1_000_000, 2)).astype("float32")
    data = X, X[:, :1].copy()
    net, twin = (backend([2, 16, 1], random_state=0) for _ in range(2))
    optimizer = SGD()
    arguments: dict[str, Any] = {"epochs": 1, "batch_size": 1, "shuffle": False}
    history = net.train(*data, optimizer=optimizer, max_time=0.005, **arguments)
    assert history.stop_reason == "max_time of 0.005 s was over after epoch 0"
    n = optimizer.steps
    assert 0 < n < 1_000_000
    twin.train(data[0][:n], data[1][:n], optimizer=SGD(), **arguments)
    assert np.array_equal(net.parameters, twin.parameters)


def test_a_run_that_is_done_in_time_is_not_cut(backend: Any, data: Data) -> None:
    assert backend([2, 8, 1]).train(*data, epochs=3, max_time=60).stop_reason == "all epochs done"
    for bad, error in ((0, ValueError), (-1.0, ValueError), ("1", TypeError), (float("nan"), ValueError)):
        with pytest.raises(error, match="max_time must"):
            backend([2, 8, 1]).train(*data, epochs=3, max_time=bad)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_panel_where_rich_is_installed(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_progress(), ProgressLine)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(make_progress(), ProgressPanel)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert isinstance(make_progress(), ProgressLine)


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, fastmlp.LevenbergMarquardt, fastmlp.LBFGS])
def test_every_ready_made_callback_goes_with_every_optimizer(backend: Any, optimizer: Any, tmp_path: Path) -> None:
    net, path = backend([1, 3, 1], random_state=0), tmp_path / "run.safetensors"
    callbacks = [
        fastmlp.EarlyStopping(patience=5),
        fastmlp.CSVLog(tmp_path / "log.csv"),
        fastmlp.LogToLogger(),
        fastmlp.Checkpoint(path),
    ]
    X = np.linspace(-1, 1, 20).reshape(-1, 1)
    history = net.train(
        X,
        X**2,
        epochs=3,
        optimizer=optimizer(),
        callbacks=callbacks,
        validation_data=0.2,
        metrics=["r2"],
        random_state=0,
    )
    assert len(history.metrics["r2"]) == len(history.loss)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert len(lines) == 1 + len(history.loss)
    assert path.exists()


def test_slots_that_a_callback_brings_get_room(backend: Any) -> None:
    neighbours = np.full(64, 7, "f4")
    neighbours[:8] = 0

    class Bringer:
        def on_train_begin(self, state: Any) -> None:
            state.optimizer.slots[0] = neighbours[:8]

    X, Y = np.ones((4, 3)), np.ones((4, 2))
    backend([3, 2]).train(X, Y, epochs=2, optimizer=SGD(0.01, momentum=0.9), callbacks=[Bringer()])
    assert np.all(neighbours[8:] == 7)


def test_whoever_was_told_of_the_begin_is_told_of_the_end(backend: Any) -> None:
    class Told:
        def __init__(self) -> None:
            self.events: list[str] = []

        def on_train_begin(self, state: Any) -> None:
            self.events.append("begin")

        def on_train_end(self, state: Any) -> None:
            self.events.append("end")

    class Faulty:
        def on_train_begin(self, state: Any) -> None:
            raise LookupError("at the begin")

    class FaultyAtTheEnd:
        def on_train_end(self, state: Any) -> None:
            raise LookupError("at the end")

    for faulty in (Faulty(), FaultyAtTheEnd()):
        first, last = Told(), Told()
        with pytest.raises(LookupError):
            backend([1, 1]).train([[1.0]], [[1.0]], epochs=1, callbacks=[first, faulty, last])
        assert first.events == ["begin", "end"]
        assert last.events in ([], ["begin", "end"])


def test_a_curve_that_is_missing_is_found_before_anything_is_drawn(backend: Any) -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    net = backend([1, 1])
    parameters = net.parameters.copy()
    with pytest.raises(ValueError, match="'r2' is not recorded"):
        net.train(
            np.ones((9, 1)),
            np.ones(9),
            epochs=1,
            callbacks=[fastmlp.EarlyStopping(monitor="r2")],
            validation_data=0.5,
            random_state=rng,
        )
    assert rng.bit_generator.state == before
    assert np.array_equal(net.parameters, parameters)


def test_early_stopping_takes_a_number_over_none(backend: Any) -> None:
    values = iter([np.nan, 5.0, 4.0, 3.0, np.nan, 2.0, 2.5, 2.5, 2.5])

    def measured(Y: Any, Y_hat: Any) -> float:
        return next(values)

    stopping = fastmlp.EarlyStopping(monitor="measured", patience=3)
    backend([1, 1]).train([[1.0]], [[1.0]], epochs=9, callbacks=[stopping], metrics=[measured])
    assert (stopping.best, stopping.best_epoch) == (2.0, 6)
