"""Update rules by hand, their state, and their errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from conftest import relative_error

import fastmlp
from fastmlp.reference.optimizers import (
    OPTIMIZERS,
    RULES,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    RMSprop,
    Rprop,
)

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
    for optimizer in (SGD(0.1, normalized=True), *(kind(learning_rate=0.1) for kind in OPTIMIZERS)):
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


def test_adamw_is_adam_after_a_decay(backend: Any) -> None:
    alpha, decay, beta_1, beta_2, epsilon = 0.1, 0.3, 0.8, 0.95, 1e-6
    w, m, v = 1.0, 0.0, 0.0
    for t in range(1, 6):
        g = w
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g * g
        w -= alpha * decay * w
        w -= alpha * (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    optimizer = AdamW(alpha, beta_1, beta_2, epsilon, weight_decay=decay)
    assert weight_after(backend, optimizer, 5) == pytest.approx(w, rel=1e-12)


def test_nadam_looks_one_step_ahead(backend: Any) -> None:
    alpha, beta_1, beta_2, epsilon = 0.1, 0.8, 0.95, 1e-6
    w, m, v = 1.0, 0.0, 0.0
    for t in range(1, 6):
        g = w
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g * g
        m_hat = beta_1 * m / (1 - beta_1 ** (t + 1)) + (1 - beta_1) * g / (1 - beta_1**t)
        w -= alpha * m_hat / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    assert weight_after(backend, NAdam(alpha, beta_1, beta_2, epsilon), 5) == pytest.approx(w, rel=1e-12)


def test_adagrad_sums_squares(backend: Any) -> None:
    w, v = 1.0, 0.0
    for _ in range(5):
        v += w * w
        w -= 0.1 * w / (np.sqrt(v) + 1e-3)
    assert weight_after(backend, Adagrad(0.1, 1e-3), 5) == pytest.approx(w, rel=1e-12)


def test_rmsprop_forgets_squares(backend: Any) -> None:
    w, v = 1.0, 0.0
    for _ in range(5):
        v = 0.7 * v + 0.3 * w * w
        w -= 0.1 * w / (np.sqrt(v) + 1e-3)
    assert weight_after(backend, RMSprop(0.1, 0.7, 1e-3), 5) == pytest.approx(w, rel=1e-12)


def test_lion_takes_the_sign_of_a_mean(backend: Any) -> None:
    # Far enough for the sign to change: the mean that is kept lags behind the gradient.
    w, m, seen = 1.0, 0.0, []
    for _ in range(12):
        g = w
        direction = np.sign(0.6 * m + 0.4 * g)
        w -= 0.3 * direction
        m = 0.8 * m + 0.2 * g
        seen.append(direction)
    assert set(seen) == {1, -1}
    assert weight_after(backend, Lion(0.3, 0.6, 0.8), 12) == pytest.approx(w, rel=1e-12)


def igel_and_huesken(w: float, steps: int, size: float, largest: float, smallest: float) -> tuple[float, set[str]]:
    """Follow the paper's iRprop+ on J = w^2 / 2; return the weight and what happened on the way."""
    g_before, change, loss_before, happened = 0.0, 0.0, None, set()
    for _ in range(steps):
        g, loss = w, w * w / 2
        if g * g_before > 0:
            size = min(1.2 * size, largest)
            change = -np.sign(g) * size
            w += change
            happened.add("largest" if size == largest else "grown")
        elif g * g_before < 0:
            size = max(0.5 * size, smallest)
            happened.add("shrunk")
            if loss > loss_before:
                w -= change
                happened.add("taken back")
            g = 0.0
        else:
            change = -np.sign(g) * size
            w += change
        g_before, loss_before = g, loss
    return w, happened


@pytest.mark.parametrize("start", [1.0, 0.3, -7.0])
def test_rprop_follows_the_paper(backend: Any, start: float) -> None:
    everything = set()
    for steps in range(1, 40):
        w, happened = igel_and_huesken(start, steps, 0.25, 0.9, 1e-6)
        everything |= happened
        optimizer = Rprop(0.25, smallest=1e-6, largest=0.9)
        assert weight_after(backend, optimizer, steps, start) == pytest.approx(w, rel=1e-12, abs=1e-14)
    assert {"grown", "shrunk"} < everything
    assert start == 0.3 or "taken back" in everything


def test_rprop_goes_on_from_run_to_run(backend: Any) -> None:
    whole, parts = backend([3, 4, 2], random_state=0), backend([3, 4, 2], random_state=0)
    X, Y = np.random.default_rng(0).standard_normal((2, 10, 3))
    optimizers = Rprop(0.5), Rprop(0.5)
    whole.train(X, Y[:, :2], epochs=20, optimizer=optimizers[0])
    for _ in range(20):
        parts.train(X, Y[:, :2], epochs=1, optimizer=optimizers[1])
    assert np.array_equal(whole.parameters, parts.parameters)
    assert optimizers[0] == optimizers[1]


def test_rprop_needs_all_rows(backend: Any) -> None:
    net, optimizer = backend([1, 1]), Rprop()
    before = net.parameters.copy()
    with pytest.raises(ValueError, match=r"Rprop compares gradients of all samples.*batch_size=None, and not 2 of 3"):
        net.train(np.ones((3, 1)), np.ones((3, 1)), epochs=1, batch_size=2, optimizer=optimizer)
    assert np.array_equal(net.parameters, before)
    net.train(np.ones((3, 1)), np.ones((3, 1)), epochs=1, batch_size=10, optimizer=optimizer)
    net.train(np.ones((1, 1)), np.ones((1, 1)), epochs=1, batch_size=1, optimizer=optimizer)
    assert optimizer.steps == 2


# Sizes and batch size: columns, one and a few samples with a layer of one neuron inside, rows, groups of rows.
STEPS = {
    "columns": ([5, 9, 3], 20),
    "few: one row": ([5, 9, 1, 3], 1),
    "few: six rows": ([5, 18, 1, 3], 6),
    "rows": ([5, 70, 1, 3], 20),
    "groups": ([5, 70, 3], 200),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_core_and_the_reference_agree(
    simd: str, kind: type[Optimizer], steps: str, dtype: str, rng: np.random.Generator
) -> None:
    sizes, batch_size = STEPS[steps]
    X, Y = rng.standard_normal((200, 5)), rng.standard_normal((200, 3))
    ends = []
    for network in (fastmlp.Network, fastmlp.reference.Network):
        net = network(sizes, dtype=dtype, random_state=0)
        net.train(
            X,
            Y,
            epochs=5 if kind.FULL_BATCH else 2,
            batch_size=None if kind.FULL_BATCH else batch_size,
            optimizer=kind(learning_rate=0.001),
            random_state=0,
        )
        ends.append(net.parameters)
    assert relative_error(*ends) <= {"float32": 1e-3 if kind is Lion else 1e-4, "float64": 1e-10}[dtype]


@pytest.mark.parametrize("optimizer", [SGD(0.01, momentum=0.9), Adam()])
def test_calls_of_one_step_give_the_bits_of_one_call(simd: str, optimizer: Any, rng: np.random.Generator) -> None:
    # Slots of some size stay where they are in a run of a step, and are copied for a long one.
    X, Y = (rng.standard_normal((16, n), np.float32) for n in (20, 3))
    runs = []
    for calls in (6, 1):
        net, rule = fastmlp.Network([20, 800, 790, 3], "relu", random_state=0), copy.deepcopy(optimizer)
        for _ in range(calls):
            net.train(X, Y, epochs=6 // calls, optimizer=rule)
        runs.append((net.parameters, *rule.slots))
    for one, other in zip(*runs, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_stands_still_where_squares_overflow(backend: Any, dtype: str) -> None:
    largest = float(np.finfo(dtype).max)
    error = 0.1 * np.sqrt(largest)  # whose square is finite, and that of error * x is not
    for x in (1e4, 0.1 * largest / error):
        net = backend.from_parameters([[[error / x]]], dtype=dtype)
        net.train([[x]], [[0.0]], epochs=1, optimizer=Adam(0.1))
        assert net.weights[0][0, 0] == np.dtype(dtype).type(error / x)


def test_defaults_are_those_of_the_literature() -> None:
    assert repr(Adam()) == "Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08)"
    assert repr(SGD()) == "SGD(learning_rate=0.01, momentum=0.0, nesterov=False, normalized=False)"
    assert repr(AdamW()) == "AdamW(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08, weight_decay=0.01)"
    assert repr(NAdam()) == "NAdam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08)"
    assert repr(RMSprop()) == "RMSprop(learning_rate=0.001, rho=0.9, epsilon=1e-08)"
    assert repr(Adagrad()) == "Adagrad(learning_rate=0.01, epsilon=1e-10)"
    assert repr(Lion()) == "Lion(learning_rate=0.0001, beta_1=0.9, beta_2=0.99)"
    assert repr(Rprop()) == "Rprop(learning_rate=0.0125, decrease=0.5, increase=1.2, smallest=0.0, largest=50.0)"


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
    (lambda: Adagrad(epsilon=0), ValueError, "epsilon must lie in"),
    (lambda: RMSprop(rho=1), ValueError, "rho must lie in"),
    (lambda: NAdam(beta_1=1), ValueError, "beta_1 must lie in"),
    (lambda: Lion(beta_2=1), ValueError, "beta_2 must lie in"),
    (lambda: Rprop(decrease=1), ValueError, "decrease must lie in"),
    (lambda: Rprop(increase=1), ValueError, "increase must lie in"),
    (lambda: Rprop(largest=0.01), ValueError, "must lie between smallest=0.0 and largest=0.01"),
    (lambda: SGD(0.1, 0.0, False, False, 0.1), TypeError, "positional"),
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
    lambda o: o.slots.append(np.ones(13)),
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
