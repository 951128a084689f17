"""Penalties and limits: by hand, with the same meaning for any batch and rule, and in every kind of steps."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from conftest import randomize_biases, relative_error

import fastmlp
from fastmlp import reference
from fastmlp.reference.arrays import Array
from fastmlp.reference.optimizers import OPTIMIZERS, RULES, SGD, Adam, AdamW, Lion, Optimizer, Rprop


def neuron(
    backend: Any, weights: list[float], bias: float, optimizer: Optimizer, epochs: int = 1, x: float = 1.0
) -> Any:
    """Train a linear neuron with the target 0, and return its weights and bias."""
    net = backend.from_parameters([np.reshape(weights, (-1, 1))], [[bias]], dtype="float64")
    net.train(np.full((1, len(weights)), x), [[0.0]], epochs=epochs, optimizer=optimizer)
    return net.weights[0][:, 0], net.biases[0][0]


def test_penalties_are_terms_of_the_gradient(backend: Any) -> None:
    # Inputs of 0: the weights' gradient is the penalties' alone, and the bias' is the bias.
    weights, bias = neuron(backend, [2.0, -3.0, 0.0], 1.0, SGD(0.1, l1=0.5, l2=0.2), x=0.0)
    assert weights == pytest.approx([2 - 0.1 * (0.5 + 0.4), -3 + 0.1 * (0.5 + 0.6), 0.0], rel=1e-14)
    assert bias == pytest.approx(0.9, rel=1e-14)
    weights, bias = neuron(backend, [2.0], 1.0, SGD(0.1, l1=0.5, l2=0.2, decay_biases=True), x=0.0)
    assert bias == pytest.approx(1 - 0.1 * (1 + 0.5 + 0.2), rel=1e-14)


def test_the_penalised_mean_loss_is_what_is_minimised(backend: Any, rng: np.random.Generator) -> None:
    # Ridge regression: mean of (x w - y)^2 / 2, and l2 / 2 w^2, whatever the batch size.
    X = rng.standard_normal((40, 3))
    Y = X @ np.array([[1.0], [2.0], [3.0]])
    expected = np.linalg.solve(X.T @ X / 40 + 0.5 * np.eye(3), X.T @ Y / 40)
    net = backend([3, 1], bias=False, dtype="float64", random_state=0)
    net.train(X, Y, epochs=500, optimizer=SGD(0.3, l2=0.5))
    assert net.weights[0] == pytest.approx(expected, rel=1e-10)
    two = np.tile(X, (2, 1)), np.tile(Y, (2, 1))
    net.train(*two, epochs=100, batch_size=40, shuffle=False, optimizer=SGD(0.3, l2=0.5))
    assert net.weights[0] == pytest.approx(expected, rel=1e-10)


def test_decay_is_apart_from_the_gradient(backend: Any) -> None:
    # Adam's first step has the size of the learning rate whatever the gradient, and decay comes before it.
    weights, bias = neuron(backend, [2.0], 1.0, AdamW(0.1, weight_decay=0.5))
    assert weights[0] == pytest.approx(2 * (1 - 0.1 * 0.5) - 0.1, rel=1e-6)
    assert bias == pytest.approx(1 - 0.1, rel=1e-6)
    weights, bias = neuron(backend, [2.0], 1.0, AdamW(0.1, weight_decay=0.5, decay_biases=True))
    assert bias == pytest.approx(0.95 - 0.1, rel=1e-6)
    weights, _ = neuron(backend, [2.0], 0.0, Lion(0.1, weight_decay=0.5))
    assert weights[0] == pytest.approx(2 * 0.95 - 0.1, rel=1e-12)


def test_clipping_by_value(backend: Any) -> None:
    # The gradients are x * (sum) = 6 and, of the bias, 6.
    weights, bias = neuron(backend, [2.0, 3.0], 1.0, SGD(0.1, clip_value=0.5))
    assert [*weights, bias] == pytest.approx([1.95, 2.95, 0.95], rel=1e-14)
    weights, bias = neuron(backend, [0.1, 0.1], 0.1, SGD(0.1, clip_value=0.5))
    assert [*weights, bias] == pytest.approx([0.07, 0.07, 0.07], rel=1e-14)


def test_clipping_by_norm_keeps_the_direction(backend: Any) -> None:
    weights, bias = neuron(backend, [2.0, 3.0], 1.0, SGD(0.1, clip_norm=0.5))
    step = 0.1 * 0.5 / np.sqrt(3)
    assert [*weights, bias] == pytest.approx([2 - step, 3 - step, 1 - step], rel=1e-14)
    weights, bias = neuron(backend, [0.1, 0.1], 0.1, SGD(0.1, clip_norm=0.6))
    assert [*weights, bias] == pytest.approx([0.07, 0.07, 0.07], rel=1e-14)


def test_clipping_counts_what_penalties_add(backend: Any) -> None:
    weights, _ = neuron(backend, [2.0], 0.0, SGD(0.1, l2=100.0, clip_value=1.0), x=0.0)
    assert weights[0] == pytest.approx(1.9, rel=1e-14)
    weights, _ = neuron(backend, [2.0], 0.0, SGD(0.1, l2=100.0, clip_norm=1.0), x=0.0)
    assert weights[0] == pytest.approx(1.9, rel=1e-14)
    weights, _ = neuron(backend, [2.0], 0.0, SGD(0.1, normalized=True, l2=100.0), x=0.0)
    assert weights[0] == pytest.approx(1.9, rel=1e-14)


def test_the_norms_of_neurons_are_limited_each_for_itself(backend: Any) -> None:
    net = backend.from_parameters([[[3.0, 0.3], [4.0, 0.4]]], [[9.0, 9.0]], dtype="float64")
    net.train([[0.0, 0.0]], [[9.0, 9.0]], epochs=1, optimizer=SGD(0.1, max_norm=2.0))
    assert net.weights[0] == pytest.approx(np.array([[1.2, 0.3], [1.6, 0.4]]), rel=1e-14)
    assert np.array_equal(net.biases[0], [9.0, 9.0])


SMALL: list[tuple[str, dict[str, Any]]] = [
    ("l1", {"l1": 0.01}),
    ("l2", {"l2": 0.1}),
    ("decay", {"weight_decay": 0.5}),
    ("biases", {"l1": 0.01, "l2": 0.1, "weight_decay": 0.5, "decay_biases": True}),
    ("value", {"l2": 0.1, "clip_value": 0.01}),
    ("norm", {"l1": 0.01, "clip_norm": 0.1}),
    ("max_norm", {"max_norm": 0.4}),
    ("all", {"l1": 0.01, "l2": 0.1, "weight_decay": 0.5, "clip_norm": 0.1, "max_norm": 0.4}),
]

# Sizes, rows and batch size of each kind of steps that the core has for them.
KINDS = {
    "columns of one row": ([5, 6, 1, 3], 9, 1),
    "columns": ([3, 5, 1, 2], 60, 20),
    "columns in blocks": ([1, 2, 1], 700, 301),
    "rows of one row": ([70, 33, 3], 5, 1),
    "rows": ([70, 33, 1, 3], 41, 20),
    "rows, one output": ([70, 40, 1], 41, 20),
    "rows in blocks": ([300, 250, 10], 600, 550),
    "rows in several items": ([700, 600, 2], 550, 550),
    "groups of rows": ([70, 33, 3], 300, 200),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "extras"), SMALL)
def test_every_kind_of_steps(
    name: str, extras: dict[str, Any], kind: str, bias: bool, rng: np.random.Generator
) -> None:
    sizes, n, batch_size = KINDS[kind]
    X, Y = rng.standard_normal((n, sizes[0])), rng.standard_normal((n, sizes[-1]))
    nets: list[Any] = []
    for network in (fastmlp.Network, reference.Network):
        net = network(sizes, bias=bias, dtype="float64", random_state=3)
        randomize_biases(net, np.random.default_rng(4))
        if network is fastmlp.Network:
            assert net._core.kind_of_steps(batch_size, True) in kind.split(" of ")[0].split(",")[0]
        net.train(X, Y, epochs=2, batch_size=batch_size, optimizer=SGD(0.05, momentum=0.5, **extras), random_state=6)
        nets.append(net)
    assert relative_error(nets[0].parameters, nets[1].parameters) <= 1e-11


RATES = {"sgd": 0.01, "momentum": 0.01, "nesterov": 0.01, "rprop": 0.001}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "extras"), SMALL)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule(
    simd: str, rule: str, name: str, extras: dict[str, Any], dtype: str, rng: np.random.Generator
) -> None:
    X, Y = rng.standard_normal((60, 5)), rng.standard_normal((60, 3))
    whole = RULES[rule].FULL_BATCH
    if whole:
        extras = {key: value for key, value in extras.items() if key != "weight_decay"}
        if extras == {}:
            pytest.skip("this rule has no decoupled decay")
    ends = []
    for network in (fastmlp.Network, reference.Network):
        optimizer = copy.deepcopy(RULES[rule])
        optimizer.learning_rate = RATES.get(rule, 0.001)
        for key, value in extras.items():
            setattr(optimizer, key, value)
        net = network([5, 9, 3], dtype=dtype, random_state=3)
        net.train(X, Y, epochs=3, batch_size=None if whole else 16, optimizer=optimizer, random_state=6)
        ends.append(net.parameters)
    assert relative_error(*ends) <= {"float32": 1e-4, "float64": 1e-11}[dtype]


@pytest.mark.parametrize("kind", ["rows", "rows in several items", "groups of rows", "columns in blocks"])
def test_threads_do_not_change_a_bit(kind: str, rng: np.random.Generator) -> None:
    sizes, n, batch_size = KINDS[kind]
    X, Y = (rng.standard_normal((n, m)).astype("float32") for m in (sizes[0], sizes[-1]))
    ends = []
    for n_threads in (1, 2, 3):
        net = fastmlp.Network(sizes, random_state=3)
        optimizer = Adam(l1=1e-3, l2=1e-2, weight_decay=0.1, clip_norm=0.1, max_norm=0.5)
        net.train(X, Y, epochs=4, batch_size=batch_size, optimizer=optimizer, random_state=6, n_threads=n_threads)
        ends.append(net.parameters.tobytes())
    assert len(set(ends)) == 1


def test_plain_calls_have_penalties_too(rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    nets = [fastmlp.Network([3, 4, 2], dtype="float64", random_state=0) for _ in range(2)]
    optimizers = [Adam(0.01, l2=0.1, clip_norm=0.5, max_norm=1.0) for _ in range(2)]
    for _ in range(3):
        nets[0].train(X, Y, epochs=1, optimizer=optimizers[0])
    nets[1].train(X, Y, epochs=3, optimizer=optimizers[1])
    assert np.array_equal(nets[0].parameters, nets[1].parameters)
    optimizers[0].l2 = 0.0
    optimizers[1].l2 = 0.0
    nets[0].train(X, Y, epochs=1, optimizer=optimizers[0])
    nets[1].train(X, Y, epochs=1, optimizer=optimizers[1], sample_weight=np.ones(20))
    assert np.array_equal(nets[0].parameters, nets[1].parameters)


def test_a_penalty_changed_by_a_callback_counts_from_the_next_epoch(backend: Any) -> None:
    class Stronger:
        def on_epoch_end(self, state: Any) -> None:
            optimizer.l2 = 0.5

    optimizer = SGD(0.1, l2=0.2)
    net = backend.from_parameters([[[1.0]]], dtype="float64")
    net.train([[0.0]], [[0.0]], epochs=3, optimizer=optimizer, callbacks=[Stronger()])
    assert net.weights[0][0, 0] == pytest.approx((1 - 0.02) * (1 - 0.05) ** 2, rel=1e-14)


@pytest.mark.parametrize(("name", "value"), [("l2", 0.1), ("clip_norm", 1.0), ("schedule", lambda epoch: 1.0)])
def test_a_callback_may_not_turn_one_on(backend: Any, name: str, value: Any) -> None:
    class Meddler:
        def on_epoch_end(self, state: Any) -> None:
            setattr(optimizer, name, value)

    optimizer = SGD(0.1)
    with pytest.raises(RuntimeError, match="turned a penalty, a limit or a schedule on or off"):
        backend([1, 1]).train([[0.0]], [[0.0]], epochs=3, optimizer=optimizer, callbacks=[Meddler()])


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"l1": -1}, ValueError, r"l1 must lie in \[0, inf\), not -1"),
    ({"l2": float("inf")}, ValueError, "l2 must lie in"),
    ({"l2": "much"}, TypeError, "l2 must be a number, not 'much'"),
    ({"weight_decay": -0.1}, ValueError, "weight_decay must lie in"),
    ({"decay_biases": 1}, TypeError, "decay_biases must be True or False"),
    ({"decay_biases": True}, ValueError, "needs an l1, l2 or weight_decay above 0"),
    ({"clip_value": 0}, ValueError, r"clip_value must lie in \(0, inf\)"),
    ({"clip_norm": True}, TypeError, "clip_norm must be a number"),
    ({"max_norm": -1}, ValueError, "max_norm must lie in"),
    ({"clip_value": 1, "clip_norm": 1}, ValueError, "both set: choose one"),
]


@pytest.mark.parametrize(("extras", "error", "message"), BAD)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_bad_extras(kind: type[Optimizer], extras: dict[str, Any], error: type[Exception], message: str) -> None:
    if kind is AdamW and extras.get("decay_biases") is True:
        AdamW(**extras)
        return
    with pytest.raises(error, match=message):
        kind(**extras)


def test_what_makes_no_sense_together() -> None:
    with pytest.raises(ValueError, match="no use with normalized=True"):
        SGD(normalized=True, clip_norm=1.0)
    with pytest.raises(ValueError, match="Rprop has no use for weight_decay"):
        Rprop(weight_decay=0.1)


def test_extras_are_shown_where_they_are_set() -> None:
    assert repr(Adam(l2=0.5, max_norm=2)) == (
        "Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08, l2=0.5, max_norm=2)"
    )
    assert repr(AdamW(0.1, weight_decay=0)).endswith("weight_decay=0)")
    for optimizer in RULES.values():
        assert "l2" not in repr(optimizer)


def norms(W: Array) -> Array:
    return np.sqrt(np.square(W, dtype=np.float64).sum(axis=0))


@pytest.mark.parametrize("sizes", [[3, 4, 1], [70, 33, 1]])
def test_norms_stay_limited(backend: Any, sizes: list[int], rng: np.random.Generator) -> None:
    net = backend(sizes, random_state=0)
    X, Y = rng.standard_normal((40, sizes[0])), 10 * rng.standard_normal((40, 1))
    net.train(X, Y, epochs=3, batch_size=10, optimizer=SGD(0.5, max_norm=0.7), random_state=0)
    assert all(norms(W).max() <= 0.7 * (1 + 1e-6) for W in net.weights)
    assert max(norms(W).max() for W in net.weights) == pytest.approx(0.7, rel=1e-6)
