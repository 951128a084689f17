"""Dropout: the same in both networks, for any number of threads, and right on average."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import relative_error

import fastmlp
from fastmlp import reference
from fastmlp.reference.arrays import Array
from fastmlp.reference.dropout import Dropout, check_rates
from fastmlp.reference.losses import SquaredError


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.standard_normal((300, 6)), rng.standard_normal((300, 2))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize(
    ("sizes", "batch_size", "n", "rates"),
    [
        ([6, 20, 9, 2], None, 300, 0.3),
        ([6, 20, 9, 2], 33, 300, [0.0, 0.5]),
        ([6, 5, 1, 2], 1, 40, 0.3),
        ([6, 3, 1], 8, 100, [0.2]),
        ([6, 70, 33, 2], 200, 300, 0.1),
    ],
)
def test_both_networks_drop_the_same(
    simd: str,
    sizes: list[int],
    batch_size: int | None,
    n: int,
    rates: Any,
    activation: str,
    dtype: str,
    data: tuple[Array, Array],
) -> None:
    X, Y = data[0][:n], data[1][:n, : sizes[-1]]
    nets, losses = [], []
    for network in (fastmlp.Network, reference.Network):
        net = network(sizes, activation, dtype=dtype, random_state=0)
        history = net.train(
            X,
            Y,
            epochs=2,
            batch_size=batch_size,
            optimizer=fastmlp.SGD(0.01, momentum=0.9),
            dropout=rates,
            random_state=5,
        )
        nets.append(net)
        losses.append(history.loss)
    tolerance = {"float64": 1e-10, "float32": 1e-4}[dtype]
    assert relative_error(nets[0].parameters, nets[1].parameters) <= tolerance
    assert losses[0] == pytest.approx(losses[1], rel=tolerance)


def test_any_number_of_threads_drops_the_same(simd: str, rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((3000, 64)), rng.standard_normal((3000, 4))
    ends = []
    for n_threads in (1, 2, 3, 8):
        net = fastmlp.Network([64, 200, 100, 4], random_state=0)
        net.train(X, Y, epochs=2, batch_size=1000, dropout=0.4, random_state=1, n_threads=n_threads)
        ends.append(net.parameters)
    for end in ends[1:]:
        assert np.array_equal(end, ends[0])


def test_two_runs_go_on_like_one(backend: Any, data: tuple[Array, Array]) -> None:
    ends = []
    for epochs in ([8], [4, 4], [1, 7]):
        net, rng, optimizer = backend([6, 8, 2], random_state=0), np.random.default_rng(3), fastmlp.Adam()
        for n in epochs:
            net.train(*data, epochs=n, batch_size=70, optimizer=optimizer, dropout=0.5, random_state=rng)
        ends.append(net.parameters)
    assert np.array_equal(ends[0], ends[1])
    assert np.array_equal(ends[0], ends[2])


def test_without_shuffles_it_draws_too(backend: Any, data: tuple[Array, Array]) -> None:
    ends = []
    for seed in (0, 0, 1):
        net = backend([6, 8, 2], random_state=0)
        net.train(*data, epochs=2, batch_size=70, dropout=0.5, shuffle=False, random_state=seed)
        ends.append(net.parameters)
    assert np.array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])


def test_gradients_under_dropout_agree_with_central_differences(data: tuple[Array, Array]) -> None:
    net = reference.Network([6, 5, 4, 2], "gelu", dtype="float64", random_state=0)
    X, Y = data[0][:7], data[1][:7]
    drop = Dropout((0.5, 0.3), 7)
    step = net.backward(net.forward(X, drop), Y, SquaredError(), None, drop)
    h = 1e-6
    for W, dW in zip(net.weights, step.dW[1:], strict=True):
        J = []
        for sign in (1, -1):
            W[0, 0] += sign * h
            J.append(net.backward(net.forward(X, drop), Y, SquaredError()).J)
            W[0, 0] -= sign * h
        assert dW[0, 0] == pytest.approx((J[0] - J[1]) / (2 * h), rel=1e-6, abs=1e-9)


def test_the_share_is_the_rate_and_the_mean_stays() -> None:
    a = np.ones((1000, 1000))
    for rate in (0.1, 0.5, 0.9):
        masks = [Dropout((rate, rate), seed).mask(l, a) for seed, l in ((0, 1), (0, 2), (1, 1), (2**32 - 1, 1))]
        for mask in masks:
            assert (mask == 0).mean() == pytest.approx(rate, abs=0.002)
            assert mask.mean() == pytest.approx(1, abs=0.02)
            assert (mask == 0).mean(axis=0) == pytest.approx(rate, abs=0.08)
            assert (mask == 0).mean(axis=1) == pytest.approx(rate, abs=0.08)
        both = np.mean([(m == 0) & (k == 0) for i, m in enumerate(masks) for k in masks[:i]])
        assert both == pytest.approx(rate**2, abs=0.003)


def test_predictions_drop_nothing(backend: Any, data: tuple[Array, Array]) -> None:
    net = backend([6, 8, 2], random_state=0)
    net.train(*data, epochs=1, dropout=0.5, random_state=0)
    assert np.array_equal(net.predict(data[0]), net.predict(data[0]))


BAD: list[tuple[Any, type[Exception], str]] = [
    (1.0, ValueError, r"dropout must lie in \[0, 1\)"),
    (-0.1, ValueError, r"dropout must lie in \[0, 1\)"),
    ([0.1, 0.2, 0.3], ValueError, "dropout has 3 rates, and there are 2 hidden layers"),
    ("0.5", TypeError, "dropout must be a rate, or one rate per hidden layer"),
    ([0.1, "a"], TypeError, "dropout must be a number"),
]


@pytest.mark.parametrize(("dropout", "error", "message"), BAD)
def test_bad_rates(backend: Any, dropout: Any, error: type[Exception], message: str, data: tuple[Array, Array]) -> None:
    net = backend([6, 8, 5, 2])
    before = net.parameters.copy()
    with pytest.raises(error, match=message):
        net.train(*data, epochs=1, dropout=dropout)
    assert np.array_equal(net.parameters, before)


def test_no_hidden_layer_has_nothing_to_drop() -> None:
    assert check_rates(0.0, 0) is None
    with pytest.raises(ValueError, match="dropout needs a hidden layer"):
        check_rates(0.5, 0)
