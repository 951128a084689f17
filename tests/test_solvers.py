"""Jacobians, and the solvers that take all samples at once: Levenberg-Marquardt and L-BFGS."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import randomize_biases, relative_error

import fastmlp
from fastmlp import reference
from fastmlp.reference.activations import ACTIVATIONS
from fastmlp.reference.arrays import Array

ROOT = Path(__file__).parents[1]
SOLVERS = [fastmlp.LevenbergMarquardt, fastmlp.LBFGS]


def make(network: Any, sizes: list[int], activation: str = "tanh", output: str = "linear", **arguments: Any) -> Any:
    net = network(sizes, activation, output, **{"dtype": "float64", "random_state": 3, **arguments})
    randomize_biases(net, np.random.default_rng(4))
    return net


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[Array, Array]:
    """Two outputs of two inputs, with some noise."""
    X = rng.uniform(-1, 1, (80, 2))
    Y = np.stack([np.sin(3 * X[:, 0]) * X[:, 1], X[:, 0] ** 2], axis=1)
    return X, Y + 0.05 * rng.standard_normal(Y.shape)


# Jacobians


def finite_differences(net: Any, X: Array) -> Array:
    h, columns = 1e-6, []
    for i, w in enumerate(net.parameters.copy()):
        sides = []
        for moved in (w + h, w - h):
            net.parameters[i] = moved
            sides.append(net.predict(X))
        net.parameters[i] = w
        columns.append((sides[0] - sides[1]) / (2 * h))
    return np.stack(columns, axis=2)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("activation", "output"),
    [*((name, "linear") for name in ACTIVATIONS), ("tanh", "sigmoid"), ("silu", "mish"), ("tanh", "softmax")],
)
def test_jacobian_beside_finite_differences(
    backend: Any, activation: str, output: str, bias: bool, rng: np.random.Generator
) -> None:
    net = make(backend, [3, 5, 1, 4, 2], activation, output, bias=bias)
    # Away from the kinks, which differences would straddle.
    X = rng.uniform(0.2, 1, (7, 3))
    J = net.jacobian(X)
    assert J.shape == (7, 2, net.parameters.size)
    assert np.abs(J - finite_differences(net, X)).max() < 1e-7 * max(1, np.abs(J).max())


@pytest.mark.parametrize("sizes", [[4, 3], [3, 9, 1], [2, 6, 5, 4]])
@pytest.mark.parametrize("n", [1, 2, 37, 600])
def test_jacobian_and_residuals_make_the_gradient(
    backend: Any, n: int, sizes: list[int], rng: np.random.Generator
) -> None:
    net = make(backend, sizes)
    X, Y, weight = rng.standard_normal((n, sizes[0])), rng.standard_normal((n, sizes[-1])), rng.uniform(0.1, 1, n)
    gradients = net.gradients(X, Y, sample_weight=weight)
    pairs = zip(gradients.weights, gradients.biases, strict=True)
    expected = np.concatenate([g.ravel() for pair in pairs for g in pair])
    slope = (net.predict(X) - Y) * (weight / weight.sum())[:, np.newaxis]
    assert relative_error(np.einsum("ikp,ik->p", net.jacobian(X), slope), expected) < 1e-12


def test_jacobian_has_the_networks_dtype(backend: Any, rng: np.random.Generator) -> None:
    X = rng.standard_normal((50, 3))
    single, double = (make(backend, [3, 20, 2], dtype=dtype) for dtype in ("float32", "float64"))
    assert single.jacobian(X).dtype == np.float32
    assert relative_error(single.jacobian(X), double.jacobian(X)) < 1e-5


def test_jacobian_of_no_rows_and_of_wrong_ones(backend: Any) -> None:
    net = make(backend, [3, 4, 2])
    assert net.jacobian(np.zeros((0, 3))).shape == (0, 2, net.parameters.size)
    with pytest.raises(ValueError, match=r"X must have shape \(n, 3\)"):
        net.jacobian(np.zeros((5, 2)))


# Levenberg-Marquardt


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("arguments", [{}, {"accelerated": False}, {"bayesian": True}], ids=str)
def test_core_and_reference_take_the_same_steps(
    simd: str, arguments: dict[str, Any], bias: bool, dtype: str, data: tuple[Array, Array], rng: np.random.Generator
) -> None:
    weight = rng.uniform(0.2, 1, len(data[0]))
    nets = [make(network, [2, 6, 2], bias=bias, dtype=dtype) for network in (fastmlp.Network, reference.Network)]
    solvers = [fastmlp.LevenbergMarquardt(**arguments) for _ in nets]
    runs = [
        net.train(*data, epochs=15, optimizer=solver, sample_weight=weight, validation_data=data)
        for net, solver in zip(nets, solvers, strict=True)
    ]
    tolerance = 1e-6 if dtype == "float64" else 1e-5
    assert relative_error(nets[0].parameters, nets[1].parameters) < tolerance
    assert runs[0].loss == pytest.approx(runs[1].loss, rel=1e-6)
    assert runs[0].validation_loss == pytest.approx(runs[1].validation_loss, rel=1e-5)
    assert solvers[0].carried == pytest.approx(solvers[1].carried, rel=1e-5)


@pytest.mark.parametrize("sizes", [[2, 1], [2, 3, 1], [3, 70, 2]])
@pytest.mark.parametrize("n", [1, 300, 700])
@pytest.mark.parametrize("bayesian", [False, True])
def test_sizes_of_all_kinds(simd: str, bayesian: bool, n: int, sizes: list[int], rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((n, sizes[0])), rng.standard_normal((n, sizes[-1]))
    nets = [make(network, sizes) for network in (fastmlp.Network, reference.Network)]
    for net in nets:
        net.train(X, Y, epochs=3, optimizer=fastmlp.LevenbergMarquardt(damping=1.0, bayesian=bayesian))
    assert relative_error(nets[0].parameters, nets[1].parameters) < 1e-8


def test_a_linear_problem_is_solved_at_once(backend: Any, rng: np.random.Generator) -> None:
    X, Y, weight = rng.standard_normal((50, 3)), rng.standard_normal((50, 2)), rng.uniform(0.5, 2, 50)
    net = make(backend, [3, 2])
    history = net.train(X, Y, epochs=30, optimizer=fastmlp.LevenbergMarquardt(), sample_weight=weight)
    root = np.sqrt(weight)[:, np.newaxis]
    best = np.linalg.lstsq(root * np.hstack([X, np.ones((50, 1))]), root * Y, rcond=None)[0]
    assert np.vstack([net.weights[0], net.biases[0]]) == pytest.approx(best, rel=1e-8)
    assert len(history.loss) < 15
    assert history.stop_reason == "the gradient is small"


def test_history_has_the_loss_before_each_step(backend: Any, data: tuple[Array, Array]) -> None:
    net, solver, losses = make(backend, [2, 6, 2]), fastmlp.LevenbergMarquardt(), []
    for _ in range(5):
        before = net.loss(*data)
        losses += net.train(*data, epochs=1, optimizer=solver).loss
        assert losses[-1] == pytest.approx(before, rel=1e-12)
    assert losses == sorted(losses, reverse=True)
    assert solver.steps == 5


@pytest.mark.parametrize("bayesian", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_two_runs_go_on_like_one(backend: Any, dtype: str, bayesian: bool, data: tuple[Array, Array]) -> None:
    one, two = (make(backend, [2, 6, 2], dtype=dtype) for _ in range(2))
    whole = one.train(*data, epochs=20, optimizer=fastmlp.LevenbergMarquardt(bayesian=bayesian)).loss
    solver = fastmlp.LevenbergMarquardt(bayesian=bayesian)
    first = two.train(*data, epochs=7, optimizer=solver).loss
    solver = pickle.loads(pickle.dumps(solver))
    assert first + two.train(*data, epochs=13, optimizer=solver).loss == whole
    assert np.array_equal(one.parameters, two.parameters)


def test_watched_runs_have_the_same_bits(data: tuple[Array, Array]) -> None:
    ends = []
    for arguments in ({}, {"validation_data": data}, {"callbacks": [Recorder()]}, {"n_threads": 1}):
        net = make(fastmlp.Network, [2, 6, 2])
        net.train(*data, epochs=20, optimizer=fastmlp.LevenbergMarquardt(), **arguments)
        ends.append(net.parameters.tobytes())
    assert len(set(ends)) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"gradient_tolerance": 1e9}, "the gradient is small"),
        ({"step_tolerance": 1e9}, "the last step was small"),
        ({"damping": 1.0, "largest_damping": 0.5}, "the damping is too large: no step makes the loss smaller"),
        ({}, "all epochs done"),
    ],
)
def test_why_it_stops(backend: Any, arguments: dict[str, float], reason: str, data: tuple[Array, Array]) -> None:
    net = make(backend, [2, 6, 2])
    history = net.train(*data, epochs=2, optimizer=fastmlp.LevenbergMarquardt(**arguments))
    assert history.stop_reason == reason
    assert len(history.loss) == (1 if arguments else 2)


def test_bayesian_numbers_are_those_of_the_evidence(backend: Any, rng: np.random.Generator) -> None:
    # A linear network has a closed form: at the end alpha, beta and gamma fulfil MacKay's equations.
    X, noise = rng.standard_normal((300, 4)), 0.3
    Y = X @ np.array([[1.5], [-2.0], [0.01], [0.0]]) + noise * rng.standard_normal((300, 1))
    solver = fastmlp.LevenbergMarquardt(bayesian=True)
    assert (solver.alpha, solver.beta, solver.effective_parameters) == (None, None, None)
    net = backend([4, 1], bias=False, dtype="float64", random_state=0)
    net.train(X, Y, epochs=50, optimizer=solver)
    alpha, beta, gamma = solver.alpha, solver.beta, solver.effective_parameters
    eigenvalues = np.linalg.eigvalsh(X.T @ X) * beta
    w, r = net.parameters, net.predict(X) - Y
    assert gamma == pytest.approx((eigenvalues / (eigenvalues + alpha)).sum(), rel=1e-6)
    assert alpha == pytest.approx(gamma / (w @ w), rel=1e-6)
    assert beta == pytest.approx((300 - gamma) / (r * r).sum(), rel=1e-6)
    assert w == pytest.approx(np.linalg.solve(X.T @ X + alpha / beta * np.eye(4), (X.T @ Y).ravel()), rel=1e-6)
    assert beta**-0.5 == pytest.approx(noise, rel=0.1)
    solver.reset()
    assert (solver.alpha, solver.steps) == (None, 0)


def test_bayesian_training_uses_few_of_many_parameters(rng: np.random.Generator) -> None:
    X = np.sort(rng.uniform(-1, 1, (40, 1)), axis=0)
    truth = np.sin(3 * X)
    Y = truth + 0.2 * rng.standard_normal(X.shape)
    errors = []
    for bayesian in (False, True):
        solver = fastmlp.LevenbergMarquardt(bayesian=bayesian)
        net = fastmlp.Network([1, 20, 1], dtype="float64", random_state=0)
        net.train(X, Y, epochs=300, optimizer=solver)
        errors.append(net.loss(X, truth))
    assert errors[1] < errors[0] / 2
    assert solver.effective_parameters is not None
    assert 2 < solver.effective_parameters < 15 < net.parameters.size


def test_too_many_parameters_are_refused_with_the_figure(backend: Any, rng: np.random.Generator) -> None:
    net = backend([10, 1000, 10], random_state=0)
    before = net.parameters.copy()
    X, Y = rng.standard_normal((5, 10)), rng.standard_normal((5, 10))
    with pytest.raises(MemoryError, match=r"7\.06 GB for the matrices of 21010 parameters, and memory_limit is 1 GB"):
        net.train(X, Y, epochs=1, optimizer=fastmlp.LevenbergMarquardt())
    with pytest.raises(MemoryError, match=r"10\.6 GB"):
        net.train(X, Y, epochs=1, optimizer=fastmlp.LevenbergMarquardt(bayesian=True, memory_limit=10**10))
    assert np.array_equal(net.parameters, before)


@pytest.mark.skipif(sys.platform != "linux", reason="read from Linux's /proc")
def test_memory_does_not_grow_with_the_jacobian() -> None:
    script = """
    import re, numpy as np, fastmlp
    peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1e3
    X = np.linspace(-1, 1, 400_000).reshape(-1, 4)
    Y = X[:, :1].copy()
    net = fastmlp.Network([4, 30, 1], dtype="float64", random_state=0)
    net.train(X[:10], Y[:10], epochs=1, optimizer=fastmlp.LevenbergMarquardt())
    before = peak()
    net.train(X, Y, epochs=2, optimizer=fastmlp.LevenbergMarquardt())
    print(peak() - before, len(X) * net.parameters.size * 8 / 1e6)
    """
    lines = [line.strip() for line in script.strip().splitlines()]
    ran = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    grown, jacobian = map(float, ran.stdout.split())
    assert grown < 20 < jacobian / 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "absolute_error"}, "its loss is 'squared_error', not 'absolute_error'"),
        ({"loss": lambda Y_hat, Y: (0 * Y, 0 * Y)}, "its loss is 'squared_error', not "),
    ],
)
def test_what_levenberg_marquardt_cannot_do(
    backend: Any, arguments: dict[str, Any], message: str, data: tuple[Array, Array]
) -> None:
    net = make(backend, [2, 6, 2])
    with pytest.raises(ValueError, match=message):
        net.train(*data, epochs=1, optimizer=fastmlp.LevenbergMarquardt(), **arguments)
    net.train(*data, epochs=1, batch_size=len(data[0]), optimizer=fastmlp.LevenbergMarquardt())


@pytest.mark.parametrize(("output", "loss"), [("softmax", "log_loss"), ("mean_variance", "gaussian_nll")])
def test_outputs_without_squares_are_refused(backend: Any, output: str, loss: str, data: tuple[Array, Array]) -> None:
    net = make(backend, [2, 6, 2], "tanh", output)
    Y = np.eye(2)[(data[1][:, 0] > 0).astype(int)] if output == "softmax" else data[1][:, :1]
    with pytest.raises(ValueError, match=f"its loss is 'squared_error', not '{loss}'; fastmlp.LBFGS"):
        net.train(data[0], Y, epochs=1, optimizer=fastmlp.LevenbergMarquardt(), loss=loss)
    with pytest.raises(ValueError, match=f"cannot be taken through output_activation='{output}'"):
        net.train(data[0], Y, epochs=1, optimizer=fastmlp.LevenbergMarquardt())


@pytest.mark.parametrize(
    ("make_solver", "error", "message"),
    [
        (lambda: fastmlp.LevenbergMarquardt(damping=0.0), ValueError, "damping"),
        (lambda: fastmlp.LevenbergMarquardt(largest_damping=-1.0), ValueError, "largest_damping"),
        (lambda: fastmlp.LevenbergMarquardt(gradient_tolerance=-1.0), ValueError, "gradient_tolerance"),
        (lambda: fastmlp.LevenbergMarquardt(step_tolerance="small"), TypeError, "step_tolerance"),  # type: ignore[arg-type]
        (lambda: fastmlp.LevenbergMarquardt(bayesian=1), TypeError, "bayesian"),  # type: ignore[arg-type]
        (lambda: fastmlp.LevenbergMarquardt(memory_limit=0), ValueError, "memory_limit"),
        (lambda: fastmlp.LBFGS(history=0), ValueError, "history"),
        (lambda: fastmlp.LBFGS(tolerance=-1.0), ValueError, "tolerance"),
        (lambda: fastmlp.LBFGS(gradient_tolerance=float("nan")), ValueError, "gradient_tolerance"),
        (lambda: fastmlp.LBFGS(l2=-1.0), ValueError, "l2"),
    ],
)
def test_bad_settings(make_solver: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_solver()


# Both


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
    backend: Any, dtype: str, solver: Any, data: tuple[Array, Array]
) -> None:
    recorder = Recorder(stop_after=4)
    net = make(backend, [2, 6, 2], dtype=dtype)
    history = net.train(*data, epochs=9, optimizer=solver(), callbacks=[recorder], validation_data=data)
    assert len(history.loss) == len(history.validation_loss) == len(recorder.seen) == 4
    assert history.stop_reason == "Recorder asked to stop after epoch 4"
    assert np.array_equal(net.parameters, recorder.seen[-1])
    # The loss before a step is the one after the step before it.
    assert history.loss[1:] == pytest.approx(history.validation_loss[:-1], rel=1e-5)
    assert net.loss(*data) == pytest.approx(history.validation_loss[-1], rel=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_exception_leaves_the_last_step(backend: Any, solver: Any, data: tuple[Array, Array]) -> None:
    class Fails(Recorder):
        def on_epoch_end(self, state: Any) -> bool:
            if super().on_epoch_end(state) or len(self.seen) == 3:
                raise RuntimeError("enough")
            return False

    fails, net = Fails(), make(backend, [2, 6, 2])
    with pytest.raises(RuntimeError, match="enough"):
        net.train(*data, epochs=9, optimizer=solver(), callbacks=[fails])
    assert np.array_equal(net.parameters, fails.seen[-1])
    assert len(net.train(*data, epochs=2, optimizer=solver()).loss) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows raises SIGINT in another way")
@pytest.mark.parametrize("solver", SOLVERS)
def test_ctrl_c_leaves_the_last_step(backend: Any, solver: Any, data: tuple[Array, Array]) -> None:
    class Interrupts(Recorder):
        def on_epoch_end(self, state: Any) -> bool:
            if super().on_epoch_end(state) or len(self.seen) == 3:
                signal.raise_signal(signal.SIGINT)
            return False

    interrupts, net, optimizer = Interrupts(), make(backend, [2, 6, 2]), solver()
    with pytest.raises(KeyboardInterrupt):
        net.train(*data, epochs=9, optimizer=optimizer, callbacks=[interrupts])
    assert np.array_equal(net.parameters, interrupts.seen[-1])
    assert optimizer.steps == len(interrupts.seen) == 3
    assert len(net.train(*data, epochs=2, optimizer=optimizer).loss) == 2


@pytest.mark.parametrize("solver", SOLVERS)
def test_held_out_rows_metrics_and_early_stopping(backend: Any, solver: Any, data: tuple[Array, Array]) -> None:
    net, stopping = make(backend, [2, 20, 2]), fastmlp.EarlyStopping(patience=5)
    history = net.train(
        *data,
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
def test_early_stopping_puts_the_best_parameters_back(backend: Any, solver: Any, data: tuple[Array, Array]) -> None:
    train, validation = (data[0][:50], data[1][:50]), (data[0][50:], data[1][50:])
    net, stopping = make(backend, [2, 20, 2]), fastmlp.EarlyStopping(patience=3)
    history = net.train(*train, epochs=300, optimizer=solver(), validation_data=validation, callbacks=[stopping])
    assert len(history.loss) == stopping.best_epoch + 3
    assert net.loss(*validation) == pytest.approx(stopping.best, rel=1e-12)


@pytest.mark.parametrize("solver", [lambda: fastmlp.LevenbergMarquardt(), lambda: fastmlp.LBFGS(tolerance=0.0)])
def test_time_ends_a_run(backend: Any, solver: Any, rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((300, 2)), rng.standard_normal((300, 1))
    net = make(backend, [2, 20, 1])
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
    backend: Any, solver: Any, arguments: dict[str, Any], error: type[Exception], message: str, data: Any
) -> None:
    net, optimizer = make(backend, [2, 6, 2]), solver()
    before = net.parameters.copy()
    with pytest.raises(error, match=message):
        net.train(*data, **{"epochs": 3, "optimizer": optimizer, **arguments})
    assert np.array_equal(net.parameters, before)
    assert optimizer == solver()
    assert optimizer.steps == 0


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_epochs_change_nothing(backend: Any, solver: Any, data: tuple[Array, Array]) -> None:
    net = make(backend, [2, 6, 2])
    before = net.parameters.copy()
    assert net.train(*data, epochs=0, optimizer=solver()).loss == []
    assert np.array_equal(net.parameters, before)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_network_is_solved_for_once_at_a_time(solver: Any, data: tuple[Array, Array]) -> None:
    net = make(fastmlp.Network, [2, 6, 2])

    class Nested:
        def on_epoch_end(self, state: Any) -> None:
            net.train(*data, epochs=1, optimizer=solver())

    with pytest.raises(RuntimeError, match="being trained"):
        net.train(*data, epochs=1, optimizer=solver(), callbacks=[Nested()])


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


def seconds_to_stop(script: str) -> float:
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.4)
        sent = time.time()
        os.kill(process.pid, signal.SIGINT)
        seconds = float(process.stdout.readline()) - sent
        assert process.stdout.readline() == "usable\n"
    assert process.returncode == 0
    return seconds


def test_other_python_threads_run_meanwhile(rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((500, 2)), rng.standard_normal((500, 1))
    net = make(fastmlp.Network, [2, 150, 1])
    runs = threading.Thread(target=net.train, args=(X, Y), kwargs={"epochs": 30, "optimizer": SOLVERS[0]()})
    runs.start()
    counted = 0
    while runs.is_alive():
        counted += 1
        time.sleep(0.001)
    assert counted > 10


# L-BFGS


def test_lbfgs_is_scipys(backend: Any, data: tuple[Array, Array]) -> None:
    minimize = pytest.importorskip("scipy.optimize").minimize
    net, twin = make(backend, [2, 6, 2]), make(backend, [2, 6, 2])

    def value_and_gradient(parameters: Array) -> tuple[float, Array]:
        twin.parameters[:] = parameters
        g = twin.gradients(*data)
        return g.loss, np.concatenate([a.ravel() for pair in zip(g.weights, g.biases, strict=True) for a in pair])

    start = twin.parameters.copy()
    options = {"maxiter": 30, "maxcor": 5, "ftol": 1e-12, "gtol": 1e-8}
    expected = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
    history = net.train(*data, epochs=30, optimizer=fastmlp.LBFGS(history=5))
    assert net.parameters == pytest.approx(expected.x, rel=1e-6)
    assert len(history.loss) == expected.nit == 30
    assert history.loss == sorted(history.loss, reverse=True)
    assert history.loss[0] == pytest.approx(net.__class__.loss(make(backend, [2, 6, 2]), *data), rel=1e-12)


@pytest.mark.parametrize(
    ("output", "loss"),
    [("linear", "log_cosh"), ("linear", "huber(0.1)"), ("softmax", "log_loss"), ("exp", "poisson")],
)
def test_lbfgs_takes_any_loss(backend: Any, output: str, loss: str, rng: np.random.Generator) -> None:
    X = rng.uniform(-1, 1, (60, 2))
    first = (X[:, :1] > 0).astype(float)
    Y = np.hstack([first, 1 - first])
    net = make(backend, [2, 5, 2], "tanh", output)
    weight = rng.uniform(0.5, 1, 60)
    before = net.loss(X, Y, loss, sample_weight=weight)
    history = net.train(X, Y, epochs=60, optimizer=fastmlp.LBFGS(), loss=loss, sample_weight=weight)
    assert history.loss[0] == pytest.approx(before, rel=1e-12)
    assert net.loss(X, Y, loss, sample_weight=weight) < min(before / 2, history.loss[-1] + 1e-15)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"gradient_tolerance": 1e9}, "the gradient is small"),
        ({"tolerance": 1.0}, "the last step lowered the loss by little"),
        ({}, "all epochs done"),
    ],
)
def test_why_lbfgs_stops(backend: Any, arguments: dict[str, float], reason: str, data: tuple[Array, Array]) -> None:
    net = make(backend, [2, 6, 2])
    history = net.train(*data, epochs=3, optimizer=fastmlp.LBFGS(**arguments))
    assert history.stop_reason == reason
    assert len(history.loss) == (1 if arguments else 3)


def test_l2_acts_on_weights(backend: Any, data: tuple[Array, Array]) -> None:
    # A linear network has a closed form: the penalty acts on the weights, and not on the biases.
    X, Y, l2 = data[0], data[1], 0.3
    net = make(backend, [2, 2])
    history = net.train(X, Y, epochs=100, optimizer=fastmlp.LBFGS(l2=l2, tolerance=0.0))
    ones = np.hstack([X, np.ones((len(X), 1))])
    best = np.linalg.solve(ones.T @ ones + len(X) * l2 * np.diag([1, 1, 0]), ones.T @ Y)
    assert np.vstack([net.weights[0], net.biases[0]]) == pytest.approx(best, abs=1e-6)
    assert history.loss[0] == pytest.approx(make(backend, [2, 2]).loss(X, Y), rel=1e-12)
    assert history.loss[-1] == pytest.approx(net.loss(X, Y), rel=1e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_history_has_the_loss_without_the_penalty(
    backend: Any, dtype: str, bias: bool, data: tuple[Array, Array]
) -> None:
    net, losses, optimizer = make(backend, [2, 6, 2], bias=bias, dtype=dtype), [], fastmlp.LBFGS(l2=0.01)

    class Losses:
        def on_epoch_end(self, state: Any) -> None:
            losses.append(net.loss(*data))

    history = net.train(*data, epochs=20, optimizer=optimizer, callbacks=[Losses()])
    assert history.loss[1:] == pytest.approx(losses[:-1], rel=1e-5 if dtype == "float32" else 1e-10)
    plain = make(backend, [2, 6, 2], bias=bias, dtype=dtype)
    plain.train(*data, epochs=20, optimizer=fastmlp.LBFGS())
    assert sum(np.square(W).sum() for W in net.weights) < sum(np.square(W).sum() for W in plain.weights)


def test_lbfgs_without_scipy_says_how_to_get_it(
    backend: Any, data: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("scipy", "scipy.optimize"):
        monkeypatch.setitem(sys.modules, name, None)
    net = make(backend, [2, 6, 2])
    before = net.parameters.copy()
    with pytest.raises(ImportError, match=r"pip install 'fastmlp\[scipy\]'"):
        net.train(*data, epochs=1, optimizer=fastmlp.LBFGS())
    assert np.array_equal(net.parameters, before)


# The comparison with SciPy and Adam


@pytest.fixture(scope="module")
def comparison() -> Any:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import levenberg_marquardt

    return levenberg_marquardt


def test_errors_are_as_low_as_scipys(comparison: Any) -> None:
    pytest.importorskip("scipy")
    lower = 0
    for problem in comparison.PROBLEMS:
        X, Y, sizes = problem(np.random.default_rng(0))
        starts = [fastmlp.Network(sizes, dtype="float64", random_state=seed) for seed in range(3)]
        mine = comparison.run(starts, comparison.ours(X, Y, 300))
        theirs = comparison.run(starts, comparison.scipys(X, Y, True, 300))
        assert mine.lowest < 1.5 * theirs.lowest, problem  # the starts lead to different minima
        lower += mine.median <= 1.01 * theirs.median
        assert mine.seconds < theirs.seconds, problem  # what is expected is a tenth
    assert lower >= len(comparison.PROBLEMS) - 3


def test_the_comparison_prints_a_table() -> None:
    pytest.importorskip("scipy")
    command = [sys.executable, ROOT / "benchmarks/levenberg_marquardt.py", "--quick", "--only", "misra1a,sinc"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    _, head, *rows = result.stdout.splitlines()
    assert head.split() == ["problem", "p", *["fastmlp", "Jacobian", "differ."] * 3, "x", "faster"]
    first, second = [row.split() for row in rows[:2]], [row.split() for row in rows[4:]]
    assert rows[3].split() == ["problem", "Adam", "way", "all", "LM", "x", "way", "x", "all"]
    assert [row[:2] for row in first] == [["misra1a", "7"], ["sinc", "25"]]
    assert [row[0] for row in second] == ["misra1a", "sinc"]
    for cells, numbers in [(row[2:], 10) for row in first] + [(row[1:], 6) for row in second]:
        assert len(cells) == numbers
        assert all(float(value) > 0 for value in cells)


@pytest.mark.parametrize("solver", [fastmlp.LevenbergMarquardt, fastmlp.LBFGS])
def test_a_loss_that_is_not_finite_is_warned_of(backend: Any, solver: Any) -> None:
    net = backend([1, 1], output_activation="exp", init="constant(300)", dtype="float32")
    with pytest.warns(
        fastmlp.DivergenceWarning, match="the loss of epoch 1, batch 1 is not finite; layer 1 is the first"
    ):
        history = net.train([[5.0], [1.0]], [1.0, 2.0], epochs=3, optimizer=solver())
    assert history.loss == []
    assert net.parameters.tolist() == [300, 0]
