"""Levenberg-Marquardt: its steps, Bayesian regularisation, and the comparison with SciPy and Adam."""

from __future__ import annotations

import pickle
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_network, relative_error

import fastmlp
from fastmlp import reference
from fastmlp.reference.arrays import Array

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"accelerated": False}, {"bayesian": True}, {"l2": 0.01}, {"l2": 0.001, "accelerated": False}],
    ids=str,
)
def test_core_and_reference_take_the_same_steps(
    simd: str, arguments: dict[str, Any], bias: bool, dtype: str, surface: tuple[Array, Array], rng: np.random.Generator
) -> None:
    weight = rng.uniform(0.2, 1, len(surface[0]))
    nets = [
        make_network(network, [2, 6, 2], bias=bias, dtype=dtype) for network in (fastmlp.Network, reference.Network)
    ]
    solvers = [fastmlp.LevenbergMarquardt(**arguments) for _ in nets]
    runs = [
        net.train(*surface, epochs=15, optimizer=solver, sample_weight=weight, validation_data=surface)
        for net, solver in zip(nets, solvers, strict=True)
    ]
    tolerance = 1e-6 if dtype == "float64" else 1e-5
    assert relative_error(nets[0].parameters, nets[1].parameters) < tolerance
    assert runs[0].loss == pytest.approx(runs[1].loss, rel=1e-6)
    assert runs[0].validation_loss == pytest.approx(runs[1].validation_loss, rel=1e-5)
    assert solvers[0].carried == pytest.approx(solvers[1].carried, rel=1e-5)


def after_three_steps(network: Any, sizes: tuple[int, ...], n: int, **arguments: Any) -> Array:
    """Return the parameters of a network that was trained on n samples."""
    rng, net = np.random.default_rng(20), make_network(network, list(sizes))
    X, Y = rng.standard_normal((n, sizes[0])), rng.standard_normal((n, sizes[-1]))
    net.train(X, Y, epochs=3, optimizer=fastmlp.LevenbergMarquardt(damping=1.0, **arguments))
    parameters: Array = net.parameters
    return parameters


# The same beside every instruction set.
expected_after_three_steps = cache(partial(after_three_steps, reference.Network))


@pytest.mark.parametrize("sizes", [(2, 1), (2, 3, 1), (3, 70, 2)])
@pytest.mark.parametrize("n", [1, 300, 700])
@pytest.mark.parametrize("arguments", [{}, {"bayesian": True}, {"l2": 0.1}], ids=str)
def test_sizes_of_all_kinds(simd: str, arguments: dict[str, Any], n: int, sizes: tuple[int, ...]) -> None:
    found = after_three_steps(fastmlp.Network, sizes, n, **arguments)
    assert relative_error(found, expected_after_three_steps(sizes, n, **arguments)) < 1e-8


def test_a_linear_problem_is_solved_at_once(backend: Any, rng: np.random.Generator) -> None:
    X, Y, weight = rng.standard_normal((50, 3)), rng.standard_normal((50, 2)), rng.uniform(0.5, 2, 50)
    net = make_network(backend, [3, 2])
    history = net.train(X, Y, epochs=30, optimizer=fastmlp.LevenbergMarquardt(), sample_weight=weight)
    root = np.sqrt(weight)[:, np.newaxis]
    best = np.linalg.lstsq(root * np.hstack([X, np.ones((50, 1))]), root * Y, rcond=None)[0]
    assert np.vstack([net.weights[0], net.biases[0]]) == pytest.approx(best, rel=1e-8)
    assert len(history.loss) < 15
    assert history.stop_reason == "the gradient is small"


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_history_has_the_loss_before_each_step(backend: Any, l2: float, surface: tuple[Array, Array]) -> None:
    net, solver, losses = make_network(backend, [2, 6, 2]), fastmlp.LevenbergMarquardt(l2=l2), []
    objectives = []
    for _ in range(5):
        before = net.loss(*surface)
        objectives.append(before + l2 / 2 * sum_of_squares(net.weights))
        losses += net.train(*surface, epochs=1, optimizer=solver).loss
        assert losses[-1] == pytest.approx(before, rel=1e-12)
    assert objectives == sorted(objectives, reverse=True)
    assert solver.steps == 5


def sum_of_squares(arrays: Any) -> float:
    return sum(float(np.square(array).sum()) for array in arrays)


@pytest.mark.parametrize("bias", [True, False])
def test_l2_acts_on_weights(backend: Any, bias: bool, surface: tuple[Array, Array], rng: np.random.Generator) -> None:
    # A linear network has a closed form: the penalty acts on the weights, and not on the biases.
    (X, Y), weight, l2 = surface, rng.uniform(0.5, 2, 80), 0.3
    net = make_network(backend, [2, 2], bias=bias)
    history = net.train(X, Y, epochs=30, optimizer=fastmlp.LevenbergMarquardt(l2=l2), sample_weight=weight)
    A = np.hstack([X, np.ones((80, 1))]) if bias else X
    D = np.diag(weight / weight.mean()) / 80
    best = np.linalg.solve(A.T @ D @ A + l2 * np.diag([1, 1, 0][: A.shape[1]]), A.T @ D @ Y)
    assert np.vstack([net.weights[0], *net.biases]) == pytest.approx(best, rel=1e-7)
    assert history.stop_reason == "the gradient is small"


@pytest.mark.parametrize("l2", [1e-3, 1e-2])
def test_the_minimum_is_that_of_other_optimizers(backend: Any, l2: float, surface: tuple[Array, Array]) -> None:
    pytest.importorskip("scipy")
    nets = []
    for solver in (fastmlp.LevenbergMarquardt(l2=l2), fastmlp.LBFGS(l2=l2, tolerance=0.0, gradient_tolerance=1e-9)):
        net = make_network(backend, [2, 3, 2])
        net.train(*surface, epochs=200, optimizer=fastmlp.LBFGS(l2=l2, gradient_tolerance=1e-3))  # near a minimum
        net.train(*surface, epochs=5000, optimizer=solver)
        nets.append(net)
    assert nets[0].parameters == pytest.approx(nets[1].parameters, abs=1e-4)
    net, step = nets[0], nets[0].gradients(*surface)
    assert sum_of_squares(dW + l2 * W for dW, W in zip(step.weights, net.weights, strict=True)) < 1e-15
    assert sum_of_squares(step.biases) < 1e-15


def test_a_step_solves_equations_that_finite_differences_confirm(backend: Any, surface: tuple[Array, Array]) -> None:
    net, l2, damping, h = make_network(backend, [2, 3, 2]), 0.2, 0.5, 1e-5
    x = net.parameters.copy()
    p, n = x.size, len(surface[0])

    def residuals(x: Array) -> Array:
        """Return what the objective is half the sum of squares of: the penalty is one more residual per weight."""
        net.parameters[:] = x
        penalised = np.concatenate([W.ravel() for W in net.weights])
        errors = (net.predict(surface[0]) - surface[1]).ravel()
        return np.concatenate([errors / np.sqrt(n), np.sqrt(l2) * penalised])

    J = np.stack([(residuals(x + h * e) - residuals(x - h * e)) / (2 * h) for e in np.eye(p)], axis=1)
    step = np.linalg.solve(J.T @ J + damping * np.eye(p), J.T @ residuals(x))
    net.parameters[:] = x
    net.train(*surface, epochs=1, optimizer=fastmlp.LevenbergMarquardt(damping=damping, l2=l2, accelerated=False))
    assert x - net.parameters == pytest.approx(step, rel=1e-6, abs=1e-9)


def test_equations_that_are_not_finite_end_a_run(backend: Any, surface: tuple[Array, Array]) -> None:
    net = make_network(backend, [2, 6, 2])
    before = net.parameters.copy()
    history = net.train(*surface, epochs=5, optimizer=fastmlp.LevenbergMarquardt(l2=1e308))
    assert history.stop_reason.startswith("the equations of a step are not finite")
    assert len(history.loss) == 1
    assert np.array_equal(net.parameters, before)


@pytest.mark.parametrize("bayesian", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_two_runs_go_on_like_one(backend: Any, dtype: str, bayesian: bool, surface: tuple[Array, Array]) -> None:
    one, two = (make_network(backend, [2, 6, 2], dtype=dtype) for _ in range(2))
    whole = one.train(*surface, epochs=20, optimizer=fastmlp.LevenbergMarquardt(bayesian=bayesian)).loss
    solver = fastmlp.LevenbergMarquardt(bayesian=bayesian)
    first = two.train(*surface, epochs=7, optimizer=solver).loss
    solver = pickle.loads(pickle.dumps(solver))
    assert first + two.train(*surface, epochs=13, optimizer=solver).loss == whole
    assert np.array_equal(one.parameters, two.parameters)


def test_watched_runs_have_the_same_bits(surface: tuple[Array, Array]) -> None:
    ends = []
    for arguments in ({}, {"validation_data": surface}, {"callbacks": [fastmlp.LogToLogger()]}, {"n_threads": 1}):
        net = make_network(fastmlp.Network, [2, 6, 2])
        net.train(*surface, epochs=20, optimizer=fastmlp.LevenbergMarquardt(), **arguments)
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
def test_why_it_stops(backend: Any, arguments: dict[str, float], reason: str, surface: tuple[Array, Array]) -> None:
    net = make_network(backend, [2, 6, 2])
    history = net.train(*surface, epochs=2, optimizer=fastmlp.LevenbergMarquardt(**arguments))
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
    backend: Any, arguments: dict[str, Any], message: str, surface: tuple[Array, Array]
) -> None:
    net = make_network(backend, [2, 6, 2])
    with pytest.raises(ValueError, match=message):
        net.train(*surface, epochs=1, optimizer=fastmlp.LevenbergMarquardt(), **arguments)
    net.train(*surface, epochs=1, batch_size=len(surface[0]), optimizer=fastmlp.LevenbergMarquardt())


@pytest.mark.parametrize(("output", "loss"), [("softmax", "log_loss"), ("mean_variance", "gaussian_nll")])
def test_outputs_without_squares_are_refused(
    backend: Any, output: str, loss: str, surface: tuple[Array, Array]
) -> None:
    net = make_network(backend, [2, 6, 2], "tanh", output)
    Y = np.eye(2)[(surface[1][:, 0] > 0).astype(int)] if output == "softmax" else surface[1][:, :1]
    with pytest.raises(ValueError, match=f"its loss is 'squared_error', not '{loss}'; fastmlp.LBFGS"):
        net.train(surface[0], Y, epochs=1, optimizer=fastmlp.LevenbergMarquardt(), loss=loss)
    with pytest.raises(ValueError, match=f"cannot be taken through output_activation='{output}'"):
        net.train(surface[0], Y, epochs=1, optimizer=fastmlp.LevenbergMarquardt())


@pytest.mark.parametrize(
    ("make_solver", "error", "message"),
    [
        (lambda: fastmlp.LevenbergMarquardt(damping=0.0), ValueError, "damping"),
        (lambda: fastmlp.LevenbergMarquardt(largest_damping=-1.0), ValueError, "largest_damping"),
        (lambda: fastmlp.LevenbergMarquardt(gradient_tolerance=-1.0), ValueError, "gradient_tolerance"),
        (lambda: fastmlp.LevenbergMarquardt(step_tolerance="small"), TypeError, "step_tolerance"),  # type: ignore[arg-type]
        (lambda: fastmlp.LevenbergMarquardt(l2=-0.1), ValueError, "l2"),
        (lambda: fastmlp.LevenbergMarquardt(l2=0.1, bayesian=True), ValueError, "leave l2 at 0, and not 0.1"),
        (lambda: fastmlp.LevenbergMarquardt(bayesian=1), TypeError, "bayesian"),  # type: ignore[arg-type]
        (lambda: fastmlp.LevenbergMarquardt(memory_limit=0), ValueError, "memory_limit"),
        (lambda: fastmlp.LBFGS(history=0), ValueError, "history"),
        (lambda: fastmlp.LBFGS(tolerance=-1.0), ValueError, "tolerance"),
        (lambda: fastmlp.LBFGS(gradient_tolerance=float("nan")), ValueError, "gradient_tolerance"),
        (lambda: fastmlp.LBFGS(l2=-1.0), ValueError, "l2"),
        (lambda: fastmlp.LBFGS(max_evaluations=0), ValueError, "max_evaluations"),
        (lambda: fastmlp.LBFGS(max_evaluations=2.5), TypeError, "max_evaluations"),  # type: ignore[arg-type]
    ],
)
def test_bad_settings(make_solver: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_solver()


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
