"""What both solvers have: callbacks, held-out rows, limits of time, Ctrl-C, wrong arguments."""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
from conftest import make_network, seconds_to_stop

import fastmlp
from fastmlp.reference.arrays import Array

SOLVERS = [fastmlp.LevenbergMarquardt, fastmlp.LBFGS]


class Recorder:
    """Keeps the parameters of each epoch."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.seen: list[Array] = []
        self.stop_after = stop_after

    def on_epoch_end(self, state: Any) -> bool:
        self.seen.append(state.network.parameters.copy())
        return len(self.seen) >= self.stop_after


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_callbacks_see_every_epoch_and_may_stop(
    backend: Any, dtype: str, solver: Any, surface: tuple[Array, Array]
) -> None:
    recorder = Recorder(stop_after=4)
    net = make_network(backend, [2, 6, 2], dtype=dtype)
    history = net.train(*surface, epochs=9, optimizer=solver(), callbacks=[recorder], validation_data=surface)
    assert len(history.loss) == len(history.validation_loss) == len(recorder.seen) == 4
    assert history.stop_reason == "Recorder asked to stop after epoch 4"
    assert np.array_equal(net.parameters, recorder.seen[-1])
    # The loss before a step is the one after the step before it.
    assert history.loss[1:] == pytest.approx(history.validation_loss[:-1], rel=1e-5)
    assert net.loss(*surface) == pytest.approx(history.validation_loss[-1], rel=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_exception_leaves_the_last_step(backend: Any, solver: Any, surface: tuple[Array, Array]) -> None:
    class Fails(Recorder):
        def on_epoch_end(self, state: Any) -> bool:
            if super().on_epoch_end(state) or len(self.seen) == 3:
                raise RuntimeError("enough")
            return False

    fails, net = Fails(), make_network(backend, [2, 6, 2])
    with pytest.raises(RuntimeError, match="enough"):
        net.train(*surface, epochs=9, optimizer=solver(), callbacks=[fails])
    assert np.array_equal(net.parameters, fails.seen[-1])
    assert len(net.train(*surface, epochs=2, optimizer=solver()).loss) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows raises SIGINT in another way")
@pytest.mark.parametrize("solver", SOLVERS)
def test_ctrl_c_leaves_the_last_step(backend: Any, solver: Any, surface: tuple[Array, Array]) -> None:
    class Interrupts(Recorder):
        def on_epoch_end(self, state: Any) -> bool:
            if super().on_epoch_end(state) or len(self.seen) == 3:
                signal.raise_signal(signal.SIGINT)
            return False

    interrupts, net, optimizer = Interrupts(), make_network(backend, [2, 6, 2]), solver()
    with pytest.raises(KeyboardInterrupt):
        net.train(*surface, epochs=9, optimizer=optimizer, callbacks=[interrupts])
    assert np.array_equal(net.parameters, interrupts.seen[-1])
    assert optimizer.steps == len(interrupts.seen) == 3
    assert len(net.train(*surface, epochs=2, optimizer=optimizer).loss) == 2


@pytest.mark.parametrize("solver", SOLVERS)
def test_held_out_rows_metrics_and_early_stopping(backend: Any, solver: Any, surface: tuple[Array, Array]) -> None:
    net, stopping = make_network(backend, [2, 20, 2]), fastmlp.EarlyStopping(patience=5)
    history = net.train(
        *surface,
        epochs=300,
        optimizer=solver(),
        validation_data=0.3,
        random_state=0,
        metrics=["r2", "gradient_norm"],
        callbacks=[stopping],
    )
    curves = history.curves()
    assert set(curves) == {"loss", "validation_loss", "r2", "gradient_norm"}
    assert {len(curve) for curve in curves.values()} == {stopping.best_epoch + 5}
    assert stopping.best == min(history.validation_loss) == history.validation_loss[stopping.best_epoch - 1]
    assert history.stop_reason.startswith("validation_loss has not improved for 5 epochs")
    assert history.gradient_norm[0] > history.gradient_norm[-1]


@pytest.mark.parametrize("solver", SOLVERS)
def test_early_stopping_puts_the_best_parameters_back(backend: Any, solver: Any, surface: tuple[Array, Array]) -> None:
    train, validation = (surface[0][:50], surface[1][:50]), (surface[0][50:], surface[1][50:])
    net, stopping = make_network(backend, [2, 20, 2]), fastmlp.EarlyStopping(patience=3)
    history = net.train(*train, epochs=300, optimizer=solver(), validation_data=validation, callbacks=[stopping])
    assert len(history.loss) == stopping.best_epoch + 3
    assert net.loss(*validation) == pytest.approx(stopping.best, rel=1e-12)


@pytest.mark.parametrize("solver", [lambda: fastmlp.LevenbergMarquardt(), lambda: fastmlp.LBFGS(tolerance=0.0)])
def test_time_ends_a_run(backend: Any, solver: Any, rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((300, 2)), rng.standard_normal((300, 1))
    net = make_network(backend, [2, 20, 1])
    history = net.train(X, Y, epochs=10**9, optimizer=solver(), max_time=0.05)
    assert history.stop_reason == f"max_time of 0.05 s was over after epoch {len(history.loss)}"
    assert 0.05 <= history.seconds < 5


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 10}, ValueError, "takes all samples at once: it needs batch_size=None, and not 10 of 80 rows"),
        ({"dropout": 0.5}, ValueError, "has no dropout: its steps need derivatives that stay"),
        ({"dropout": [0.5]}, ValueError, "has no dropout"),
        ({"max_time": 0}, ValueError, "max_time"),
        ({"validation_data": 1.5}, ValueError, "validation_data"),
        ({"metrics": ["beauty"]}, ValueError, "beauty"),
        ({"epochs": -1}, ValueError, "epochs"),
    ],
    ids=str,
)
def test_wrong_arguments_change_nothing(
    backend: Any, solver: Any, arguments: dict[str, Any], error: type[Exception], message: str, surface: Any
) -> None:
    net, optimizer = make_network(backend, [2, 6, 2]), solver()
    before = net.parameters.copy()
    with pytest.raises(error, match=message):
        net.train(*surface, **{"epochs": 3, "optimizer": optimizer, **arguments})
    assert np.array_equal(net.parameters, before)
    assert optimizer == solver()
    assert optimizer.steps == 0


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_epochs_change_nothing(backend: Any, solver: Any, surface: tuple[Array, Array]) -> None:
    net = make_network(backend, [2, 6, 2])
    before = net.parameters.copy()
    assert net.train(*surface, epochs=0, optimizer=solver()).loss == []
    assert np.array_equal(net.parameters, before)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_network_is_solved_for_once_at_a_time(solver: Any, surface: tuple[Array, Array]) -> None:
    net = make_network(fastmlp.Network, [2, 6, 2])

    class Nested:
        def on_epoch_end(self, state: Any) -> None:
            net.train(*surface, epochs=1, optimizer=solver())

    with pytest.raises(RuntimeError, match="being trained"):
        net.train(*surface, epochs=1, optimizer=solver(), callbacks=[Nested()])


INTERRUPTED = """
import time
import numpy as np
import fastmlp
net = fastmlp.Network([2, 400, 1], dtype="float64", random_state=0)
rng = np.random.default_rng(0)
X, Y = rng.standard_normal((2000, 2)), rng.standard_normal((2000, 1))
net.train(X[:9], Y[:9], epochs=1, optimizer=fastmlp.{solver}())
print("ready", flush=True)
try:
    net.train(X, Y, epochs=10**9, optimizer=fastmlp.{solver}({arguments}))
except KeyboardInterrupt:
    print(time.time(), flush=True)
assert np.isfinite(net.parameters).all()
net.train(X[:9], Y[:9], epochs=1)
print("usable", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
@pytest.mark.parametrize(
    ("solver", "arguments"),
    [("LevenbergMarquardt", ""), ("LevenbergMarquardt", "bayesian=True"), ("LBFGS", "tolerance=0.0")],
)
def test_ctrl_c_returns_within_a_tenth_of_a_second(solver: str, arguments: str) -> None:
    # A busy machine may keep the process waiting: one quick answer of three shows what the code does.
    script = INTERRUPTED.format(solver=solver, arguments=arguments)
    assert any(seconds_to_stop(script) < 0.1 for _ in range(3))


def test_other_python_threads_run_meanwhile(rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((500, 2)), rng.standard_normal((500, 1))
    net = make_network(fastmlp.Network, [2, 150, 1])
    runs = threading.Thread(target=net.train, args=(X, Y), kwargs={"epochs": 30, "optimizer": SOLVERS[0]()})
    runs.start()
    counted = 0
    while runs.is_alive():
        counted += 1
        time.sleep(0.001)
    assert counted > 10


@pytest.mark.parametrize("solver", [fastmlp.LevenbergMarquardt, fastmlp.LBFGS])
def test_a_loss_that_is_not_finite_is_warned_of(backend: Any, solver: Any) -> None:
    net = backend([1, 1], output_activation="exp", init="constant(300)", dtype="float32")
    with pytest.warns(
        fastmlp.DivergenceWarning, match="the loss of epoch 1, batch 1 is not finite; layer 1 is the first"
    ):
        history = net.train([[5.0], [1.0]], [1.0, 2.0], epochs=3, optimizer=solver())
    assert history.loss == []
    assert net.parameters.tolist() == [300, 0]
