"""Update rules by hand, their state, and their errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.reference.optimizers import RULES, SGD, Adam

# A linear neuron without bias, x = 1, y = 0, has J = w^2 / 2 and dJ/dw = w.


def weight_after(backend: Any, optimizer: Any, steps: int, start: float = 1.0) -> float:
    net = backend.from_parameters([[[start]]], dtype="float64")
    net.train([[1.0]], [[0.0]], epochs=steps, optimizer=optimizer)
    return float(net.weights[0][0, 0])


def test_gradient_descent(backend: Any) -> None:
    assert weight_after(backend, SGD(0.1), 3) == pytest.approx(0.9**3, rel=1e-14)


def test_momentum(backend: Any) -> None:
    w, velocity = 1.0, 0.0
    for _ in range(3):
        velocity = 0.9 * velocity - 0.1 * w
        w += velocity
    assert weight_after(backend, SGD(0.1, momentum=0.9), 3) == pytest.approx(w, rel=1e-14)


def test_nesterov(backend: Any) -> None:
    w, velocity = 1.0, 0.0
    for _ in range(3):
        gradient = w
        velocity = 0.9 * velocity - 0.1 * gradient
        w += 0.9 * velocity - 0.1 * gradient
    assert weight_after(backend, SGD(0.1, momentum=0.9, nesterov=True), 3) == pytest.approx(w, rel=1e-14)


def test_normalized_steps_have_the_length_of_the_learning_rate(backend: Any) -> None:
    assert weight_after(backend, SGD(0.1, normalized=True), 3) == pytest.approx(0.7, rel=1e-14)
    net = backend([3, 4, 2], dtype="float64", random_state=0)
    before = net.parameters.copy()
    net.train(np.ones((5, 3)), np.ones((5, 2)), epochs=1, optimizer=SGD(0.1, normalized=True))
    assert np.linalg.norm(net.parameters - before) == pytest.approx(0.1, rel=1e-12)


def test_a_zero_gradient_moves_nothing(backend: Any) -> None:
    for optimizer in (SGD(0.1, normalized=True), SGD(0.1), Adam(0.1)):
        assert weight_after(backend, optimizer, 3, start=0.0) == 0


def test_adam_follows_the_paper(backend: Any) -> None:
    alpha, beta_1, beta_2, epsilon = 0.1, 0.8, 0.95, 1e-6
    w, m, v = 1.0, 0.0, 0.0
    for t in range(1, 6):
        g = w
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g * g
        w -= alpha * (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    assert weight_after(backend, Adam(alpha, beta_1, beta_2, epsilon), 5) == pytest.approx(w, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_stands_still_where_squares_overflow(backend: Any, dtype: str) -> None:
    for start in (10.0 * np.sqrt(float(np.finfo(dtype).max)) / np.sqrt(0.001), float(np.finfo(dtype).max)):
        net = backend.from_parameters([[[start]]], dtype=dtype)
        with np.errstate(over="ignore"):
            net.train([[1.0]], [[0.0]], epochs=1, optimizer=Adam(0.1))
        assert net.weights[0][0, 0] == np.dtype(dtype).type(start)


def test_defaults_are_those_of_the_literature() -> None:
    assert repr(Adam()) == "Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08)"
    assert repr(SGD()) == "SGD(learning_rate=0.01, momentum=0.0, nesterov=False, normalized=False)"


BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: SGD(0), ValueError, r"learning_rate must lie in \(0, inf\), not 0"),
    (lambda: SGD(-0.1), ValueError, "learning_rate"),
    (lambda: SGD(float("nan")), ValueError, "learning_rate"),
    (lambda: SGD("0.1"), TypeError, "learning_rate must be a number, not '0.1'"),
    (lambda: SGD(True), TypeError, "learning_rate must be a number"),
    (lambda: SGD(0.1, momentum=1), ValueError, r"momentum must lie in \[0, 1\), not 1"),
    (lambda: SGD(0.1, nesterov=True), ValueError, "nesterov=True needs a momentum"),
    (lambda: SGD(0.1, 0.9, nesterov=1), TypeError, "nesterov must be True or False"),
    (lambda: SGD(0.1, normalized="no"), TypeError, "normalized must be True or False"),
    (lambda: Adam(beta_1=1.0), ValueError, "beta_1 must lie in"),
    (lambda: Adam(beta_2=-0.1), ValueError, "beta_2 must lie in"),
    (lambda: Adam(epsilon=0), ValueError, "epsilon must lie in"),
]


@pytest.mark.parametrize(("make", "error", "message"), BAD)
def test_bad_hyperparameters(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_a_hyperparameter_spoilt_later_is_noticed(backend: Any) -> None:
    net = backend([1, 1])
    before = net.parameters.copy()
    optimizer = SGD(0.1)
    optimizer.learning_rate = -1
    with pytest.raises(ValueError, match="learning_rate"):
        net.train([[1.0]], [[1.0]], epochs=1, optimizer=optimizer)
    assert np.array_equal(net.parameters, before)


def test_state_of_another_network_is_refused(backend: Any) -> None:
    optimizer = Adam()
    backend([2, 3, 1]).train(np.ones((1, 2)), [[1.0]], epochs=1, optimizer=optimizer)
    for other in (backend([2, 4, 1]), backend([2, 3, 1], dtype="float64")):
        with pytest.raises(ValueError, match=r"holds the state of 13 float32 parameters.*call reset\(\) first"):
            other.train(np.ones((1, 2)), [[1.0]], epochs=1, optimizer=optimizer)
    optimizer.reset()
    assert optimizer.steps == 0
    other.train(np.ones((1, 2)), [[1.0]], epochs=1, optimizer=optimizer)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
@pytest.mark.parametrize("rule", RULES)
def test_copies_carry_the_state(rule: str, duplicate: Any) -> None:
    optimizer = copy.deepcopy(RULES[rule])
    nets = [fastmlp.Network([2, 3, 1], random_state=0) for _ in range(2)]
    X, Y = np.ones((4, 2)), np.ones((4, 1))
    nets[0].train(X, Y, epochs=3, optimizer=optimizer)
    nets[1].parameters[:] = nets[0].parameters
    other = duplicate(optimizer)
    assert other == optimizer
    for net, o in zip(nets, (optimizer, other), strict=True):
        net.train(X, Y, epochs=3, optimizer=o)
    assert np.array_equal(nets[0].parameters, nets[1].parameters)
    assert other.steps == 6


def test_a_gradient_too_small_to_normalise_moves_nothing(backend: Any) -> None:
    net = backend.from_parameters(np.ones((1, 1, 1), np.float32))
    net.train([[1e-20]], [[3e-20]], epochs=1, optimizer=SGD(0.1, normalized=True))
    assert net.weights[0][0, 0] == 1


CHANGES: list[Any] = [
    lambda o: setattr(o, "momentum", 0.9),
    lambda o: setattr(o, "normalized", True),
    lambda o: setattr(o, "steps", 100),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_callback_may_not_turn_the_rule_into_another(backend: Any, change: Any) -> None:
    optimizer = SGD(0.1)

    class Meddler:
        def on_epoch_end(self, state: Any) -> None:
            change(optimizer)

    net = backend([2, 3, 1], random_state=0)
    with pytest.raises(RuntimeError, match="a callback changed the optimizer's rule, steps or slots"):
        net.train(np.ones((4, 2)), np.ones((4, 1)), epochs=3, optimizer=optimizer, callbacks=[Meddler()])
    assert np.isfinite(net.predict(np.ones((1, 2)))).all()
