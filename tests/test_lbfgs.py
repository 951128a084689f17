"""L-BFGS is SciPy's, on the compiled loss and gradient."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from conftest import make_network

import fastmlp
from fastmlp.reference.arrays import Array


def test_lbfgs_is_scipys(backend: Any, surface: tuple[Array, Array]) -> None:
    minimize = pytest.importorskip("scipy.optimize").minimize
    net, twin = make_network(backend, [2, 6, 2]), make_network(backend, [2, 6, 2])

    def value_and_gradient(parameters: Array) -> tuple[float, Array]:
        twin.parameters[:] = parameters
        g = twin.gradients(*surface)
        return g.loss, np.concatenate([a.ravel() for pair in zip(g.weights, g.biases, strict=True) for a in pair])

    start = twin.parameters.copy()
    options = {"maxiter": 30, "maxcor": 5, "ftol": 1e-12, "gtol": 1e-8}
    expected = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
    history = net.train(*surface, epochs=30, optimizer=fastmlp.LBFGS(history=5))
    assert net.parameters == pytest.approx(expected.x, rel=1e-6)
    assert len(history.loss) == expected.nit == 30
    assert history.loss == sorted(history.loss, reverse=True)
    assert history.loss[0] == pytest.approx(net.__class__.loss(make_network(backend, [2, 6, 2]), *surface), rel=1e-12)


@pytest.mark.parametrize(
    ("output", "loss"),
    [("linear", "log_cosh"), ("linear", "huber(0.1)"), ("softmax", "log_loss"), ("exp", "poisson")],
)
def test_lbfgs_takes_any_loss(backend: Any, output: str, loss: str, rng: np.random.Generator) -> None:
    X = rng.uniform(-1, 1, (60, 2))
    first = (X[:, :1] > 0).astype(float)
    Y = np.hstack([first, 1 - first])
    net = make_network(backend, [2, 5, 2], "tanh", output)
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
def test_why_lbfgs_stops(backend: Any, arguments: dict[str, float], reason: str, surface: tuple[Array, Array]) -> None:
    net = make_network(backend, [2, 6, 2])
    history = net.train(*surface, epochs=3, optimizer=fastmlp.LBFGS(**arguments))
    assert history.stop_reason == reason
    assert len(history.loss) == (1 if arguments else 3)


def test_evaluations_are_limited(backend: Any, surface: tuple[Array, Array]) -> None:
    limited, whole = (make_network(backend, [2, 6, 2]) for _ in range(2))
    history = limited.train(*surface, epochs=100, optimizer=fastmlp.LBFGS(max_evaluations=20))
    assert history.stop_reason == "more than max_evaluations=20 of the loss and its gradient"
    assert 10 < len(history.loss) <= 21
    whole.train(*surface, epochs=len(history.loss), optimizer=fastmlp.LBFGS())
    assert np.array_equal(limited.parameters, whole.parameters)
    history = whole.train(*surface, epochs=3, optimizer=fastmlp.LBFGS(max_evaluations=10**6))
    assert history.stop_reason == "all epochs done"


def test_l2_acts_on_weights(backend: Any, surface: tuple[Array, Array]) -> None:
    # A linear network has a closed form: the penalty acts on the weights, and not on the biases.
    X, Y, l2 = surface[0], surface[1], 0.3
    net = make_network(backend, [2, 2])
    history = net.train(X, Y, epochs=100, optimizer=fastmlp.LBFGS(l2=l2, tolerance=0.0))
    ones = np.hstack([X, np.ones((len(X), 1))])
    best = np.linalg.solve(ones.T @ ones + len(X) * l2 * np.diag([1, 1, 0]), ones.T @ Y)
    assert np.vstack([net.weights[0], net.biases[0]]) == pytest.approx(best, abs=1e-6)
    assert history.loss[0] == pytest.approx(make_network(backend, [2, 2]).loss(X, Y), rel=1e-12)
    assert history.loss[-1] == pytest.approx(net.loss(X, Y), rel=1e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_history_has_the_loss_without_the_penalty(
    backend: Any, dtype: str, bias: bool, surface: tuple[Array, Array]
) -> None:
    net, losses, optimizer = make_network(backend, [2, 6, 2], bias=bias, dtype=dtype), [], fastmlp.LBFGS(l2=0.01)

    class Losses:
        def on_epoch_end(self, state: Any) -> None:
            losses.append(net.loss(*surface))

    history = net.train(*surface, epochs=20, optimizer=optimizer, callbacks=[Losses()])
    assert history.loss[1:] == pytest.approx(losses[:-1], rel=1e-5 if dtype == "float32" else 1e-10)
    plain = make_network(backend, [2, 6, 2], bias=bias, dtype=dtype)
    plain.train(*surface, epochs=20, optimizer=fastmlp.LBFGS())
    assert sum(np.square(W).sum() for W in net.weights) < sum(np.square(W).sum() for W in plain.weights)


def test_lbfgs_without_scipy_says_how_to_get_it(
    backend: Any, surface: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("scipy", "scipy.optimize"):
        monkeypatch.setitem(sys.modules, name, None)
    net = make_network(backend, [2, 6, 2])
    before = net.parameters.copy()
    with pytest.raises(ImportError, match=r"pip install 'fastmlp\[scipy\]'"):
        net.train(*surface, epochs=1, optimizer=fastmlp.LBFGS())
    assert np.array_equal(net.parameters, before)
