"""The compiled core and the NumPy reference agree: gradients, traces, initial weights, shuffles, whole runs.

What the reference gives is computed once, and compared with what every instruction set gives.
"""

from __future__ import annotations

import copy
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from conftest import LOSS_CASES, randomize_biases, relative_error, targets_for

import fastmlp
from fastmlp import _core, reference
from fastmlp.data import load_digits
from fastmlp.reference.activations import ACTIVATIONS, LINKS
from fastmlp.reference.arrays import Array
from fastmlp.reference.batches import permutation
from fastmlp.reference.losses import LOSSES
from fastmlp.reference.optimizers import RULES, SGD, Adam, Optimizer

DEPTHS = {
    0: [5, 3],
    1: [5, 16, 3],
    2: [5, 33, 1, 3],
    3: [5, 7, 12, 31, 3],
    4: [5, 64, 3, 2, 40, 3],
    5: [5, 9, 15, 17, 8, 32, 3],
}
GRADIENT_TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
TRAINING_TOLERANCE = {"float64": 1e-10, "float32": 1e-4}

# Steps small enough that a rounding error is not what decides where a run goes.
GENTLE: dict[str, Optimizer] = {
    "sgd": SGD(learning_rate=0.01),
    "momentum": SGD(learning_rate=0.001, momentum=0.9),
    "nesterov": SGD(learning_rate=0.001, momentum=0.9, nesterov=True),
    "normalized": SGD(learning_rate=0.001, normalized=True),
    "adam": Adam(learning_rate=0.001),
}


def make(network: Any, sizes: list[int], activation: str, bias: bool, dtype: str) -> Any:
    """Return one of two networks that have the same parameters."""
    net = network(sizes, activation, activation, bias, dtype=dtype, random_state=3)
    randomize_biases(net, np.random.default_rng(4))
    if activation == "exp":  # towers of it leave all bounds
        net.parameters[:] *= 0.3
    return net


def samples(n: int, n_in: int, n_out: int) -> tuple[Array, Array, Array]:
    """Return inputs, targets and weights."""
    rng = np.random.default_rng(20)
    return rng.standard_normal((n, n_in)), rng.standard_normal((n, n_out)), rng.uniform(0.1, 1, n)


def test_both_know_the_same_operations() -> None:
    assert _core.activations() == list(ACTIVATIONS)
    assert [loss for loss in _core.losses() if not loss.startswith("_")] == list(LOSSES)
    assert _core.links() == list(LINKS)
    assert _core.rules() == {name: (list(rule.HYPERPARAMETERS), list(rule.slot_names)) for name, rule in RULES.items()}


def test_initial_weights_are_the_same() -> None:
    core, twin = (network([4, 9, 2], random_state=7) for network in (fastmlp.Network, reference.Network))
    assert np.array_equal(core.parameters, twin.parameters)


ROWS = (1, 2, 37, 600)


@cache
def expected_gradients(activation: str, depth: int, bias: bool, dtype: str) -> list[Any]:
    net = make(reference.Network, DEPTHS[depth], activation, bias, dtype)
    return [net.gradients(X, Y, sample_weight=weight) for X, Y, weight in (samples(n, 5, 3) for n in ROWS)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.3)", "elu(2)"])
def test_gradients(simd: str, activation: str, depth: int, bias: bool, dtype: str) -> None:
    core = make(fastmlp.Network, DEPTHS[depth], activation, bias, dtype)
    for n, b in zip(ROWS, expected_gradients(activation, depth, bias, dtype), strict=True):
        X, Y, weight = samples(n, 5, 3)
        a = core.gradients(X, Y, sample_weight=weight)
        # A slope of 0.01 adds up numbers a hundred times apart.
        tolerance = GRADIENT_TOLERANCE[dtype] * (3 if activation == "leaky_relu" else 1)
        assert a.loss == pytest.approx(b.loss, rel=tolerance)
        assert core.loss(X, Y, sample_weight=weight) == pytest.approx(a.loss, rel=tolerance)
        assert len(a.weights) == len(b.weights) == depth + 1
        assert len(a.biases) == len(b.biases) == (depth + 1 if bias else 0)
        for g, h in zip(a.weights + a.biases, b.weights + b.biases, strict=True):
            assert g.shape == h.shape
            assert relative_error(g, h) <= tolerance


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_traces(simd: str, dtype: str, rng: np.random.Generator) -> None:
    core, twin = (make(network, [5, 17, 8, 3], "tanh", True, dtype) for network in (fastmlp.Network, reference.Network))
    X, Y = rng.standard_normal((300, 5)), rng.standard_normal((300, 3))
    a, b = core.trace(X, Y), twin.trace(X, Y)
    assert pytest.approx(b.J, rel=1e-6) == a.J
    for name in ("Z", "A", "delta", "dW", "db"):
        layers = list(zip(getattr(a, name), getattr(b, name), strict=True))
        assert len(layers) == 4
        for g, h in layers:
            assert (g is None) == (h is None)
            assert g is None or relative_error(g, h) <= GRADIENT_TOLERANCE[dtype]


def with_loss(network: Any, case: str, sizes: tuple[int, ...], n_targets: int, dtype: str, n: int) -> tuple[Any, ...]:
    """Return a network with the outputs that a loss needs, inputs, targets, the loss, and weights."""
    loss, output_activation, outputs = LOSS_CASES[case]
    net = network([*sizes, n_targets * outputs], "tanh", output_activation, dtype=dtype, random_state=3)
    rng = np.random.default_rng(20)
    X, Y = rng.standard_normal((n, sizes[0])), targets_for(output_activation, n, n_targets, rng)
    return net, X, Y, loss, rng.uniform(0.1, 1, n)


@cache
def expected_of_a_loss(case: str, n_targets: int, dtype: str) -> tuple[Any, ...]:
    net, X, Y, loss, weight = with_loss(reference.Network, case, (5, 9), n_targets, dtype, 37)
    return net.gradients(X, Y, loss, weight), net.predict(X), net.trace(X, Y, loss)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", LOSS_CASES)
def test_losses(simd: str, case: str, dtype: str) -> None:
    for n_targets in (2, 5, 17):
        core, X, Y, loss, weight = with_loss(fastmlp.Network, case, (5, 9), n_targets, dtype, 37)
        b, Y_hat, d = expected_of_a_loss(case, n_targets, dtype)
        tolerance = GRADIENT_TOLERANCE[dtype]
        a, c = core.gradients(X, Y, loss, weight), core.trace(X, Y, loss)
        assert a.loss == pytest.approx(b.loss, rel=tolerance)
        assert core.loss(X, Y, loss, weight) == pytest.approx(a.loss, rel=tolerance)
        for g, h in zip(a.weights + a.biases, b.weights + b.biases, strict=True):
            assert relative_error(g, h) <= tolerance
        assert relative_error(core.predict(X), Y_hat) <= tolerance
        for name in ("Z", "A", "delta"):
            for g, h in zip(getattr(c, name)[1:], getattr(d, name)[1:], strict=True):
                assert relative_error(g, h) <= tolerance


# Sizes before the outputs, rows and batch size: each kind of steps has losses of its own.
LOSSES_BY_KIND = {
    "few: one row": ((5, 9), 50, 1),
    "few: five rows": ((20, 18), 38, 5),
    "columns": ((2, 2), 60, 40),
    "rows": ((70, 33), 41, 20),
}


def trained_with_loss(network: Any, case: str, kind: str, n_targets: int) -> tuple[Any, Any]:
    """Return a network, trained for two epochs, and the history."""
    sizes, n, batch_size = LOSSES_BY_KIND[kind]
    net, X, Y, loss, weight = with_loss(network, case, sizes, n_targets, "float64", n)
    history = net.train(
        X,
        Y,
        epochs=2,
        batch_size=batch_size,
        optimizer=SGD(0.01),
        loss=loss,
        sample_weight=weight,
        validation_data=(X[:9], Y[:9]),
        random_state=6,
    )
    return net, history


expected_with_loss = cache(partial(trained_with_loss, reference.Network))


@pytest.mark.parametrize("kind", LOSSES_BY_KIND)
@pytest.mark.parametrize("case", LOSS_CASES)
def test_training_with_losses(simd: str, case: str, kind: str) -> None:
    for n_targets in (2, 3):
        core, history = trained_with_loss(fastmlp.Network, case, kind, n_targets)
        if kind != "columns" or simd == "v4":  # short vectors have less to gain from columns
            assert core._core.kind_of_steps(LOSSES_BY_KIND[kind][2], False) == kind.split(":")[0]
        twin, expected = expected_with_loss(case, kind, n_targets)
        assert relative_error(core.parameters, twin.parameters) <= TRAINING_TOLERANCE["float64"]
        assert history.loss == pytest.approx(expected.loss, rel=1e-10)
        assert history.validation_loss == pytest.approx(expected.validation_loss, rel=1e-10)


@pytest.mark.parametrize("bit_generator", ["PCG64", "MT19937", "Philox", "SFC64"])
def test_shuffles_are_the_same(bit_generator: str) -> None:
    # One epoch of single-row steps on a linear neuron: its end depends on the order of the rows.
    n = 50
    X = np.ones((n, 1))
    Y = np.arange(n, dtype=float)
    ends = []
    for network in (fastmlp.Network, reference.Network):
        rng = np.random.Generator(getattr(np.random, bit_generator)(5))
        net = network([1, 1], dtype="float64", init="zeros")
        net.train(X, Y, epochs=3, batch_size=1, optimizer=SGD(learning_rate=0.4), random_state=rng)
        ends.append((net.parameters.copy(), rng.random()))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-12)
    assert ends[0][1] == ends[1][1]  # both generators stand where the other stands


def test_permutation_is_one(rng: np.random.Generator) -> None:
    for n in (0, 1, 2, 100):
        assert sorted(permutation(n, rng)) == list(range(n))
    assert np.mean([permutation(10, rng)[0] for _ in range(2000)]) == pytest.approx(4.5, abs=0.3)


def trained(
    network: Any,
    sizes: tuple[int, ...],
    activation: str,
    bias: bool,
    dtype: str,
    rule: str,
    n: int,
    batch_size: int | None,
    epochs: int,
    validates: bool,
) -> tuple[Any, Any]:
    """Return a network, trained on n samples, and the history."""
    net = make(network, list(sizes), activation, bias, dtype)
    X, Y, weight = samples(n, sizes[0], sizes[-1])
    history = net.train(
        X,
        Y,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=copy.deepcopy(GENTLE[rule]),
        sample_weight=weight,
        validation_data=(X[:9], Y[:9]) if validates else None,
        random_state=6,
    )
    return net, history


expected_run = cache(partial(trained, reference.Network))


@pytest.mark.parametrize("batch_size", [None, 1, 10, 103, 1000])
@pytest.mark.parametrize("rule", GENTLE)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_fifty_epochs(simd: str, dtype: str, rule: str, batch_size: int | None) -> None:
    n = 31 if batch_size == 1 else 103  # 1,550 steps are enough to drift apart in
    for activation in ("linear", "sigmoid", "relu", "tanh"):
        arguments = ((5, 11, 7, 3), activation, True, dtype, rule, n, batch_size, 50, True)
        core, history = trained(fastmlp.Network, *arguments)
        twin, expected = expected_run(*arguments)
        tolerance = TRAINING_TOLERANCE[dtype]
        for a, b in zip(core.weights + core.biases, twin.weights + twin.biases, strict=True):
            assert relative_error(a, b) <= tolerance
        assert history.loss == pytest.approx(expected.loss, rel=tolerance)
        assert history.validation_loss == pytest.approx(expected.validation_loss, rel=tolerance)


@cache
def trained_on_digits(network: Any, simd: str) -> Array:
    """Return the parameters of a network after three epochs of digits."""
    X, labels = load_digits()
    net = network([64, 32, 10], "relu", dtype="float64", random_state=0)
    net.train(X, np.eye(10)[labels], epochs=3, batch_size=32, optimizer=Adam(), random_state=0)
    parameters: Array = net.parameters
    return parameters


def test_real_data(simd: str) -> None:
    expected = trained_on_digits(reference.Network, "any")
    assert relative_error(trained_on_digits(fastmlp.Network, simd), expected) <= 1e-10


# Sizes, rows and batch size: the core does batches of a few rows, of narrow layers and of wide layers in different
# ways, which the first word names, and cuts large batches into blocks. Widths shortly behind a multiple of a vector's
# have neurons that lie across.
KINDS_OF_STEPS = {
    "few: one row, one weight": ([1, 1], 1, 1),
    "few: one row": ([5, 1], 9, 1),
    "few: one row, a layer of one neuron inside": ([4, 9, 1, 3], 50, 1),
    "few: one row, wide layers": ([33, 70, 17, 50, 2], 60, 1),
    "few: one row, more than a chunk": ([2, 3, 1], 4200, 1),
    "few: one row, rows of a page": ([5, 512, 3], 20, 1),
    "few: one row, rows of a page in float32": ([5, 1024, 3], 20, 1),
    "few: one row, rows of nearly a page": ([5, 510, 510, 3], 20, 1),
    "few: one row, rows of nearly a page, one input": ([1, 505, 1], 20, 1),
    "few: two rows, a neuron less than a page": ([3, 511, 2], 20, 2),
    "few: two rows": ([50, 50], 4, 2),
    "few: two rows, and one": ([52, 18, 17, 2], 9, 2),
    "few: three rows, a layer of one neuron inside": ([52, 19, 1, 18, 3], 20, 3),
    "few: five rows, wide layers": ([33, 66, 17, 35, 67, 2], 23, 5),
    "few: six rows, more than a chunk": ([40, 70, 1], 1500, 6),
    "few: eight rows, one output": ([60, 34, 18, 1], 50, 8),
    "columns, a few rows": ([2, 2, 2, 2, 2, 2], 30, 12),
    "columns, several blocks": ([1, 2, 1], 1500, 1300),
    "columns, more blocks than sums": ([1, 2, 1], 6000, 5500),
    "columns, a power of two": ([1, 2, 1], 600, 512),
    "columns, halves of a batch": ([1, 2, 1], 700, 301),
    "columns, groups or rows, by the width of vectors": ([3, 9, 5, 1], 1500, 1300),
    "rows, last batch of one": ([70, 33, 3], 41, 20),
    "rows, several blocks": ([300, 250, 10], 600, 550),
    "rows, a few rows": ([200, 160, 10], 24, 8),
    "rows, one output": ([70, 33, 1], 90, 40),
    "rows, a layer of one neuron inside": ([70, 9, 1, 3], 90, 40),
    "rows, layers of one neuron": ([70, 1, 1], 90, 40),
    "rows, one neuron": ([70, 1], 90, 40),
    "rows, a step an epoch and slots where they lie": ([40, 560, 528, 10], 32, 32),
    "groups of rows": ([70, 33, 3], 300, 200),
    "groups of rows, several blocks": ([100, 65, 10], 3500, 3300),
    "groups of rows, one output": ([70, 33, 1], 300, 200),
}


@pytest.mark.parametrize(
    ("activation", "bias"),
    [("tanh", True), ("tanh", False), ("relu", True), ("silu", True), ("leaky_relu(0.2)", True)],
)
@pytest.mark.parametrize("kind", KINDS_OF_STEPS)
def test_every_kind_of_step(simd: str, kind: str, bias: bool, activation: str) -> None:
    sizes, n, batch_size = KINDS_OF_STEPS[kind]
    for rule in ("sgd", "adam", "normalized") if activation == "tanh" else ("adam",):
        epochs = 1 if n > 4000 else 2
        arguments = (tuple(sizes), activation, bias, "float64", rule, n, batch_size, epochs, False)
        core, history = trained(fastmlp.Network, *arguments)
        assert core._core.kind_of_steps(batch_size, False) in kind.split(" of ")[0].split(":")[0]
        twin, expected = expected_run(*arguments)
        assert relative_error(core.parameters, twin.parameters) <= TRAINING_TOLERANCE["float64"]
        assert history.loss == pytest.approx(expected.loss, rel=1e-10)


@pytest.mark.parametrize("loss", ["poisson", "gamma", "squared_error"])
@pytest.mark.parametrize("batch_size", [3, 5, 33])
def test_padding_gives_numbers_where_samples_do(simd: str, batch_size: int, loss: str) -> None:
    # An input of 1, or a target of 0, would overflow: what lies behind the last sample of a vector must not count.
    X, Y = np.arange(1990.0, 2023.0).reshape(-1, 1), np.ones((33, 1))
    ends = []
    for network in (fastmlp.Network, reference.Network):
        net = network.from_parameters([[[-0.05]]], [[101.0]], output_activation="exp", dtype="float32")
        net.train(X, Y, epochs=2, batch_size=batch_size, loss=loss, optimizer=SGD(1e-9), random_state=0)
        ends.append(net.parameters)
    assert relative_error(*ends) <= TRAINING_TOLERANCE["float32"]
